/** Calls and streams that are passed on over links between real ports. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ErrorReason, GomsgError } from '../../services/errors.ts';
import type { Reply } from '../../services/method.ts';
import type { Failure, Outcome } from '../../state/failure.ts';
import type { ReceivedCall } from './forwarded-call.ts';
import { LINK_DEFAULTS } from './options.ts';
import {
  failureIn,
  type LinkedNode,
  openNode,
  openNodes,
  outcomeOf,
  textCall,
  textOf,
  untilDown,
  untilStill,
  untilUp,
  WAIT,
} from './testing/linked-nodes.ts';
import { TcpProxy } from './testing/tcp-proxy.ts';

/** Node 1 reaches node 2 through a proxy. */
async function pairBehindProxy(
  options: Parameters<typeof openNode>[1] = {},
): Promise<{ one: LinkedNode; two: LinkedNode; proxy: TcpProxy }> {
  const one = await openNode(1, options);
  const two = await openNode(2, options);
  const proxy = await TcpProxy.open(() => ({ host: '127.0.0.1', port: two.port.port }));
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  one.knows(two, proxy.address);
  two.knows(one);
  one.link();
  await untilUp(one, two);
  return { one, two, proxy };
}

describe('a unary call', () => {
  test('arrives whole and gets its answer', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const session = { sessionId: 2n ** 63n + 5n, sequence: 8, answeredBelow: 3, retry: true };
    const call = textCall('hello', { session, timeout_ms: 5000, headers: { 'x-a': 'b' }, method: 307 });
    expect(textOf(await outcomeOf(one, two, call))).toBe('hello');
    expect(two.calls[0]).toMatchObject({ from: 1, method: 307, session, timeout_ms: 5000 });
    expect({ ...two.calls[0]!.headers }).toEqual({ 'x-a': 'b' });
    expect(two.calls[0]!.signal.aborted).toBe(false);
  });

  test('gets the failure of the other node with all that belongs to it', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const failure: Failure = {
      reason: ErrorReason.OFFSET_OUT_OF_RANGE,
      message: 'partition 3 has offsets 0 to 17',
      subject: 'topic',
      oldestAvailable: 0,
      newestAvailable: 17,
      retryAfter_ms: 250,
    };
    two.onCall = (_call, reply) => reply.fail(failure);
    expect(await outcomeOf(one, two, textCall('x'))).toEqual(failure);
  });

  test('is one of many: answers come in any order, each to its own', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const held: [ReceivedCall, Reply][] = [];
    two.onCall = (call, reply) => held.push([call, reply]);
    const COUNT = 10_000;
    const outcomes = Array.from({ length: COUNT }, (_, position) =>
      outcomeOf(one, two, textCall(`${position}`)),
    );
    await vi.waitFor(() => expect(held).toHaveLength(COUNT), WAIT);
    expect(held.map(([call]) => Number(textOf(call.payload)))).toEqual([...Array(COUNT).keys()]);
    for (const [call, reply] of held.reverse()) reply.ok(call.payload);
    const texts = (await Promise.all(outcomes)).map(textOf);
    expect(texts).toEqual(Array.from({ length: COUNT }, (_, position) => `${position}`));
  });

  test('may be as large as a frame, past which it is refused before it is sent', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const large = { method: 101, payload: new Uint8Array(10 * 1024 * 1024).fill(3) };
    const answer = await outcomeOf(one, two, large);
    expect(answer instanceof Uint8Array && Buffer.compare(answer, large.payload)).toBe(0);
    const tooLarge = { method: 101, payload: new Uint8Array(16 * 1024 * 1024) };
    expect(failureIn(await outcomeOf(one, two, tooLarge)).reason).toBe(ErrorReason.BATCH_TOO_LARGE);
    expect(two.calls).toHaveLength(1);
  });

  test('whose answer is larger than a frame fails, and the link stays', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onCall = (_call, reply) => reply.ok(new Uint8Array(16 * 1024 * 1024));
    expect(failureIn(await outcomeOf(one, two, textCall('x'))).reason).toBe(ErrorReason.INTERNAL);
    expect(one.links.isLinked(2)).toBe(true);
  });

  test('to a node that is not linked fails at once and says that nothing was sent', async () => {
    const one = await openNode(1);
    const two = await openNode(2);
    const unknown = failureIn(await outcomeOf(one, two, textCall('x')));
    expect(unknown).toMatchObject({
      reason: ErrorReason.NOT_LEADER,
      message: expect.stringMatching(/nothing was sent/),
    });
    const { one: first, two: second, proxy } = await pairBehindProxy();
    proxy.cut();
    await untilDown(first, second);
    const down = failureIn(await outcomeOf(first, second, textCall('x')));
    expect(down).toMatchObject({
      reason: ErrorReason.NOT_LEADER,
      message: expect.stringMatching(/nothing was sent/),
    });
    expect(second.calls).toEqual([]);
  });

  test('under way when the link is lost fails and says that it may have been carried out', async () => {
    const { one, two, proxy } = await pairBehindProxy();
    two.onCall = () => {};
    const outcome = outcomeOf(one, two, textCall('x'));
    await vi.waitFor(() => expect(two.calls).toHaveLength(1), WAIT);
    proxy.cut();
    const failure = failureIn(await outcome);
    expect(failure.reason).toBe(ErrorReason.NO_QUORUM);
    expect(failure.message).toMatch(/may have been carried out/);
    await vi.waitFor(() => expect(two.calls[0]!.signal.aborted).toBe(true), WAIT);
  });

  test('that still waits to be sent when the link is lost was not sent', async () => {
    const { one, two, proxy } = await pairBehindProxy({
      limits: { maxUnsentBytes: 64 * 1024, frameBytes: 64 * 1024 },
    });
    two.onCall = () => {};
    proxy.silence();
    const payload = new Uint8Array(1024 * 1024);
    const outcomes = Array.from({ length: 40 }, () => outcomeOf(one, two, { method: 101, payload }));
    // The connection takes some of them and no more.
    await new Promise((resolve) => setImmediate(resolve));
    proxy.cut();
    const failures = (await Promise.all(outcomes)).map(failureIn);
    expect(failures.at(-1)).toMatchObject({
      reason: ErrorReason.NOT_LEADER,
      message: expect.stringMatching(/nothing was sent/),
    });
    expect(failures[0]!.reason).toBe(ErrorReason.NO_QUORUM);
  });

  test('past its deadline fails and tells the other node', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onCall = () => {};
    const began_ms = performance.now();
    const failure = failureIn(await outcomeOf(one, two, textCall('x', { timeout_ms: 100 })));
    expect(failure.reason).toBe(ErrorReason.DEADLINE_EXCEEDED);
    expect(performance.now() - began_ms).toBeGreaterThanOrEqual(99);
    await vi.waitFor(() => expect(two.calls[0]!.signal.aborted).toBe(true), WAIT);
  });

  test('that is cancelled gets no answer, and the other node is told', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const replies: Reply[] = [];
    two.onCall = (_call, reply) => replies.push(reply);
    const answers: Outcome[] = [];
    const take = (outcome: Outcome) => void answers.push(outcome);
    const handle = one.links.call(2, textCall('x'), { ok: take, fail: take });
    await vi.waitFor(() => expect(two.calls).toHaveLength(1), WAIT);
    handle.cancel();
    handle.cancel();
    await vi.waitFor(() => expect(two.calls[0]!.signal.aborted).toBe(true), WAIT);
    expect(two.calls[0]!.signal.reason).toMatchObject({ reason: ErrorReason.CANCELED });
    replies[0]!.ok(Buffer.from('too late'));
    two.onCall = (call, reply) => reply.ok(call.payload);
    expect(textOf(await outcomeOf(one, two, textCall('next')))).toBe('next');
    expect(answers).toEqual([]);
  });

  test('that is cancelled before it is sent never arrives', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const none = () => {};
    one.links.call(2, textCall('cancelled'), { ok: none, fail: none }).cancel();
    expect(textOf(await outcomeOf(one, two, textCall('next')))).toBe('next');
    expect(two.calls.map((call) => textOf(call.payload))).toEqual(['next']);
  });

  test('past the bounds of calls under way is refused, and there is room again when they are answered', async () => {
    const [one, two] = (await openNodes(2, { limits: { maxCalls: 10, maxCallBytes: 5_000 } })) as [
      LinkedNode,
      LinkedNode,
    ];
    const held: Reply[] = [];
    two.onCall = (_call, reply) => held.push(reply);
    const many = Array.from({ length: 11 }, () => outcomeOf(one, two, textCall('x')));
    expect(failureIn(await many.pop()!).reason).toBe(ErrorReason.OVERLOADED);
    await vi.waitFor(() => expect(held).toHaveLength(10), WAIT);
    for (const reply of held.splice(0)) reply.ok(new Uint8Array(0));
    expect((await Promise.all(many)).every((outcome) => outcome instanceof Uint8Array)).toBe(true);
    const large = outcomeOf(one, two, { method: 101, payload: new Uint8Array(20_000) });
    expect(failureIn(await outcomeOf(one, two, textCall('x'))).reason).toBe(ErrorReason.OVERLOADED);
    await vi.waitFor(() => expect(held).toHaveLength(1), WAIT);
    held[0]!.ok(new Uint8Array(0));
    expect(await large).toHaveLength(0);
  });

  test('whose handler throws fails with INTERNAL, and the node goes on', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onCall = () => {
      throw new TypeError('a bug in the handler');
    };
    expect(failureIn(await outcomeOf(one, two, textCall('x'))).reason).toBe(ErrorReason.INTERNAL);
    expect(two.bugs).toEqual([expect.stringMatching(/a bug in the handler/)]);
    two.onCall = (call, reply) => reply.ok(call.payload);
    expect(textOf(await outcomeOf(one, two, textCall('next')))).toBe('next');
  });

  test('under way when the port drains is answered', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const held: Reply[] = [];
    two.onCall = (_call, reply) => held.push(reply);
    const outcome = outcomeOf(one, two, textCall('x'));
    await vi.waitFor(() => expect(held).toHaveLength(1), WAIT);
    const drained = two.port.drain(5_000);
    held[0]!.ok(Buffer.from('answered'));
    expect(textOf(await outcome)).toBe('answered');
    one.links.close();
    await drained;
  });
});

/** A producer that counts what is asked of it. */
class Producer implements AsyncIterable<Uint8Array> {
  pulled = 0;
  returned = 0;
  readonly #give: (position: number) => Promise<Uint8Array | undefined>;

  constructor(give: (position: number) => Promise<Uint8Array | undefined>) {
    this.#give = give;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const value = await this.#give(this.pulled++);
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => {
        this.returned += 1;
        return { done: true, value: undefined };
      },
    };
  }
}

describe('a server-streaming call', () => {
  test('gives everything in order, and then its end', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const COUNT = 5_000;
    const calls: ReceivedCall[] = [];
    two.onStream = (call) => {
      calls.push(call);
      return new Producer(async (position) => (position < COUNT ? Buffer.from(`${position}`) : undefined));
    };
    const texts: string[] = [];
    for await (const message of one.links.stream(2, textCall('all', { method: 205 })))
      texts.push(textOf(message));
    expect(texts).toEqual(Array.from({ length: COUNT }, (_, position) => `${position}`));
    expect(calls[0]).toMatchObject({ from: 1, method: 205 });
    expect(textOf(calls[0]!.payload)).toBe('all');
    await vi.waitFor(() => expect(one.links.open.forwardedStreams).toBe(0), WAIT);
  });

  test('may give empty messages', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onStream = () => new Producer(async (position) => (position < 3 ? new Uint8Array(0) : undefined));
    let count = 0;
    for await (const message of one.links.stream(2, textCall(''))) {
      expect(message).toHaveLength(0);
      count += 1;
    }
    expect(count).toBe(3);
  });

  test('fails with the failure of the other node, behind what came before it', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    two.onStream = () =>
      new Producer(async (position) => {
        if (position === 2)
          throw new GomsgError({ reason: ErrorReason.COMPACTED, message: 'too old', oldestAvailable: 9 });
        return Buffer.from('x');
      });
    const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    expect((await messages.next()).done).toBe(false);
    expect((await messages.next()).done).toBe(false);
    await expect(messages.next()).rejects.toMatchObject({
      reason: ErrorReason.COMPACTED,
      oldestAvailable: 9,
    });
    expect(two.bugs).toEqual([]);
  });

  test('holds its producer back while nobody reads, and stops it when the reader leaves', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const producer = new Producer(async () => new Uint8Array(64 * 1024));
    let received: ReceivedCall | undefined;
    two.onStream = (call) => {
      received = call;
      return producer;
    };
    const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    await messages.next();
    await untilStill(() => producer.pulled);
    // The windows of connection and stream, and what each end may hold: not without bound.
    expect(producer.pulled).toBeLessThan(400);
    const stopped = producer.pulled;
    for (let count = 0; count < 200; count++) await messages.next();
    await vi.waitFor(() => expect(producer.pulled).toBeGreaterThan(stopped), WAIT);
    await messages.return?.();
    await vi.waitFor(() => expect(producer.returned).toBe(1), WAIT);
    expect(received!.signal.aborted).toBe(true);
    await vi.waitFor(() => expect(two.port.openStreams).toBe(1), WAIT);
  });

  test('can be left while it waits for a message', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const producer = new Producer(() => new Promise(() => {}));
    two.onStream = () => producer;
    const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    const next = messages.next();
    await vi.waitFor(() => expect(producer.pulled).toBe(1), WAIT);
    await messages.return?.();
    expect((await next).done).toBe(true);
    await vi.waitFor(() => expect(producer.returned).toBe(1), WAIT);
  });

  test('fails when the link is lost', async () => {
    const { one, two, proxy } = await pairBehindProxy();
    const producer = new Producer((position) =>
      position === 0 ? Promise.resolve(Buffer.from('x')) : new Promise(() => {}),
    );
    two.onStream = () => producer;
    const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    await messages.next();
    proxy.cut();
    await expect(messages.next()).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
    await vi.waitFor(() => expect(producer.returned).toBe(1), WAIT);
  });

  test('to a node that is not linked says that nothing was sent', async () => {
    const one = await openNode(1);
    expect(() => one.links.stream(2, textCall(''))[Symbol.asyncIterator]()).toThrow(/nothing was sent/);
  });

  test('ends with DRAINING when the other node shuts down', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const producer = new Producer((position) =>
      position === 0 ? Promise.resolve(Buffer.from('x')) : new Promise(() => {}),
    );
    two.onStream = () => producer;
    const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    await messages.next();
    const next = messages.next();
    const drained = two.port.drain(5_000);
    await expect(next).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
    expect(producer.returned).toBe(1);
    one.links.close();
    await drained;
  });

  test('whose responses nobody reads holds up neither calls nor other streams', async () => {
    const [one, two] = (await openNodes(2)) as [LinkedNode, LinkedNode];
    const endless = new Producer(async () => new Uint8Array(64 * 1024));
    const quiet = new Producer(async () => Buffer.from('quiet'));
    two.onStream = ({ payload }) => (payload.length > 0 ? endless : quiet);
    const unread = one.links.stream(2, textCall('endless'))[Symbol.asyncIterator]();
    await unread.next();
    await untilStill(() => endless.pulled);
    expect(textOf(await outcomeOf(one, two, textCall('meanwhile', { timeout_ms: 2_000 })))).toBe('meanwhile');
    const other = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
    expect(Buffer.from((await other.next()).value!).toString()).toBe('quiet');
    await unread.return?.();
  });

  test('past the bound of streams to a node is refused', async () => {
    const [one, two] = (await openNodes(2, { limits: { maxForwardedStreams: 2 } })) as [
      LinkedNode,
      LinkedNode,
    ];
    two.onStream = () => new Producer(() => new Promise(() => {}));
    const open = [1, 2].map(() => one.links.stream(2, textCall(''))[Symbol.asyncIterator]());
    expect(() => one.links.stream(2, textCall(''))[Symbol.asyncIterator]()).toThrow(/already/);
    for (const messages of open) await messages.return?.();
    await vi.waitFor(() => expect(one.links.open.forwardedStreams).toBe(0), WAIT);
  });

  test('has its place whatever other nodes pass on', async () => {
    const nodes = await openNodes(3, { limits: { maxForwardedStreams: 2 } });
    nodes[2]!.onStream = () =>
      new Producer((position) =>
        position === 0 ? Promise.resolve(Buffer.from('begun')) : new Promise(() => {}),
      );
    const open = [0, 0, 1, 1].map((from) =>
      nodes[from]!.links.stream(3, textCall(''))[Symbol.asyncIterator](),
    );
    for (const messages of open) {
      expect(Buffer.from((await messages.next()).value!).toString()).toBe('begun');
    }
    for (const messages of open) await messages.return?.();
  });
});

test('what a node passed on ends once it was silent for as long as a link to it would stand', async () => {
  let now_ms = 0;
  const [one, two] = (await openNodes(2, { monotonic: () => now_ms })) as [LinkedNode, LinkedNode];
  const producer = new Producer((position) =>
    position === 0 ? Promise.resolve(Buffer.from('x')) : new Promise(() => {}),
  );
  two.onStream = () => producer;
  two.onCall = () => {};
  const messages = one.links.stream(2, textCall(''))[Symbol.asyncIterator]();
  await messages.next();
  const outcome = outcomeOf(one, two, textCall('waits'));
  await vi.waitFor(() => expect(two.calls).toHaveLength(1), WAIT);
  const { signal } = two.calls[0]!;
  now_ms += LINK_DEFAULTS.keepaliveInterval_ms + LINK_DEFAULTS.keepaliveTimeout_ms - 1;
  two.links.endSilent();
  expect([signal.aborted, producer.returned]).toEqual([false, 0]);
  now_ms += 1;
  two.links.endSilent();
  expect([signal.aborted, producer.returned]).toEqual([true, 1]);
  // Should it live after all, it is told.
  expect(await outcome).toMatchObject({ reason: ErrorReason.NO_QUORUM });
  await expect(messages.next()).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
});
