import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test, vi } from 'vitest';
import {
  MessageState,
  type QueueDelivery,
  QueueServicePurgeRequestSchema,
} from '../../gen/gomsg/v1/queue_pb.js';
import { msToDuration } from '../../state/durations.ts';
import { queueMethod } from '../../state/queue/method-numbers.ts';
import { WAIT } from '../../testing/wait.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { Proposal } from '../groups.ts';
import { call, callContext, open } from '../testing/call.ts';
import { InstantGroup } from '../testing/instant-group.ts';
import { BUFFERED_BYTES_MAX } from './consumer.ts';
import { HoldingGroup } from './testing/holding-group.ts';
import { payloadsOf, QueueNode, rpc } from './testing/queue-node.ts';

const MIB = 1024 * 1024;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** Until the queue has these figures. */
function settled(node: QueueNode, figures: Partial<Awaited<ReturnType<QueueNode['stats']>>>) {
  return vi.waitFor(async () => expect(await node.stats('q')).toMatchObject(figures), WAIT);
}

test('a consumer is told that it is in place, on a queue that it made, and then gets what is pushed', async () => {
  const node = new QueueNode();
  const stream = await node.consume({ queue: 'q' });
  await settled(node, { consumers: 1 });
  await node.push('q', 'a', 'b');
  expect(payloadsOf(await stream.take(2))).toEqual(['a', 'b']);
  await stream.end();
  await settled(node, { consumers: 0 });
});

test('a consumer has at most its credit unsettled, and every ack and nack makes room for one more', async () => {
  const node = new QueueNode();
  await node.push('q', ...numbers(10));
  const stream = await node.consume({ queue: 'q', credit: 3 });
  const first = await stream.take(3);
  await settled(node, { inFlight: 3n, ready: 7n });
  await node.ack(first[0]!);
  expect(payloadsOf(await stream.take(1))).toEqual(['3']);
  const { deliveryId } = first[1]!;
  await call(node.methods, rpc.nack, { deliveryId, delay: msToDuration(1000) });
  expect(payloadsOf(await stream.take(1))).toEqual(['4']);
  await settled(node, { inFlight: 3n, delayed: 1n });
});

test('a lease that runs out makes room, and the message comes again', async () => {
  const node = new QueueNode();
  await node.push('q', 'x');
  const stream = await node.consume({ queue: 'q', credit: 1, lease: msToDuration(500) });
  expect(await stream.take(1)).toMatchObject([{ attempt: 1 }]);
  node.group.advance(500);
  expect(await stream.take(1)).toMatchObject([{ attempt: 2 }]);
});

test.each([
  ['a purge', (node: QueueNode) => call(node.methods, rpc.purge, { queue: 'q' })],
  ['a delete', (node: QueueNode) => call(node.methods, rpc.delete, { queue: 'q' })],
])('%s makes room for all that was unsettled', async (_, act) => {
  const node = new QueueNode();
  await node.push('q', ...numbers(5));
  const stream = await node.consume({ queue: 'q', credit: 2 });
  await stream.take(2);
  await act(node);
  await node.push('q', 'x', 'y', 'z');
  expect(payloadsOf(await stream.take(2))).toEqual(['x', 'y']);
});

test('a delete under a consumer does not make the queue anew', async () => {
  const node = new QueueNode();
  const stream = await node.consume({ queue: 'q' });
  await settled(node, { consumers: 1 });
  await call(node.methods, rpc.delete, { queue: 'q' });
  await new Promise((resolve) => setImmediate(resolve));
  expect((await call(node.methods, rpc.list, {})).queues).toEqual([]);
  await stream.end();
});

/** Purges what every pop took before the pop is answered. */
class PurgingGroup extends InstantGroup {
  purging = false;

  override submit(proposal: Proposal): void {
    if (!this.purging || proposal.method !== queueMethod.pop) {
      super.submit(proposal);
      return;
    }
    this.purging = false;
    const state = MessageState.IN_FLIGHT;
    const request = create(QueueServicePurgeRequestSchema, { queue: 'q', state });
    this.batch(() => {
      super.submit(proposal);
      super.submit({
        method: queueMethod.purge,
        payload: toBinary(QueueServicePurgeRequestSchema, request),
        request,
        session: undefined,
        reply: { ok() {}, fail() {} },
      });
    });
  }
}

test('a delivery that was purged before it reached its consumer takes no credit', async () => {
  const node = new QueueNode(1, undefined, (queue, id) => new PurgingGroup({ queue }, id));
  const stream = await node.consume({ queue: 'q', credit: 1 });
  (node.group as PurgingGroup).purging = true;
  await node.push('q', 'purged');
  expect(payloadsOf(await stream.take(1))).toEqual(['purged']);
  await node.push('q', 'next');
  expect(payloadsOf(await stream.take(1))).toEqual(['next']);
});

test('acks that come while a pop is on its way do not make the consumer exceed its credit', async () => {
  const node = new QueueNode(1, undefined, (queue, id) => new HoldingGroup({ queue }, id));
  const group = node.group as HoldingGroup;
  await node.push('q', ...numbers(10));
  const stream = await node.consume({ queue: 'q', credit: 2 });
  const [first, second] = await stream.take(2);
  group.held = [];
  await node.ack(first!);
  await vi.waitFor(() => expect(group.held?.length).toBe(1), WAIT);
  await node.ack(second!);
  await new Promise((resolve) => setImmediate(resolve));
  group.letGo();
  await stream.take(2);
  await settled(node, { inFlight: 2n, deliveredTotal: 4n });
});

test('consumers share what is ready fairly', async () => {
  const node = new QueueNode();
  const streams = await Promise.all([1, 2, 3].map(() => node.consume({ queue: 'q' })));
  await node.push('q', ...numbers(90));
  const taken = await Promise.all(streams.map((stream) => stream.take(30)));
  expect(new Set(taken.flat().map(({ messageId }) => messageId)).size).toBe(90);
});

test('messages that come one by one go round the consumers', async () => {
  const node = new QueueNode();
  const streams = await Promise.all([1, 2].map(() => node.consume({ queue: 'q' })));
  const took: [string[], string[]] = [[], []];
  for (const [i, payload] of numbers(6).entries()) {
    await node.push('q', payload);
    took[i % 2]!.push(...payloadsOf(await streams[i % 2]!.take(1)));
  }
  expect(took).toEqual([
    ['0', '2', '4'],
    ['1', '3', '5'],
  ]);
});

test('what a consumer leaves unsettled is ready again at once; what it never got is no attempt', async () => {
  const node = new QueueNode();
  await node.push('q', 'got');
  const stream = await node.consume({ queue: 'q' });
  await stream.take(1);
  await node.push('q', 'buffered');
  await settled(node, { inFlight: 2n });
  await stream.end();
  await settled(node, { inFlight: 0n, ready: 2n });
  expect(await node.pop({ queue: 'q', maxMessages: 2 })).toMatchObject([
    { messageId: 'q#1', attempt: 2 },
    { messageId: 'q#2', attempt: 1 },
  ]);
});

test('a stream that is ended while it waits for a message ends', async () => {
  const node = new QueueNode();
  const method = node.methods.find(({ desc }) => desc === rpc.consume)!;
  if (method.kind !== 'server_streaming') throw new Error('Consume streams');
  const messages = method.handle(new Uint8Array([0x0a, 1, 0x71]), callContext())[Symbol.asyncIterator]();
  await messages.next();
  const waiting = messages.next();
  await messages.return!();
  expect(await waiting).toMatchObject({ done: true });
  await settled(node, { consumers: 0 });
});

test('a caller that goes away ends its stream, and a drain says why', async () => {
  const node = new QueueNode();
  const caller = new AbortController();
  const left = await node.consume({ queue: 'q' }, callContext({ signal: caller.signal }));
  const server = new AbortController();
  const drained = await node.consume({ queue: 'q' }, callContext({ signal: server.signal }));
  caller.abort();
  server.abort(new GomsgError({ reason: ErrorReason.DRAINING, message: 'the node shuts down' }));
  expect(await left.messages.next()).toMatchObject({ done: true });
  await expect(drained.messages.next()).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
  await settled(node, { consumers: 0 });
});

test('a reader that does not read gets no more than the bound, and the rest when it reads again', async () => {
  const node = new QueueNode();
  const stream = open(node.methods, rpc.consume, { queue: 'q' });
  await stream.next();
  const large = new Uint8Array(3 * MIB);
  for (let i = 0; i < 8; i++) await node.push('q', large);
  await settled(node, { inFlight: BigInt(Math.ceil(BUFFERED_BYTES_MAX / large.length)), ready: 5n });
  const taken: QueueDelivery[] = [];
  while (taken.length < 8) taken.push(...((await stream.next()).value?.deliveries ?? []));
  expect(new Set(taken.map(({ messageId }) => messageId)).size).toBe(8);
});

test('a consumer of a node that does not lead fails with the reason', async () => {
  const node = new QueueNode();
  node.group.refusal = { reason: ErrorReason.NOT_LEADER, message: 'another node leads' };
  await expect(node.consume({ queue: 'q' })).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
});

test('with consumers that come and go, waiting pops and lost leases, every message is settled once', async () => {
  const node = new QueueNode();
  const total = 600;
  const settledBy = new Map<string, number>();
  const settle = async (deliveries: readonly QueueDelivery[], random: number) => {
    for (const [i, { deliveryId, messageId }] of deliveries.entries()) {
      const fate = (random + i) % 7;
      if (fate === 0) continue;
      const method = fate === 1 ? rpc.nack : rpc.ack;
      try {
        if (method === rpc.nack) await call(node.methods, rpc.nack, { deliveryId });
        else {
          await call(node.methods, rpc.ack, { deliveryId });
          settledBy.set(messageId, (settledBy.get(messageId) ?? 0) + 1);
        }
      } catch (error) {
        expect(error).toMatchObject({ reason: ErrorReason.DELIVERY_NOT_FOUND });
      }
    }
  };
  let open_ = true;
  const consume = async (credit: number) => {
    while (open_) {
      const stream = await node.consume({ queue: 'q', credit });
      for (let round = 0; round < 5 && open_; round++) {
        const { value, done } = await stream.messages.next();
        if (done) break;
        await settle(value.deliveries, round + credit);
      }
      await stream.end();
    }
  };
  const pop = async () => {
    for (let round = 0; open_; round++) {
      await settle(await node.pop({ queue: 'q', wait: msToDuration(5), maxMessages: 3 }), round);
    }
  };
  await call(node.methods, rpc.create, { queue: 'q', settings: { maxDeliveries: 0 } });
  const workers = [consume(1), consume(4), consume(20), pop(), pop()];
  for (let sent = 0; sent < total; sent += 20) {
    await node.push('q', ...numbers(20));
    node.group.advance(10_000);
  }
  await vi.waitFor(
    async () => {
      node.group.advance(30_000);
      expect(await node.stats('q')).toMatchObject({ ackedTotal: BigInt(total), ready: 0n, inFlight: 0n });
      // Workers need some turns before their leases are over again.
    },
    { ...WAIT, interval: 50 },
  );
  open_ = false;
  await node.push('q', ...numbers(40));
  await Promise.all(workers);
  expect([...settledBy.values()].every((times) => times === 1)).toBe(true);
  expect(settledBy.size).toBeGreaterThanOrEqual(total);
});
