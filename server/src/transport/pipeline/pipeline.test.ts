import { describe, expect, it, test } from 'vitest';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import type { BidiStreamingMethod, CallContext, Method, Reply, UnaryMethod } from '../../services/method.ts';
import { callContext } from '../../services/testing/call.ts';
import { CALL_OVERHEAD_BYTES, InFlight } from '../interceptors/in-flight.ts';
import { CALLS_PER_FRAME_MAX } from './frames.ts';
import { pipelineMethod } from './pipeline.ts';
import { FakeStream } from './testing/fake-stream.ts';

const ECHO = 1;
const LATER = 2;
const BUG = 3;
const ANSWER_THEN_BUG = 4;
const TWICE = 5;

const MIB = 1024 * 1024;
const CANCELLED = 1;

/** A call that waits for its answer. */
interface Held {
  readonly payload: Uint8Array;
  readonly context: CallContext;
  readonly reply: Reply;
}

function unary(desc: UnaryMethod['desc'], number: number, handle: UnaryMethod['handle']): Method {
  return { kind: 'unary', desc, number, handle };
}

interface OpenOptions {
  readonly maxBytesPerClient?: number;
  readonly maxBytes?: number;
  readonly maxFrameBytes?: number;
  readonly context?: Partial<CallContext>;
}

/** A pipeline over methods that echo, wait for the test, or break, on a stream without a connection. */
function openPipeline(options: OpenOptions = {}) {
  const { maxBytesPerClient = 64 * MIB, maxBytes = 256 * MIB, maxFrameBytes = 16 * MIB } = options;
  const held: Held[] = [];
  const echoed: CallContext[] = [];
  const bugs: string[] = [];
  const metrics = new NodeMetrics();
  const inFlight = new InFlight({ maxBytesPerClient, maxBytes }, metrics.transport);
  const { get, set, delete: remove, increment, exists } = KVService.method;
  const methods = [
    unary(get, ECHO, (payload, context, reply) => {
      echoed.push(context);
      reply.ok(payload);
    }),
    unary(set, LATER, (payload, context, reply) => held.push({ payload, context, reply })),
    unary(remove, BUG, () => {
      throw new TypeError('a bug');
    }),
    unary(increment, ANSWER_THEN_BUG, (payload, _context, reply) => {
      reply.ok(payload);
      throw new TypeError('a late bug');
    }),
    unary(exists, TWICE, (payload, _context, reply) => {
      reply.ok(payload);
      reply.ok(payload);
    }),
  ];
  const method: BidiStreamingMethod = pipelineMethod(methods, {
    inFlight,
    metrics: metrics.rpc,
    batchCalls: metrics.transport.pipelineBatchCalls,
    maxFrameBytes,
    maxUnreadBytes: maxBytesPerClient,
    reportBug: (error, where) => bugs.push(`${where}: ${error instanceof Error ? error.message : error}`),
  });
  const stream = new FakeStream();
  method.handle(stream, callContext({ protocol: 'grpc', ...options.context }));
  const meter = (name: string) => metrics.rpc.method('gomsg.v1.KVService', name);
  return { stream, held, echoed, bugs, inFlight, meter };
}

/** Until the results of this turn are written. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What came of the calls, by id: the payload as text, or the reason of the failure. */
function outcomes({ results }: FakeStream): Record<number, string | undefined> {
  return Object.fromEntries(
    results.map(({ callId, payload, error }) => [
      callId,
      error === undefined ? Buffer.from(payload).toString() : ErrorReason[error.detail?.reason ?? 0],
    ]),
  );
}

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

test('only the first try of a call that was routed here can as well go elsewhere', () => {
  const { stream, held } = openPipeline();
  const twice = [
    { callId: 1, method: LATER },
    { callId: 2, method: LATER, retry: true },
  ];
  stream.receive(twice, { topologyEpoch: 7n });
  stream.receive(twice);
  expect(held.map(({ context }) => context.canGoElsewhere)).toEqual([true, false, false, false]);
});

describe('results', () => {
  it('of one turn share a frame, in the order in which they came', async () => {
    const { stream, held } = openPipeline();
    stream.receive([1, 2, 3].map((callId) => ({ callId, method: LATER })));
    expect(stream.frames).toEqual([]);
    for (const { reply } of [...held].reverse()) reply.ok(text('x'));
    await turn();
    expect(stream.frames).toHaveLength(1);
    expect(stream.answered).toEqual([3, 2, 1]);
  });

  it('of different turns do not wait for each other', async () => {
    const { stream, held } = openPipeline();
    stream.receive([
      { callId: 1, method: LATER },
      { callId: 2, method: LATER },
    ]);
    held[1]!.reply.ok(text('x'));
    await turn();
    held[0]!.reply.ok(text('x'));
    await turn();
    expect(stream.frames.map((frame) => frame.map(({ callId }) => callId))).toEqual([[2], [1]]);
  });

  it('carry the response or the typed failure', async () => {
    const { stream, held } = openPipeline();
    stream.receive([
      { callId: 7, method: ECHO, payload: text('payload') },
      { callId: 8, method: LATER },
    ]);
    held[0]!.reply.fail({ reason: ErrorReason.KEY_NOT_FOUND, message: 'no such key', subject: 'k' });
    await turn();
    expect(outcomes(stream)).toEqual({ 7: 'payload', 8: 'KEY_NOT_FOUND' });
    expect(stream.results[1]!.error).toMatchObject({
      code: 5,
      message: 'no such key',
      detail: { reason: ErrorReason.KEY_NOT_FOUND, subject: 'k' },
    });
  });

  it('are spread over frames of about a mebibyte, and one that is larger has its own', async () => {
    const { stream, held } = openPipeline();
    const sizes = [0.6, 0.6, 3, 0.2, 0.2].map((mebibytes) => mebibytes * MIB);
    stream.receive(sizes.map((_, callId) => ({ callId, method: LATER })));
    for (const [position, size] of sizes.entries()) held[position]!.reply.ok(new Uint8Array(size));
    await turn();
    expect(stream.frames.map((frame) => frame.map(({ callId }) => callId))).toEqual([[0], [1], [2], [3, 4]]);
  });

  it('that no frame can carry become a failure, and the stream lives', async () => {
    const { stream, held } = openPipeline({ maxFrameBytes: 2 * MIB });
    stream.receive([
      { callId: 1, method: LATER },
      { callId: 2, method: LATER },
    ]);
    held[0]!.reply.ok(new Uint8Array(2 * MIB));
    held[1]!.reply.ok(text('fits'));
    await turn();
    expect(outcomes(stream)).toEqual({ 1: 'BATCH_TOO_LARGE', 2: 'fits' });
    expect(stream.ended).toBeUndefined();
  });
});

describe('a client that does not read', () => {
  it('is not read from, has its waiting calls kept, and gets everything once it reads again', async () => {
    const { stream, held, echoed } = openPipeline();
    stream.room = 1;
    stream.receive([{ callId: 1, method: ECHO }]);
    await turn();
    expect(stream.paused).toBe(true);
    // What was under way when reading was paused still arrives.
    stream.receive([
      { callId: 2, method: ECHO },
      { callId: 3, method: LATER },
    ]);
    await turn();
    expect(echoed).toHaveLength(1);
    expect(held).toHaveLength(0);
    stream.drain();
    expect(stream.paused).toBe(false);
    held[0]!.reply.ok(text('x'));
    await turn();
    expect(stream.answered).toEqual([1, 2, 3]);
  });

  it('has its waiting calls begun one after the other, as it takes their results', async () => {
    const { stream, echoed } = openPipeline();
    const payload = new Uint8Array(0.7 * MIB);
    stream.room = 1;
    stream.receive([{ callId: 0, method: ECHO }]);
    await turn();
    stream.receive([1, 2, 3, 4, 5].map((callId) => ({ callId, method: ECHO, payload })));
    stream.drain(1);
    await turn();
    // The second result filled the first frame; the third is on its way into the next.
    expect(echoed.length).toBeLessThan(5);
    expect(stream.paused).toBe(true);
    for (let drains = 0; drains < 6; drains++) {
      stream.drain(1);
      await turn();
    }
    expect(stream.answered).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('gets what gathered meanwhile in frames that a client takes', async () => {
    const { stream, held } = openPipeline();
    stream.receive(Array.from({ length: 41 }, (_, callId) => ({ callId, method: LATER })));
    stream.room = 1;
    held[0]!.reply.ok(text('x'));
    await turn();
    for (const { reply } of held.slice(1)) reply.ok(new Uint8Array(0.5 * MIB));
    await turn();
    expect(stream.frames).toHaveLength(1);
    stream.drain();
    await turn();
    expect(stream.answered).toHaveLength(41);
    expect(Math.max(...stream.frameBytes)).toBeLessThan(1.1 * MIB);
  });

  it('is cut off once it leaves more unread than it may hold', async () => {
    const { stream, held, inFlight } = openPipeline({ maxBytesPerClient: 4 * MIB });
    stream.receive(Array.from({ length: 20 }, (_, callId) => ({ callId, method: LATER })));
    stream.room = 1;
    for (const { reply } of held.slice(0, 10)) reply.ok(new Uint8Array(MIB));
    await turn();
    expect(stream.ended).toMatchObject({ reason: ErrorReason.OVERLOADED });
    // Later answers, and what still arrives, go nowhere and leave nothing behind.
    for (const { reply } of held.slice(10)) reply.ok(new Uint8Array(MIB));
    stream.receive([{ callId: 99, method: ECHO }]);
    stream.close();
    await turn();
    expect(inFlight.totalBytes).toBe(0);
  });

  it('may leave one large result unread, however little it may hold', async () => {
    const { stream, held } = openPipeline({ maxBytesPerClient: 64 * 1024 });
    stream.receive([1, 2].map((callId) => ({ callId, method: LATER })));
    stream.room = 1;
    held[0]!.reply.ok(text('x'));
    await turn();
    held[1]!.reply.ok(new Uint8Array(4 * MIB));
    await turn();
    stream.receive([{ callId: 3, method: ECHO }]);
    stream.drain();
    await turn();
    expect(stream.ended).toBeUndefined();
    expect(stream.answered).toEqual([1, 2, 3]);
  });

  it('has its unread results counted as in flight until it takes them', async () => {
    const { stream, held, inFlight } = openPipeline();
    stream.receive([1, 2, 3, 4].map((callId) => ({ callId, method: LATER })));
    stream.room = 1;
    held[0]!.reply.ok(text('x'));
    await turn();
    for (const { reply } of held.slice(1)) reply.ok(new Uint8Array(MIB));
    await turn();
    expect(inFlight.totalBytes).toBeGreaterThan(2 * MIB);
    stream.drain();
    await turn();
    expect(inFlight.totalBytes).toBe(0);
  });

  it('does not get calls begun whose deadline passed while they waited', async () => {
    const { stream, echoed } = openPipeline();
    stream.room = 1;
    stream.receive([{ callId: 1, method: ECHO }]);
    await turn();
    stream.receive([
      { callId: 2, method: ECHO, timeoutMs: 1 },
      { callId: 3, method: ECHO, timeoutMs: 3_600_000 },
    ]);
    const passed = Date.now() + 2;
    await expect.poll(() => Date.now()).toBeGreaterThan(passed);
    stream.drain();
    await turn();
    expect(echoed).toHaveLength(2);
    expect(outcomes(stream)).toEqual({ 1: '', 2: 'DEADLINE_EXCEEDED', 3: '' });
  });
});

describe('the end', () => {
  it('comes after the last answer when the client half-closes', async () => {
    const { stream, held } = openPipeline();
    stream.receive([
      { callId: 1, method: LATER },
      { callId: 2, method: LATER },
    ]);
    stream.halfClose();
    held[0]!.reply.ok(text('x'));
    await turn();
    expect(stream.ended).toBeUndefined();
    held[1]!.reply.ok(text('x'));
    await turn();
    expect(stream.answered).toEqual([1, 2]);
    expect(stream.ended).toBe('ok');
  });

  it('comes after the last answer when the port drains, and what arrives until then is refused', async () => {
    const { stream, held } = openPipeline();
    stream.receive([{ callId: 1, method: LATER }]);
    stream.beginDraining();
    stream.receive([{ callId: 2, method: ECHO }]);
    await turn();
    expect(stream.results).toMatchObject([
      { callId: 2, error: { detail: { reason: ErrorReason.DRAINING } } },
    ]);
    expect(stream.ended).toBeUndefined();
    held[0]!.reply.ok(new Uint8Array());
    await turn();
    expect(stream.answered).toEqual([2, 1]);
    expect(stream.ended).toBe('ok');
  });

  it('comes at once when nothing is open', () => {
    const { stream } = openPipeline();
    stream.halfClose();
    expect(stream.ended).toBe('ok');
  });

  it('waits for calls and results that a client has yet to take', async () => {
    const { stream, held } = openPipeline();
    stream.receive([1, 2].map((callId) => ({ callId, method: LATER })));
    stream.room = 1;
    held[0]!.reply.ok(text('x'));
    await turn();
    stream.receive([{ callId: 3, method: ECHO }]);
    stream.halfClose();
    held[1]!.reply.ok(text('x'));
    await turn();
    expect(stream.ended).toBeUndefined();
    stream.drain();
    await turn();
    expect(stream.answered).toEqual([1, 2, 3]);
    expect(stream.ended).toBe('ok');
  });

  it('by a connection that breaks gives everything back, and later answers go nowhere', async () => {
    const { stream, held, inFlight, meter } = openPipeline();
    stream.receive([{ callId: 1, method: LATER }]);
    stream.room = 1;
    stream.receive([{ callId: 2, method: ECHO }]);
    await turn();
    stream.receive([{ callId: 3, method: ECHO }]);
    stream.close();
    held[0]!.reply.ok(text('x'));
    await turn();
    expect(stream.answered).toEqual([2]);
    expect(inFlight.totalBytes).toBe(0);
    // The call that was never begun counts as abandoned.
    expect(meter('Get').started.value).toBe(2);
    expect(meter('Get').handledTotal).toBe(2);
    expect(meter('Get').handled[CANCELLED]?.count).toBe(1);
  });
});

describe('calls that are refused', () => {
  it.each([
    ['one that does not exist', { method: 999 }, {}, ErrorReason.METHOD_NOT_FOUND],
    ['one with a sequence and no session', { method: ECHO, sequence: 4n }, {}, ErrorReason.INVALID_REQUEST],
  ])('%s', async (_name, call, frame, reason) => {
    const { stream, inFlight } = openPipeline();
    stream.receive([{ callId: 5, ...call }], frame);
    await turn();
    expect(outcomes(stream)).toEqual({ 5: ErrorReason[reason] });
    expect(inFlight.totalBytes).toBe(0);
    expect(stream.ended).toBeUndefined();
  });

  it('for lack of room do not disturb the others', async () => {
    const { stream, held, inFlight } = openPipeline({ maxBytesPerClient: 2 * CALL_OVERHEAD_BYTES });
    stream.receive([1, 2, 3].map((callId) => ({ callId, method: LATER })));
    await turn();
    expect(outcomes(stream)).toEqual({ 3: 'OVERLOADED' });
    expect(held).toHaveLength(2);
    for (const { reply } of held) reply.ok(text('x'));
    expect(inFlight.totalBytes).toBe(0);
    stream.receive([{ callId: 4, method: LATER }]);
    expect(held).toHaveLength(3);
  });
});

describe('frames', () => {
  it('that are malformed end the stream, and nothing that comes behind them is begun', async () => {
    const { stream, held, echoed, inFlight } = openPipeline();
    stream.receive([{ callId: 1, method: LATER }]);
    stream.receiveBytes(new Uint8Array([0x1a, 0x05, 0x01]));
    expect(stream.ended).toMatchObject({ reason: ErrorReason.INVALID_REQUEST });
    stream.receive([{ callId: 2, method: ECHO }]);
    held[0]!.reply.ok(text('x'));
    await turn();
    expect(echoed).toHaveLength(0);
    expect(stream.frames).toEqual([]);
    expect(inFlight.totalBytes).toBe(0);
  });

  it('of more calls than a frame may have end the stream before any is begun', () => {
    const { stream, echoed } = openPipeline();
    const emptyCall = [0x1a, 0x00];
    stream.receiveBytes(
      Uint8Array.from(
        Array(CALLS_PER_FRAME_MAX + 1)
          .fill(emptyCall)
          .flat(),
      ),
    );
    expect(stream.ended).toMatchObject({ reason: ErrorReason.INVALID_REQUEST });
    expect(echoed).toHaveLength(0);
  });

  it('without calls are no mistake', async () => {
    const { stream } = openPipeline();
    stream.receive([]);
    await turn();
    expect(stream.frames).toEqual([]);
    expect(stream.ended).toBeUndefined();
  });
});

describe('what a handler sees of a call', () => {
  it('is its place in the session, the deadline and the connection', () => {
    const header = (name: string) => (name === 'authorization' ? 'secret' : undefined);
    const { stream, held } = openPipeline({ context: { peer: '10.0.0.1:4711', header } });
    const before = Date.now();
    stream.receive(
      [
        { callId: 1, method: LATER, sequence: 12n, retry: true, timeoutMs: 5000 },
        { callId: 2, method: LATER },
      ],
      { sessionId: 2n ** 63n + 5n, answeredBelow: 9n },
    );
    const [inSession, plain] = held.map(({ context }) => context);
    expect(inSession).toMatchObject({ protocol: 'pipeline', peer: '10.0.0.1:4711' });
    expect(inSession!.header('authorization')).toBe('secret');
    expect(inSession!.deadline_ms).toBeGreaterThanOrEqual(before + 5000);
    expect(inSession!.session).toMatchObject({
      sessionId: 2n ** 63n + 5n,
      sequence: 12,
      answeredBelow: 9,
      retry: true,
    });
    expect(plain!.session).toBeUndefined();
    expect(plain!.deadline_ms).toBeUndefined();
  });

  it('does not keep its frame alive while it waits for the answer', () => {
    const { stream, held } = openPipeline();
    stream.receive([{ callId: 1, method: LATER, payload: text('payload') }]);
    const { context, payload } = held[0]!;
    expect(payload).toEqual(text('payload'));
    expect(Object.values(context)).not.toContain(payload);
  });
});

describe('a handler with a bug', () => {
  it('fails its own call and is reported', async () => {
    const { stream, bugs } = openPipeline();
    stream.receive([
      { callId: 1, method: BUG },
      { callId: 2, method: ECHO },
    ]);
    await turn();
    expect(outcomes(stream)).toEqual({ 1: 'INTERNAL', 2: '' });
    expect(bugs).toEqual(['/gomsg.v1.KVService/Delete: a bug']);
  });

  it.each([
    ['breaks behind its answer', ANSWER_THEN_BUG],
    ['answers twice', TWICE],
  ])('that %s gives one result all the same', async (_name, method) => {
    const { stream, inFlight } = openPipeline();
    stream.receive([{ callId: 1, method, payload: text('first') }]);
    stream.halfClose();
    await turn();
    expect(stream.results).toHaveLength(1);
    expect(outcomes(stream)).toEqual({ 1: 'first' });
    expect(stream.ended).toBe('ok');
    expect(inFlight.totalBytes).toBe(0);
  });
});
