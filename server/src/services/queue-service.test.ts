import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { MessageState, QueueService, type QueueServicePushRequestSchema } from '../gen/gomsg/v1/queue_pb.js';
import { msToDuration } from '../state/durations.ts';
import { ErrorReason } from './errors.ts';
import { MAX_MESSAGE_BYTES, payloadsOf, QueueNode, rpc } from './queue/testing/queue-node.ts';
import { call } from './testing/call.ts';

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;

test('every rpc of the service has its method', () => {
  const { methods } = new QueueNode();
  expect(methods.map(({ desc }) => desc.name).sort()).toEqual(
    QueueService.methods.map(({ name }) => name).sort(),
  );
});

test('a message goes from push to pop to ack', async () => {
  const node = new QueueNode();
  const { messageId } = await call(node.methods, rpc.push, {
    queue: 'jobs',
    payload: new TextEncoder().encode('backup database'),
    headers: { trace: 'a1' },
  });
  const deliveries = await node.pop({ queue: 'jobs' });
  expect(payloadsOf(deliveries)).toEqual(['backup database']);
  expect(deliveries).toMatchObject([{ messageId, queue: 'jobs', headers: { trace: 'a1' }, attempt: 1 }]);
  await node.ack(...deliveries);
  await expect(node.ack(...deliveries)).rejects.toMatchObject({ reason: ErrorReason.DELIVERY_NOT_FOUND });
  expect(await node.stats('jobs')).toMatchObject({ ready: 0n, inFlight: 0n, ackedTotal: 1n });
});

test('settings are given back with the defaults filled in, and changed field by field', async () => {
  const { methods } = new QueueNode();
  const created = await call(methods, rpc.create, { queue: 'q', settings: { maxDeliveries: 3 } });
  expect(created.settings).toMatchObject({
    lease: { seconds: 30n },
    maxDeliveries: 3,
    deadLetterTtl: { seconds: 1_209_600n },
    maxMessages: 0n,
  });
  const changed = await call(methods, rpc.configure, { queue: 'q', settings: { maxMessages: 5n } });
  expect(changed.settings).toMatchObject({ maxDeliveries: 3, maxMessages: 5n });
  await expect(call(methods, rpc.create, { queue: 'q' })).rejects.toMatchObject({
    reason: ErrorReason.ALREADY_EXISTS,
  });
});

const tooLong = msToDuration(12 * HOUR_MS + 1);
const negative = create(DurationSchema, { seconds: -1n });
const anId = { deliveryId: 'q#1.1' };

test.each<[string, (node: QueueNode) => Promise<unknown>, ErrorReason, string]>([
  ['a bad name', (n) => n.pop({ queue: 'a b' }), ErrorReason.INVALID_NAME, 'queue'],
  ['no name', (n) => call(n.methods, rpc.stats, {}), ErrorReason.INVALID_NAME, 'queue'],
  [
    'a short lease',
    (n) => n.pop({ queue: 'q', lease: msToDuration(99) }),
    ErrorReason.INVALID_DURATION,
    'lease',
  ],
  ['a long lease', (n) => n.pop({ queue: 'q', lease: tooLong }), ErrorReason.INVALID_DURATION, 'lease'],
  ['a negative wait', (n) => n.pop({ queue: 'q', wait: negative }), ErrorReason.INVALID_DURATION, 'wait'],
  ['a long wait', (n) => n.pop({ queue: 'q', wait: tooLong }), ErrorReason.INVALID_DURATION, 'wait'],
  ['too many', (n) => n.pop({ queue: 'q', maxMessages: 1001 }), ErrorReason.INVALID_REQUEST, 'max_messages'],
  ['much credit', (n) => n.consume({ queue: 'q', credit: 10_001 }), ErrorReason.INVALID_REQUEST, 'credit'],
  [
    'a consume lease',
    (n) => n.consume({ queue: 'q', lease: tooLong }),
    ErrorReason.INVALID_DURATION,
    'lease',
  ],
  ['a priority', (n) => push(n, { priority: 256 }), ErrorReason.INVALID_REQUEST, 'priority'],
  ['a long delay', (n) => push(n, { delay: msToDuration(9e11) }), ErrorReason.INVALID_DURATION, 'delay'],
  ['a long dedup id', (n) => push(n, { dedupId: 'é'.repeat(128) }), ErrorReason.INVALID_REQUEST, 'dedup_id'],
  ['a large payload', (n) => push(n, { payload: tooLarge }), ErrorReason.VALUE_TOO_LARGE, 'q'],
  [
    'large headers',
    (n) => push(n, { payload: tooLarge.subarray(2), headers: { ab: 'c' } }),
    ErrorReason.VALUE_TOO_LARGE,
    'q',
  ],
  [
    'an empty batch',
    (n) => call(n.methods, rpc.pushBatch, { queue: 'q' }),
    ErrorReason.INVALID_REQUEST,
    'messages',
  ],
  [
    'a large batch',
    (n) => call(n.methods, rpc.pushBatch, { queue: 'q', messages: Array(10_001).fill({}) }),
    ErrorReason.BATCH_TOO_LARGE,
    'q',
  ],
  ['no id', (n) => call(n.methods, rpc.ack, {}), ErrorReason.DELIVERY_NOT_FOUND, ''],
  ['an id', (n) => call(n.methods, rpc.nack, { deliveryId: 'q#1' }), ErrorReason.DELIVERY_NOT_FOUND, 'q#1'],
  [
    'a long error',
    (n) => call(n.methods, rpc.nack, { ...anId, error: 'x'.repeat(1025) }),
    ErrorReason.INVALID_REQUEST,
    'error',
  ],
  [
    'an extension',
    (n) => call(n.methods, rpc.extend, { ...anId, lease: tooLong }),
    ErrorReason.INVALID_DURATION,
    'lease',
  ],
  [
    'a setting',
    (n) =>
      call(n.methods, rpc.create, { queue: 'q', settings: { dedupWindow: msToDuration(170 * HOUR_MS) } }),
    ErrorReason.INVALID_SETTINGS,
    'dedup_window',
  ],
  [
    'a maximum',
    (n) => call(n.methods, rpc.create, { queue: 'q', settings: { maxBytes: 2n ** 60n } }),
    ErrorReason.INVALID_SETTINGS,
    'max_bytes',
  ],
  [
    'an unknown state',
    (n) => call(n.methods, rpc.purge, { queue: 'q', state: 9 as MessageState }),
    ErrorReason.INVALID_REQUEST,
    'state',
  ],
  [
    'a long page',
    (n) => call(n.methods, rpc.peek, { queue: 'q', limit: 1001 }),
    ErrorReason.INVALID_REQUEST,
    'limit',
  ],
  ['an unknown queue', (n) => call(n.methods, rpc.peek, { queue: 'q' }), ErrorReason.QUEUE_NOT_FOUND, 'q'],
  ['stats of none', (n) => call(n.methods, rpc.stats, { queue: 'q' }), ErrorReason.QUEUE_NOT_FOUND, 'q'],
  [
    'a made-up cursor',
    (n) => call(n.methods, rpc.list, { cursor: new Uint8Array(9) }),
    ErrorReason.INVALID_CURSOR,
    'cursor',
  ],
])('%s is refused before it reaches the log', async (_, act, reason, subject) => {
  const node = new QueueNode();
  await expect(act(node)).rejects.toMatchObject({ reason, subject });
  expect(node.group.applied).toEqual([]);
});

const tooLarge = new Uint8Array(MAX_MESSAGE_BYTES + 1);

function push(node: QueueNode, message: MessageInitShape<typeof QueueServicePushRequestSchema>) {
  return call(node.methods, rpc.push, { ...message, queue: 'q' });
}

test('Peek shows each state in pages, and a cursor fits only its own queue and state', async () => {
  const node = new QueueNode();
  const { methods } = node;
  await node.push('q', 'a', 'b', 'c', 'd', 'e');
  await push(node, { delay: msToDuration(SECOND_MS) });
  const [first, second] = await node.pop({ queue: 'q', maxMessages: 2 });
  await call(methods, rpc.nack, { deliveryId: first!.deliveryId, deadLetter: true, error: 'no disk' });

  const peek = (state: MessageState, limit: number, cursor: Uint8Array = new Uint8Array()) =>
    call(methods, rpc.peek, { queue: 'q', state, limit, cursor });
  const ready = await peek(MessageState.UNSPECIFIED, 2);
  expect(ready.messages).toMatchObject([
    { messageId: 'q#3', state: MessageState.READY },
    { messageId: 'q#4' },
  ]);
  const rest = await peek(MessageState.READY, 2, ready.nextCursor);
  expect(rest).toMatchObject({ messages: [{ messageId: 'q#5' }], nextCursor: new Uint8Array() });
  expect((await peek(MessageState.DEAD, 1)).messages).toMatchObject([{ messageId: 'q#1', error: 'no disk' }]);
  expect((await peek(MessageState.DELAYED, 1)).messages).toMatchObject([{ messageId: 'q#6' }]);
  expect((await peek(MessageState.IN_FLIGHT, 1)).messages).toMatchObject([
    { deliveryId: second!.deliveryId, deliveries: 1 },
  ]);
  await expect(peek(MessageState.DEAD, 1, ready.nextCursor)).rejects.toMatchObject({
    reason: ErrorReason.INVALID_CURSOR,
  });
});

test('List merges the queues of all groups by name, a page at a time', async () => {
  const node = new QueueNode(3, (name) => name.charCodeAt(name.length - 1) % 3);
  const names = Array.from({ length: 10 }, (_, i) => `a${i}`);
  for (const queue of [...names, 'b']) await node.push(queue, 'x');
  const pages: string[][] = [];
  let cursor: Uint8Array = new Uint8Array();
  do {
    const page = await call(node.methods, rpc.list, { prefix: 'a', limit: 4, cursor });
    pages.push(page.queues.map(({ queue }) => queue));
    cursor = page.nextCursor;
  } while (cursor.length > 0);
  expect(pages).toEqual([names.slice(0, 4), names.slice(4, 8), names.slice(8)]);
  expect((await call(node.methods, rpc.list, {})).queues.length).toBe(11);
});

test('Stats tells the age of the oldest ready message, whatever its priority', async () => {
  const node = new QueueNode();
  await push(node, { priority: 1 });
  node.group.advance(3 * SECOND_MS);
  await push(node, { priority: 9 });
  node.group.advance(2 * SECOND_MS);
  expect((await node.stats('q')).oldestReadyAge).toMatchObject({ seconds: 5n });
  await node.pop({ queue: 'q', maxMessages: 2 });
  expect((await node.stats('q')).oldestReadyAge).toBeUndefined();
});

test('Purge, Redrive and Delete answer with what they did', async () => {
  const node = new QueueNode();
  const { methods } = node;
  await node.push('q', 'a', 'b', 'c');
  for (const { deliveryId } of await node.pop({ queue: 'q', maxMessages: 2 })) {
    await call(methods, rpc.nack, { deliveryId, deadLetter: true });
  }
  expect(await call(methods, rpc.redrive, { queue: 'q', limit: 1 })).toMatchObject({ redriven: 1n });
  const dead = { queue: 'q', state: MessageState.DEAD };
  expect(await call(methods, rpc.purge, dead)).toMatchObject({ purged: 1n });
  expect(await call(methods, rpc.purge, { queue: 'q' })).toMatchObject({ purged: 2n });
  expect(await call(methods, rpc.delete, { queue: 'q' })).toMatchObject({ deleted: true });
  expect(await call(methods, rpc.delete, { queue: 'q' })).toMatchObject({ deleted: false });
  await expect(call(methods, rpc.purge, { queue: 'q' })).rejects.toMatchObject({
    reason: ErrorReason.QUEUE_NOT_FOUND,
  });
});

test('a list on a node that knows of no group is answered', async () => {
  const { methods } = new QueueNode(0);
  await expect(call(methods, rpc.list, {})).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
});
