import { expect, test, vi } from 'vitest';
import { msToDuration } from '../../state/durations.ts';
import { WAIT } from '../../testing/wait.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import { callContext } from '../testing/call.ts';
import { HoldingGroup } from './testing/holding-group.ts';
import { payloadsOf, QueueNode } from './testing/queue-node.ts';

const wait = msToDuration(60_000);
const session = { sessionId: 5n, sequence: 1, answeredBelow: 0, retry: false };

/** Until so many stand in line. */
function inLine(node: QueueNode, takers: number) {
  return vi.waitFor(async () => expect((await node.stats('q')).consumers).toBe(takers), WAIT);
}

test('a pop waits for a message that is pushed later', async () => {
  const node = new QueueNode();
  const popped = node.pop({ queue: 'q', wait });
  await inLine(node, 1);
  await node.push('q', 'hello');
  expect(payloadsOf(await popped)).toEqual(['hello']);
  expect(await node.stats('q')).toMatchObject({ consumers: 0, ready: 0n, inFlight: 1n });
});

test('a pop waits for a message whose delay ends, and for one that is given back', async () => {
  const node = new QueueNode();
  await node.push('q', 'x');
  const [first] = await node.pop({ queue: 'q' });
  const popped = node.pop({ queue: 'q', wait });
  await inLine(node, 1);
  node.group.advance(30_000);
  expect(await popped).toMatchObject([{ messageId: first!.messageId, attempt: 2 }]);
});

test('a pop that waits in vain answers with an empty list', async () => {
  const node = new QueueNode();
  expect(await node.pop({ queue: 'q', wait: msToDuration(5) })).toEqual([]);
  expect(await node.stats('q')).toMatchObject({ consumers: 0 });
});

test('those who wait are served in the order in which they came, and a newcomer goes behind them', async () => {
  const node = new QueueNode();
  const order: string[] = [];
  const pop = (who: string) =>
    node.pop({ queue: 'q', wait }).then((deliveries) => order.push(`${who} ${payloadsOf(deliveries)}`));
  const pops = [pop('first'), pop('second'), pop('third')];
  await inLine(node, 3);
  await node.push('q', '1');
  await node.push('q', '2');
  await node.push('q', '3');
  await Promise.all(pops);
  expect(order).toEqual(['first 1', 'second 2', 'third 3']);
});

test('a pop that waits takes what is there, up to what it asked for', async () => {
  const node = new QueueNode();
  const popped = node.pop({ queue: 'q', wait, maxMessages: 3 });
  await inLine(node, 1);
  await node.push('q', '1', '2', '3', '4');
  expect(payloadsOf(await popped)).toEqual(['1', '2', '3']);
});

test('a caller that goes away while it waits leaves the message to the next', async () => {
  const node = new QueueNode();
  const caller = new AbortController();
  const left = node.pop({ queue: 'q', wait }, callContext({ signal: caller.signal }));
  const stayed = node.pop({ queue: 'q', wait });
  await inLine(node, 2);
  caller.abort();
  await expect(left).rejects.toMatchObject({ reason: ErrorReason.CANCELED });
  await node.push('q', 'x');
  expect(await stayed).toMatchObject([{ attempt: 1 }]);
});

test('a drain reaches those who wait', async () => {
  const node = new QueueNode();
  const server = new AbortController();
  const popped = node.pop({ queue: 'q', wait }, callContext({ signal: server.signal }));
  await inLine(node, 1);
  server.abort(new GomsgError({ reason: ErrorReason.DRAINING, message: 'the node shuts down' }));
  await expect(popped).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
});

test('a deadline before the end of the wait is an error, not an empty list', async () => {
  const node = new QueueNode();
  const context = callContext({ deadline_ms: Date.now() + 5 });
  await expect(node.pop({ queue: 'q', wait }, context)).rejects.toMatchObject({
    reason: ErrorReason.DEADLINE_EXCEEDED,
  });
});

test.each([
  ['at once', undefined],
  ['with a wait', wait],
])(
  'what a pop %s took for a caller who has gone is given back, not counted as an attempt',
  async (_, waits) => {
    const node = new QueueNode();
    await node.push('q', 'x');
    const caller = new AbortController();
    let popped: Promise<unknown> | undefined;
    node.group.batch(() => {
      const request = waits ? { queue: 'q', wait: waits } : { queue: 'q' };
      popped = node.pop(request, callContext({ signal: caller.signal }));
      caller.abort();
    });
    await Promise.allSettled([popped]);
    await vi.waitFor(
      async () => expect(await node.stats('q')).toMatchObject({ ready: 1n, inFlight: 0n }),
      WAIT,
    );
    expect(await node.pop({ queue: 'q' })).toMatchObject([{ attempt: 1, deliveryId: 'q#1.2' }]);
  },
);

test('what a session took stays leased when its caller has gone: a retry asks for it again', async () => {
  const node = new QueueNode();
  await node.push('q', 'x');
  const caller = new AbortController();
  node.group.batch(() => {
    void node.pop({ queue: 'q' }, callContext({ signal: caller.signal, session }));
    caller.abort();
  });
  expect(await node.stats('q')).toMatchObject({ ready: 0n, inFlight: 1n });
});

test('a waiting pop is made in its session once, and only when it is to bring something', async () => {
  const node = new QueueNode();
  await node.push('q', 'x');
  await node.ack(...(await node.pop({ queue: 'q' })));
  const before = node.group.applied.length;
  const popped = node.pop({ queue: 'q', wait }, callContext({ session }));
  await inLine(node, 1);
  expect(node.group.applied.length).toBe(before);
  await node.push('q', 'y');
  await popped;
  expect(node.group.applied.at(-1)).toMatchObject({ session });
});

test('a retry of a waiting pop asks the session for its outcome before it waits', async () => {
  const node = new QueueNode();
  const retry = { ...session, retry: true };
  const popped = node.pop({ queue: 'q', wait }, callContext({ session: retry }));
  await inLine(node, 1);
  expect(node.group.applied).toMatchObject([{ session: retry }]);
  await node.push('q', 'x');
  expect(payloadsOf(await popped)).toEqual(['x']);
  expect(node.group.applied.at(-1)?.session).toBeUndefined();
});

function holdingNode(): { node: QueueNode; group: HoldingGroup } {
  const node = new QueueNode(1, undefined, (queue, id) => new HoldingGroup({ queue }, id));
  return { node, group: node.group as HoldingGroup };
}

test('what was on its way to a caller who leaves its place in line is given back', async () => {
  const { node, group } = holdingNode();
  const caller = new AbortController();
  const popped = node.pop({ queue: 'q', wait }, callContext({ signal: caller.signal }));
  await inLine(node, 1);
  group.held = [];
  await node.push('q', 'x');
  await vi.waitFor(() => expect(group.held?.length).toBe(1), WAIT);
  caller.abort();
  await expect(popped).rejects.toMatchObject({ reason: ErrorReason.CANCELED });
  group.letGo();
  expect(await node.pop({ queue: 'q' })).toMatchObject([{ attempt: 1, deliveryId: 'q#1.2' }]);
});

test('a message that is on its way to the line does not go to one who comes just then', async () => {
  const node = new QueueNode();
  const first = node.pop({ queue: 'q', wait });
  await inLine(node, 1);
  const pushed = node.push('q', 'x');
  const newcomer = node.pop({ queue: 'q', wait: msToDuration(5) });
  await pushed;
  expect(payloadsOf(await first)).toEqual(['x']);
  expect(await newcomer).toEqual([]);
});

test('a pop that is on its way when the wait ends brings its message to the caller', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { node, group } = holdingNode();
    const popped = node.pop({ queue: 'q', wait });
    await inLine(node, 1);
    const pushed = node.push('q', 'x');
    group.held = [];
    await pushed;
    expect(group.held.length).toBe(1);
    vi.advanceTimersByTime(60_000);
    group.letGo();
    expect(payloadsOf(await popped)).toEqual(['x']);
  } finally {
    vi.useRealTimers();
  }
});

test('a pop that is refused for lack of room while it waits is tried again', async () => {
  const node = new QueueNode();
  const popped = node.pop({ queue: 'q', wait });
  await inLine(node, 1);
  node.group.refuseReads = false;
  const push = node.push('q', 'x');
  node.group.refusal = { reason: ErrorReason.OVERLOADED, message: 'full', retryAfter_ms: 1 };
  await push;
  await new Promise((resolve) => setImmediate(resolve));
  node.group.refusal = undefined;
  expect(payloadsOf(await popped)).toEqual(['x']);
});

test('those who wait on a node that leads no longer are told at once', async () => {
  const node = new QueueNode();
  const popped = node.pop({ queue: 'q', wait });
  await inLine(node, 1);
  node.group.isLeader = false;
  await expect(popped).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
});
