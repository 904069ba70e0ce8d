import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CutPlan, Link } from './link.ts';

/** A server that sends back what it gets. */
let server: Server;
let link: Link;
const sockets = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  link = await Link.open(() => ({ host: '127.0.0.1', port }));
});

afterEach(() => {
  link.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

class Client {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;

  constructor() {
    const [host, port] = link.address.split(':') as [string, string];
    this.socket = connect(Number(port), host);
    this.socket.on('data', (piece: Buffer) => {
      this.received = Buffer.concat([this.received, piece]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
    sockets.add(this.socket);
  }

  async has(bytes: number): Promise<void> {
    while (this.received.length < bytes) await once(this.socket, 'data');
  }

  async isClosed(): Promise<void> {
    // Not `once`, which fails with the error that comes before.
    if (!this.closed) await new Promise((resolve) => this.socket.once('close', resolve));
  }
}

test('bytes pass unchanged, whatever they are', async () => {
  const client = new Client();
  const bytes = Buffer.alloc(1_000_000, 'abc');
  client.socket.write(bytes);
  await client.has(bytes.length);
  expect(client.received.equals(bytes)).toBe(true);
});

test('a cut breaks the connection, and the next one works', async () => {
  const client = new Client();
  client.socket.write('x');
  await client.has(1);
  link.cut();
  await client.isClosed();
  expect(link.cutCount).toBe(1);
  const next = new Client();
  next.socket.write('y');
  await next.has(1);
});

test('stalled bytes come when it goes on, in order', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.has(1);
  link.stall('answers');
  client.socket.write('b');
  const other = new Client();
  other.socket.write('c');
  await once(server, 'connection');
  expect(client.received.toString()).toBe('a');
  link.resume();
  await Promise.all([client.has(2), other.has(1)]);
  expect(client.received.toString()).toBe('ab');
});

test('what was held back when the connection is cut is lost', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.has(1);
  link.stall('answers');
  client.socket.write('b');
  link.cut();
  link.resume();
  await client.isClosed();
  expect(client.received.toString()).toBe('a');
});

test('cuts come after so many bytes, and so many times', async () => {
  link.cutBy(new CutPlan(10, 2));
  for (let round = 0; round < 2; round += 1) {
    const client = new Client();
    client.socket.write('x'.repeat(100));
    await client.isClosed();
    expect(client.received.length).toBeLessThan(100);
  }
  const client = new Client();
  client.socket.write('x'.repeat(100));
  await client.has(100);
  expect(link.cutCount).toBe(2);
});

test('delayed bytes come later', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.has(1);
  link.delay(50);
  const startedAt = performance.now();
  client.socket.write('b');
  await client.has(2);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(95);
});

test('connections are refused and accepted again on the same port', async () => {
  const { address } = link;
  await link.refuse();
  const refused = new Client();
  await refused.isClosed();
  await link.accept();
  expect(link.address).toBe(address);
  const client = new Client();
  client.socket.write('x');
  await client.has(1);
});

test('without a server behind it a connection ends at once', async () => {
  const lonely = await Link.open(() => undefined);
  const [host, port] = lonely.address.split(':') as [string, string];
  const socket = connect(Number(port), host);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  lonely.close();
});
