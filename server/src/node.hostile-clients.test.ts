/** What broken and hostile clients get from a real node: a typed error or a closed connection. Others notice nothing. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { DescMessage, DescMethodUnary, MessageInitShape } from '@bufbuild/protobuf';
import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { PipelineService } from './gen/gomsg/v1/pipeline_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { StreamService } from './gen/gomsg/v1/stream_pb.js';
import { CallError, fromServiceError } from './testing/call-error.ts';
import { NodeClient, passBytes, pathOf, rawClient } from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';
import { PipelineClient } from './testing/pipeline-client.ts';
import { hostileBytes, Random } from './transport/testing/hostile-bytes.ts';

/** For 10,000, set GOMSG_IDLE_CONNECTIONS, and allow as many open files (ulimit -n). */
const IDLE_CONNECTIONS = Number(process.env.GOMSG_IDLE_CONNECTIONS ?? 400);
const BYTES_PER_CONNECTION_MAX = 64 * 1024;
const HOSTILE_CONNECTIONS = 300;

const MIB = 1024 * 1024;
const HTTP2_HELLO = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  // An empty SETTINGS frame.
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

let node: NodeProcess;
let address: string;
let client: NodeClient;
/** A client whose calls must succeed whatever the others do. */
let bystander: PipelineClient;

beforeAll(async () => {
  node = NodeProcess.start({ flags: [] });
  address = await node.ready;
  client = new NodeClient(address);
  bystander = new PipelineClient(address);
});

afterAll(async () => {
  expect(node.exit).toBeUndefined();
  expect(node.output).not.toContain('a bug was met');
  bystander.close();
  client.close();
  await node.kill();
});

/** Others are served: writes and reads, as before. */
async function expectService(calls = 50): Promise<void> {
  for (let i = 0; i < calls; i++) {
    const { version } = await bystander.call(KVService.method.set, {
      key: 'bystander',
      value: Buffer.from([i]),
    });
    const read = await bystander.call(KVService.method.get, { key: 'bystander' });
    expect([read.version, read.value[0]]).toEqual([version, i]);
  }
}

interface BadCall {
  readonly what: string;
  readonly reason: ErrorReason;
  call(): Promise<unknown>;
}

function bad<I extends DescMessage, O extends DescMessage>(
  what: string,
  reason: ErrorReason,
  desc: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): BadCall[] {
  return [
    { what: `${what}, in a call`, reason, call: () => client.unary(desc, request) },
    { what: `${what}, in a pipeline`, reason, call: () => bystander.call(desc, request) },
  ];
}

const tooLarge = Buffer.alloc(4 * MIB + 1);
const kv = KVService.method;
const queue = QueueService.method;
const stream = StreamService.method;

test.each([
  ...bad('an empty key', ErrorReason.INVALID_KEY, kv.set, { key: '' }),
  ...bad('a key of 1025 bytes', ErrorReason.INVALID_KEY, kv.set, { key: 'k'.repeat(1025) }),
  ...bad('a value over the limit', ErrorReason.VALUE_TOO_LARGE, kv.set, { key: 'k', value: tooLarge }),
  ...bad('a negative ttl', ErrorReason.INVALID_DURATION, kv.set, { key: 'k', ttl: { seconds: -1n } }),
  ...bad('an open bracket in a pattern', ErrorReason.INVALID_PATTERN, kv.keys, { pattern: 'a[' }),
  ...bad('a cursor of nobody', ErrorReason.INVALID_CURSOR, kv.scan, { cursor: Buffer.from('x') }),
  ...bad('an empty queue name', ErrorReason.INVALID_NAME, queue.push, { queue: '' }),
  ...bad('a queue name with a blank', ErrorReason.INVALID_NAME, queue.push, { queue: 'a b' }),
  ...bad('a message over the limit', ErrorReason.VALUE_TOO_LARGE, queue.push, {
    queue: 'q',
    payload: tooLarge,
  }),
  ...bad('an event over the limit', ErrorReason.VALUE_TOO_LARGE, stream.publish, {
    topic: 't',
    payload: tooLarge,
  }),
  ...bad('a lease of 1 ms', ErrorReason.INVALID_DURATION, queue.pop, {
    queue: 'q',
    lease: { nanos: 1_000_000 },
  }),
  ...bad('a made-up delivery', ErrorReason.DELIVERY_NOT_FOUND, queue.ack, { deliveryId: 'q#1.1' }),
  ...bad('an empty topic name', ErrorReason.INVALID_NAME, stream.publish, { topic: '' }),
  ...bad('a partition that is not', ErrorReason.PARTITION_NOT_FOUND, stream.publish, {
    topic: 't',
    partition: 9,
  }),
])('$what gets its reason', async ({ call, reason }) => {
  expect((await failureOf(call())).reason).toBe(reason);
  await expectService(1);
});

test('bytes that are no request, unknown methods and frames over the limit are refused by name', async () => {
  expect(await rawFailure(pathOf(kv.get), Buffer.from([0xff, 0xff]))).toMatchObject({
    reason: ErrorReason.INVALID_REQUEST,
  });
  const unknownCall = await rawFailure('/gomsg.v1.KVService/Gett', Buffer.alloc(0));
  expect(unknownCall.reason).toBe(ErrorReason.METHOD_NOT_FOUND);
  expect(unknownCall.message).toMatch(/\bGet\b/);
  const RESOURCE_EXHAUSTED = 8;
  expect(await rawFailure(pathOf(kv.set), Buffer.alloc(17 * MIB))).toMatchObject({
    code: RESOURCE_EXHAUSTED,
  });

  const json = (method: string, body: string) =>
    fetch(`http://${address}/gomsg.v1.KVService/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
  const malformed = await json('Get', '{"key":');
  expect([malformed.status, await malformed.text()]).toEqual([
    400,
    expect.stringContaining('invalid_argument'),
  ]);
  const unknown = await json('Gett', '{}');
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringMatching(/\bGet\b/)]);
  await expectService();
});

test('a pipeline frame that cannot be read ends its pipeline with a reason, and no other', async () => {
  const raw = rawClient(address);
  const broken = raw.makeBidiStreamRequest(pathOf(PipelineService.method.execute), passBytes, passBytes);
  broken.on('data', () => {});
  broken.write(Buffer.from([0x1a, 0xff, 0xff, 0xff, 0x7f]));
  const [error] = (await once(broken, 'error')) as [ServiceError];
  expect(fromServiceError(error).reason).toBe(ErrorReason.INVALID_REQUEST);
  raw.close();
  await expectService();
});

test('hostile bytes on many connections at once harm nobody', async () => {
  const random = new Random(20_260_101);
  const attacks = Array.from({ length: HOSTILE_CONNECTIONS }, () =>
    attack(hostileBytes(random, [pathOf(kv.get), pathOf(kv.watch), '/metrics'])),
  );
  await expectService();
  await Promise.all(attacks);
  await expectService();
});

test(`${IDLE_CONNECTIONS} idle connections cost little, and others are served`, {
  timeout: 120_000,
}, async () => {
  await expectService();
  const before = node.privateBytes;
  const sockets = await openAll(IDLE_CONNECTIONS);
  await expect.poll(openConnections, { timeout: 60_000 }).toBeGreaterThanOrEqual(IDLE_CONNECTIONS);
  await expectService(200);
  expect(node.privateBytes - before).toBeLessThan(40 * MIB + IDLE_CONNECTIONS * BYTES_PER_CONNECTION_MAX);
  for (const socket of sockets) socket.destroy();
  await expect.poll(openConnections, { timeout: 60_000 }).toBeLessThan(20);
  await expectService();
});

/** HTTP/2 connections that greeted and then say nothing. */
async function openAll(count: number): Promise<Socket[]> {
  const AT_ONCE = 200;
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const opening = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, async () => {
      const socket = openSocket();
      await once(socket, 'connect');
      socket.write(HTTP2_HELLO);
      socket.resume();
      return socket;
    });
    sockets.push(...(await Promise.all(opening)));
  }
  return sockets;
}

async function openConnections(): Promise<number> {
  const page = await (await fetch(`http://${address}/metrics`, { headers: { connection: 'close' } })).text();
  return Number(/^gomsg_connections (\d+)$/m.exec(page)?.[1]);
}

/** Sends the bytes and leaves once the node is done with them, or has nothing to say. */
function attack(bytes: Buffer): Promise<void> {
  const QUIET_MS = 50;
  return new Promise((resolve) => {
    const socket = openSocket();
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.on('close', () => resolve());
    socket.resume();
    socket.write(bytes);
  });
}

function openSocket(): Socket {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  // Being cut off is what it came for.
  socket.on('error', () => {});
  return socket;
}

function rawFailure(path: string, request: Buffer): Promise<CallError> {
  const raw = rawClient(address);
  return new Promise((resolve, reject) => {
    raw.makeUnaryRequest(path, passBytes, passBytes, request, new Metadata(), {}, (error) => {
      raw.close();
      if (error === null) reject(new Error('the call did not fail'));
      else resolve(fromServiceError(error));
    });
  });
}

async function failureOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}
