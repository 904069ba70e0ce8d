import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CLIENTS, type Door, Network } from './network.ts';

/** Sends back what it gets. */
let echo: Server;
let network: Network;
let door: Door;
const sockets = new Set<Socket>();

beforeEach(async () => {
  echo = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  network = new Network();
  door = await network.open('node1');
  door.target = (echo.address() as { port: number }).port;
});

afterEach(() => {
  network.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  echo.close();
});

class Client {
  readonly socket: Socket;
  received = '';
  readonly closed: Promise<void>;

  constructor() {
    this.socket = connect(Number(door.address.split(':')[1]), '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (piece: Buffer) => {
      this.received += piece.toString();
    });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    sockets.add(this.socket);
  }

  async has(text: string): Promise<void> {
    while (this.received !== text) await once(this.socket, 'data');
  }
}

test('a blocked way is silent in its direction alone, and goes on where it was', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.has('a');
  network.block('node1', CLIENTS);
  const heard = once(sockets.values().find((socket) => socket !== client.socket)!, 'data');
  client.socket.write('b');
  expect(String((await heard)[0])).toBe('b');
  expect(client.received).toBe('a');
  network.heal();
  await client.has('ab');
});

test('a cut is told, and the next connection stands', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.has('a');
  network.cut('node1', CLIENTS);
  await client.closed;
  const next = new Client();
  next.socket.write('b');
  await next.has('b');
});

test('a delayed way brings everything later and in order', async () => {
  network.delay(CLIENTS, 'node1', 60);
  const began_ms = performance.now();
  const client = new Client();
  client.socket.write('a');
  client.socket.write('b');
  await client.has('ab');
  expect(performance.now() - began_ms).toBeGreaterThanOrEqual(59);
});

test('a node is told from the clients by its process', async () => {
  const other = await network.open('node2');
  const port = Number(door.address.split(':')[1]);
  const script = `const s = require('node:net').connect(${port}, '127.0.0.1'); s.on('data', (d) => process.stdout.write(d)); process.stdin.on('data', (d) => s.write(d)); s.on('error', () => {}); s.on('close', () => process.exit())`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  other.pid = child.pid;
  try {
    child.stdin.write('a');
    expect(String((await once(child.stdout, 'data'))[0])).toBe('a');
    const client = new Client();
    client.socket.write('a');
    await client.has('a');
    const ended = once(child, 'exit');
    network.cut('node1', 'node2');
    await ended;
    client.socket.write('b');
    await client.has('ab');
  } finally {
    child.kill('SIGKILL');
  }
});
