/** The port as a listener: how connections are told apart, held, limited and let go. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, test, vi } from 'vitest';
import { KVServiceWatchRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import { WAIT } from '../testing/wait.ts';
import { HTTP2_PREFACE } from './first-bytes.ts';
import { openPort } from './port.ts';
import { TEST_CERTIFICATE, TEST_KEY } from './testing/certificate.ts';
import {
  encode,
  getRequest,
  openSocket,
  openToyPort,
  passBytes,
  RawClient,
  readAll,
  type ToyPort,
  textOf,
} from './testing/toy-port.ts';

const GET = '/gomsg.v1.KVService/Get';
const WATCH = '/gomsg.v1.KVService/Watch';
const EXECUTE = '/gomsg.v1.PipelineService/Execute';
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

async function answersOthers(toy: ToyPort): Promise<void> {
  const client = new RawClient(toy.address);
  try {
    expect(textOf(await client.unary(GET, getRequest('name'), new Metadata()))).toBe('name');
  } finally {
    client.close();
  }
}

/** Writes bytes one at a time, each in a packet of its own as far as the system allows. */
async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the first bytes', () => {
  test('may come one by one, in HTTP/2', async () => {
    await using toy = await openToyPort();
    const socket = await openSocket(toy.port);
    const [first] = await Promise.all([
      once(socket, 'data') as Promise<[Buffer]>,
      trickle(socket, Buffer.concat([HTTP2_PREFACE, EMPTY_SETTINGS])),
    ]);
    // Its own SETTINGS frame: type 4 on stream 0.
    expect(first[0][3]).toBe(4);
    socket.destroy();
    await answersOthers(toy);
  });

  test('may come one by one, in HTTP/1', async () => {
    await using toy = await openToyPort();
    const socket = await openSocket(toy.port);
    const answer = readAll(socket);
    await trickle(socket, Buffer.from('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'));
    expect((await answer).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('that are garbage get 400 and a closed connection', async () => {
    await using toy = await openToyPort();
    const socket = await openSocket(toy.port);
    const answer = readAll(socket);
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0xff, 0x00]));
    expect((await answer).toString()).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    await answersOthers(toy);
  });

  test.each([
    ['nothing', ''],
    ['half a preface', 'PRI * HTTP/2'],
    ['half a request line', 'GET /hea'],
    ['half a header', 'GET /healthz HTTP/1.1\r\nhost: exam'],
  ])('that stop after %s are not waited for longer than the handshake timeout', async (_what, bytes) => {
    await using toy = await openToyPort({ limits: { handshakeTimeout_ms: 200 } });
    const socket = await openSocket(toy.port);
    const closed = readAll(socket);
    socket.write(bytes);
    const answer = (await closed).toString();
    expect(answer === '' || answer.startsWith('HTTP/1.1 408')).toBe(true);
    await vi.waitFor(() => expect(toy.port.openConnections).toBe(0), WAIT);
  });

  test('decide over TLS too when the client does not name a protocol', async () => {
    await using toy = await openToyPort({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
    const socket = connectTls(toy.port.port, '127.0.0.1', { rejectUnauthorized: false });
    const answer = readAll(socket);
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect((await answer).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test('in the clear on a TLS port close the connection', async () => {
    await using toy = await openToyPort({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
    const socket = await openSocket(toy.port);
    const closed = readAll(socket);
    socket.write('GET /healthz HTTP/1.1\r\n\r\n');
    await closed;
    await vi.waitFor(() => expect(toy.port.openConnections).toBe(0), WAIT);
  });
});

test('a request whose host is no host is refused, and the server goes on', async () => {
  await using toy = await openToyPort();
  for (const head of ['host: [', 'x: y']) {
    const socket = await openSocket(toy.port);
    const answer = readAll(socket);
    socket.write(
      `POST ${GET} HTTP/1.0\r\n${head}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
    );
    expect((await answer).toString()).toMatch(/^HTTP\/1\.1 400/);
  }
  await answersOthers(toy);
});

test('headers over the limit are refused', async () => {
  await using toy = await openToyPort({ limits: { maxHeaderBytes: 2048 } });
  const response = await fetch(toy.url, { headers: { 'x-long': 'x'.repeat(4096) } });
  expect(response.status).toBe(431);
});

describe('over the limit of connections', () => {
  const limits = { maxConnections: 2 };

  /** Two HTTP/2 connections that the port has taken. */
  async function fill(toy: ToyPort) {
    const sessions = [connectHttp2(toy.url), connectHttp2(toy.url)];
    await Promise.all(sessions.map((session) => once(session, 'remoteSettings')));
    return sessions;
  }

  test('HTTP/1 is told 503 and when to come back', async () => {
    await using toy = await openToyPort({ limits });
    const sessions = await fill(toy);
    const response = await fetch(toy.url);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(toy.metrics.transport.connectionsRefused.value).toBe(1);
    for (const session of sessions) session.destroy();
  });

  test('gRPC is told UNAVAILABLE, and those inside are served', async () => {
    await using toy = await openToyPort({ limits });
    const [first, ...others] = await fill(toy);
    const client = new RawClient(toy.address);
    const deadline_ms = Date.now() + 20_000;
    await expect(client.unary(GET, getRequest('x'), new Metadata(), deadline_ms)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    client.close();
    const inside = first!.request({ ':path': '/healthz' });
    expect((await once(inside, 'response'))[0][':status']).toBe(200);
    for (const session of [first!, ...others]) session.destroy();
  });

  test('TLS is closed', async () => {
    await using toy = await openToyPort({
      limits: { maxConnections: 1 },
      tls: { cert: TEST_CERTIFICATE, key: TEST_KEY },
    });
    const inside = connectTls(toy.port.port, '127.0.0.1', { rejectUnauthorized: false });
    await once(inside, 'secureConnect');
    const socket = await openSocket(toy.port);
    await readAll(socket);
    inside.destroy();
  });

  test('there is room again once one has left', async () => {
    await using toy = await openToyPort({ limits });
    const [first, second] = await fill(toy);
    first!.destroy();
    await vi.waitFor(() => expect(toy.port.openConnections).toBe(1), WAIT);
    expect((await fetch(toy.url)).status).toBe(200);
    second!.destroy();
  });
});

test('many idle connections are held, and the port answers', async () => {
  await using toy = await openToyPort();
  const sockets = await Promise.all(Array.from({ length: 300 }, () => openSocket(toy.port)));
  const ready = sockets.map((socket) => once(socket, 'data'));
  for (const socket of sockets) socket.write(Buffer.concat([HTTP2_PREFACE, EMPTY_SETTINGS]));
  await Promise.all(ready);
  expect(toy.port.openConnections).toBe(300);
  expect(toy.metrics.transport.connections.value).toBe(300);
  await answersOthers(toy);
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(() => expect(toy.port.openConnections).toBe(0), WAIT);
});

test('a peer that leaves pings unanswered is let go', async () => {
  await using toy = await openToyPort({ limits: { keepaliveInterval_ms: 50, keepaliveTimeout_ms: 50 } });
  const dead = await openSocket(toy.port);
  dead.write(Buffer.concat([HTTP2_PREFACE, EMPTY_SETTINGS]));
  await readAll(dead);
  await vi.waitFor(() => expect(toy.port.openConnections).toBe(0), WAIT);
});

test('one connection has no more calls at once than it may', async () => {
  await using toy = await openToyPort({ limits: { maxStreamsPerConnection: 3 } });
  const session = connectHttp2(toy.url);
  const [settings] = await once(session, 'remoteSettings');
  expect(settings.maxConcurrentStreams).toBe(3);
  session.destroy();
});

test('a port in use is an error of opening', async () => {
  await using toy = await openToyPort();
  const options = { host: '127.0.0.1', port: toy.port.port, methods: [], meters: toy.metrics.transport };
  await expect(openPort({ ...options, reportBug: () => {} })).rejects.toThrow(
    /another process listens there; stop it, or choose another port with --port/,
  );
});

describe('a drain', () => {
  test('lets calls under way finish, and takes no new connection', async () => {
    const toy = await openToyPort();
    const client = new RawClient(toy.address);
    // Connected: what the deadline leaves is for the call alone.
    await client.unary(GET, getRequest('name'), new Metadata());
    // Answered when its deadline passes, well after the drain began.
    const call = client.unary(GET, getRequest('hang'), new Metadata(), Date.now() + 1_000);
    const settled = call.then(
      () => 'answered',
      (error: { code: number }) => error.code,
    );
    await vi.waitFor(() => expect(toy.log.contexts).toHaveLength(2), WAIT);
    const drained = toy.port.drain(10_000);
    expect(toy.port.draining.aborted).toBe(true);
    await expect(fetch(toy.url)).rejects.toThrow();
    await drained;
    expect(await settled).toBe(status.DEADLINE_EXCEEDED);
    client.close();
  });

  test('answers the HTTP/1 request under way, then closes its connection', async () => {
    const toy = await openToyPort();
    const idle = await openSocket(toy.port);
    idle.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(idle, 'data');
    const answer = fetch(`${toy.url}${GET}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'connect-timeout-ms': '1000' },
      body: '{"key":"hang"}',
    });
    await vi.waitFor(() => expect(toy.log.contexts).toHaveLength(1), WAIT);
    const drained = toy.port.drain(10_000);
    const response = await answer;
    expect([response.status, response.headers.get('connection')]).toEqual([504, 'close']);
    await drained;
    expect(toy.port.openConnections).toBe(0);
  });

  test('ends streams that would never end by themselves with DRAINING', async () => {
    const toy = await openToyPort();
    const client = new RawClient(toy.address);
    const request = encode(KVServiceWatchRequestSchema, { target: { case: 'prefix', value: 'idle' } });
    const watch = client.makeServerStreamRequest(WATCH, passBytes, passBytes, request);
    const pipeline = client.makeBidiStreamRequest(EXECUTE, passBytes, passBytes);
    pipeline.write(Buffer.from('taken'));
    expect((await once(pipeline, 'data'))[0].toString()).toBe('taken');
    await vi.waitFor(() => expect(toy.log.pulled).toBe(1), WAIT);
    watch.resume();
    const ended = Promise.all([once(watch, 'error'), once(pipeline, 'error')]);
    const started_ms = performance.now();
    await toy.port.drain(25_000);
    expect(performance.now() - started_ms).toBeLessThan(15_000);
    for (const [error] of await ended) expect(error.code).toBe(status.UNAVAILABLE);
    client.close();
  });

  test('ends Connect streams too', async () => {
    const toy = await openToyPort();
    const message = Buffer.from('{"prefix":"idle"}');
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.length, 1);
    const answer = fetch(`${toy.url}${WATCH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/connect+json' },
      body: Buffer.concat([header, message]),
    });
    await vi.waitFor(() => expect(toy.log.pulled).toBe(1), WAIT);
    const drained = toy.port.drain(10_000);
    expect(await (await answer).text()).toContain('unavailable');
    await drained;
    await vi.waitFor(() => expect(toy.log.returned).toBe(1), WAIT);
  });

  test('aborts what is left when its time is over', async () => {
    const toy = await openToyPort();
    const client = new RawClient(toy.address);
    const call = client.unary(GET, getRequest('hang'), new Metadata());
    const failed = expect(call).rejects.toMatchObject({ code: expect.any(Number) });
    await vi.waitFor(() => expect(toy.log.contexts).toHaveLength(1), WAIT);
    const { signal } = toy.log.contexts[0]!;
    await toy.port.drain(100);
    await failed;
    await vi.waitFor(() => expect(signal.aborted).toBe(true), WAIT);
    client.close();
  });

  test('may be asked for again', async () => {
    const toy = await openToyPort();
    await Promise.all([toy.port.drain(1_000), toy.port.drain(0)]);
    await toy.port.drain(0);
  });
});
