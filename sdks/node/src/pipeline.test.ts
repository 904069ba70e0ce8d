import { describe, expect, test } from 'vitest';
import { ErrorReason, GomsgError } from './errors.ts';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { SESSION_SPAN_MAX } from './pipeline/session.ts';
import { PipelineClient, type PipelineOptions } from './pipeline.ts';
import { type FakePipeline, failure, methodNumbers, serveFakePipeline } from './testing/fake-pipeline.ts';

const { get, increment } = KVService.method;

/** A client with short waits, closed at the end of the scope whether or not its calls were answered. */
function clientOf(fake: Pick<FakePipeline, 'address'>, options: PipelineOptions = {}) {
  const client = new PipelineClient({
    address: fake.address,
    retryDelay_ms: 1,
    maxRetryDelay_ms: 10,
    ...options,
  });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close(0) });
}

async function failed(call: Promise<unknown>): Promise<GomsgError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(GomsgError);
  return error as GomsgError;
}

const writes = (fake: FakePipeline) => fake.calls.filter(({ method }) => method === methodNumbers.increment);

describe('calls of one turn', () => {
  test('share a frame, and each gets its own answer whatever the order', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    await client.call(get, { key: 'connects' });
    fake.rule = () => 'hold';
    const answers = ['a', 'b', 'c'].map((key) => client.call(get, { key }));
    await fake.until(() => fake.held === 3);
    expect(fake.frames).toHaveLength(2);
    expect(fake.frames[1]!.calls).toHaveLength(3);
    fake.release();
    const values = (await Promise.all(answers)).map(({ value }) => Buffer.from(value).toString());
    expect(values).toEqual(['value of a', 'value of b', 'value of c']);
  });

  test('that are more than a frame may hold go in several', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ payload }) => ({ payload: payload.subarray(0, 0) });
    const key = 'k'.repeat(400 * 1024);
    await Promise.all(Array.from({ length: 5 }, () => client.call(get, { key })));
    expect(fake.frames.map(({ calls }) => calls.length)).toEqual([2, 2, 1]);
  });

  test('give bytes that share no memory with the frame', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    const [{ value }] = await Promise.all([client.call(get, { key: 'a' }), client.call(get, { key: 'b' })]);
    expect(value.buffer.byteLength).toBeLessThan(32);
  });
});

describe('writes', () => {
  test('open one session, count up in it, and say up to where answers arrived', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    await Promise.all([client.call(increment, { key: 'n' }), client.call(increment, { key: 'n' })]);
    await client.call(increment, { key: 'n' });
    expect(fake.openedSessions).toHaveLength(1);
    expect(writes(fake).map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
    const last = fake.frames.at(-1)!;
    expect(last.sessionId).toBe(fake.openedSessions[0]);
    expect(last.answeredBelow).toBe(3n);
  });

  test('are not in the way of reads while the session is being opened', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ method }) => (method === methodNumbers.openSession ? 'hold' : undefined);
    const write = client.call(increment, { key: 'n' });
    await client.call(get, { key: 'a' });
    expect(writes(fake)).toHaveLength(0);
    fake.release();
    expect((await write).value).toBe(1n);
  });

  test('all fail when no session can be opened, and the next one tries again', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ method }) =>
      method === methodNumbers.openSession
        ? failure(13, ErrorReason.INTERNAL, 'no sessions today')
        : undefined;
    const calls = [client.call(increment, { key: 'n' }), client.call(increment, { key: 'n' })];
    for (const call of calls) expect((await failed(call)).message).toContain('no sessions today');
    fake.rule = () => undefined;
    expect((await client.call(increment, { key: 'n' })).value).toBe(1n);
  });

  test('go on in a new session when a slow one holds the span of theirs', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ sequence }, { sessionId }) =>
      sequence === 1n && sessionId === fake.openedSessions[0] ? 'hold' : undefined;
    const slow = client.call(increment, { key: 'slow' });
    for (let done = 0; done < SESSION_SPAN_MAX + 8; done += 1024) {
      await Promise.all(Array.from({ length: 1024 }, () => client.call(increment, { key: 'n' })));
    }
    expect(fake.openedSessions).toHaveLength(2);
    expect(fake.closedSessions).toEqual([]);
    fake.release();
    await slow;
    await fake.until(() => fake.closedSessions.length === 1);
    expect(fake.closedSessions).toEqual([fake.openedSessions[0]]);
  });
});

describe('a session that cannot be opened', () => {
  test('because the connection breaks is asked for again', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => 'hold';
    const write = client.call(increment, { key: 'n' });
    await fake.until(() => fake.held === 1);
    fake.rule = () => undefined;
    fake.stop();
    await fake.start();
    expect((await write).value).toBe(1n);
  });

  test('because no node leads is asked for again', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    let refusals = 2;
    fake.rule = ({ method }) =>
      method === methodNumbers.openSession && refusals-- > 0
        ? failure(14, ErrorReason.NO_QUORUM, 'an election')
        : undefined;
    expect((await client.call(increment, { key: 'n' })).value).toBe(1n);
  });

  test('fails the writes that wait for it, each by its name', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ method }) =>
      method === methodNumbers.openSession ? failure(8, ErrorReason.DISK_FULL, 'no space') : undefined;
    expect(await failed(client.call(increment, { key: 'n' }))).toMatchObject({
      reason: ErrorReason.DISK_FULL,
      method: 'gomsg.v1.KVService/Increment',
      message: expect.not.stringContaining('may still be applied'),
    });
  });
});

describe('a broken connection', () => {
  test('is mended: reads are repeated, writes are repeated as retries and apply once', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    await client.call(increment, { key: 'n' });
    // Applied, but the answer is lost with the connection.
    fake.rule = (call, frame) => {
      if (call.method === methodNumbers.increment && !call.retry) {
        fake.counters.set('n', 2n);
        fake.remember(frame, call, 2n);
      }
      return 'hold';
    };
    const write = client.call(increment, { key: 'n' });
    const read = client.call(get, { key: 'a' });
    await fake.until(() => fake.held === 2);
    fake.rule = () => undefined;
    fake.stop();
    await fake.start();
    expect((await write).value).toBe(2n);
    expect(Buffer.from((await read).value).toString()).toBe('value of a');
    expect(fake.counters.get('n')).toBe(2n);
    const [, first, again] = writes(fake);
    expect(again!.sequence).toBe(first!.sequence);
    expect([first!.retry, again!.retry]).toEqual([false, true]);
  });

  test('between calls is noticed by nobody', async () => {
    await using fake = await serveFakePipeline();
    const disconnected = Promise.withResolvers<void>();
    const observer = { disconnected: () => disconnected.resolve() };
    await using client = clientOf(fake, { observer });
    await client.call(increment, { key: 'n' });
    fake.stop();
    await fake.start();
    await disconnected.promise;
    expect((await client.call(increment, { key: 'n' })).value).toBe(2n);
    expect(writes(fake).every(({ retry }) => !retry)).toBe(true);
  });

  test('goes on at another node of the cluster', async () => {
    await using first = await serveFakePipeline();
    await using second = await serveFakePipeline();
    await using client = clientOf(first, { addresses: [first.address, second.address] });
    await client.call(get, { key: 'a' });
    first.stop();
    await client.call(get, { key: 'b' });
    expect(client.address).toBe(second.address);
    expect(second.calls).toHaveLength(1);
  });

  test('that cannot be mended fails calls, and says which writes may have been applied', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { unreachableTimeout_ms: 300 });
    await client.call(increment, { key: 'n' });
    fake.rule = () => 'hold';
    const write = client.call(increment, { key: 'n' });
    const read = client.call(get, { key: 'a' });
    await fake.until(() => fake.held === 2);
    fake.stop();
    expect(await failed(write)).toMatchObject({
      code: 14,
      message: expect.stringContaining('may still be applied'),
    });
    expect((await failed(read)).message).toContain('ECONNREFUSED');
    // Never sent: nothing may have been applied.
    expect((await failed(client.call(increment, { key: 'n' }))).message).not.toContain(
      'may still be applied',
    );
  });

  test('because the server has no pipeline fails the calls at once', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => 'hold';
    const call = client.call(get, { key: 'a' });
    await fake.until(() => fake.held === 1);
    fake.endStreams(12, 'unknown service');
    expect(await failed(call)).toMatchObject({ code: 12 });
    expect(fake.calls).toHaveLength(1);
  });

  test('again and again with the same call fails that call in the end', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxSends: 3 });
    fake.rule = () => {
      setImmediate(() => fake.endStreams(13, 'broken by this call'));
      return 'hold';
    };
    expect((await failed(client.call(get, { key: 'a' }))).message).toContain('broken by this call');
    expect(fake.calls).toHaveLength(3);
  });

  test.each([
    ['malformed frame', Uint8Array.from([0x0a, 0x7f])],
    ['answer to a call that is not open', Uint8Array.from([0x0a, 0x02, 0x08, 0x63])],
  ])('by a %s is made again', async (_, bytes) => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => 'hold';
    const call = client.call(get, { key: 'a' });
    await fake.until(() => fake.held === 1);
    fake.rule = () => undefined;
    fake.sendRaw(bytes);
    expect(Buffer.from((await call).value).toString()).toBe('value of a');
  });
});

describe('a refused call', () => {
  test('throws the typed error of the server', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => failure(5, ErrorReason.KEY_NOT_FOUND, 'no key "a"', { subject: 'a' });
    expect(await failed(client.call(get, { key: 'a' }))).toMatchObject({
      reasonName: 'KEY_NOT_FOUND',
      code: 5,
      method: 'gomsg.v1.KVService/Get',
      message: expect.stringMatching(/^gomsg\.v1\.KVService\/Get: no key "a"\. Set the key first/),
      subject: 'a',
    });
  });

  test('is sent again when the reason passes, a write as the retry that it is', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ method, retry }) =>
      method === methodNumbers.increment && !retry
        ? failure(14, ErrorReason.NOT_LEADER, 'elsewhere', { retryAfter: { nanos: 2_000_000 } })
        : undefined;
    expect((await client.call(increment, { key: 'n' })).value).toBe(1n);
    const [first, again] = writes(fake);
    expect(again!.sequence).toBe(first!.sequence);
  });

  test('whose response is malformed fails alone', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    await client.call(get, { key: 'connects' });
    fake.rule = () => ({ payload: Uint8Array.from([0x0a, 0x7f]) });
    const calls = [client.call(get, { key: 'a' }), client.call(get, { key: 'b' })];
    for (const call of calls) expect((await failed(call)).message).toContain('malformed');
    fake.rule = () => undefined;
    await client.call(get, { key: 'a' });
    expect(fake.calls).toHaveLength(4);
  });

  test('is given up after so many times', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxSends: 4 });
    fake.rule = () => failure(8, ErrorReason.OVERLOADED, 'busy');
    expect((await failed(client.call(get, { key: 'a' }))).reason).toBe(ErrorReason.OVERLOADED);
    expect(fake.calls).toHaveLength(4);
  });

  test('in a lost session says so, and the next write begins a new session', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = ({ method }, { sessionId }) =>
      method === methodNumbers.increment && sessionId === fake.openedSessions[0]
        ? failure(10, ErrorReason.SESSION_EXPIRED, 'unknown session')
        : undefined;
    expect((await failed(client.call(increment, { key: 'n' }))).reason).toBe(ErrorReason.SESSION_EXPIRED);
    expect((await client.call(increment, { key: 'n' })).value).toBe(1n);
    expect(fake.openedSessions).toHaveLength(2);
  });
});

describe('a call that nobody waits for any more', () => {
  test('timed out: a write says that it may still be applied, and its late answer harms nobody', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    // With a connection and a session it goes out at once, long before it is late.
    await client.call(increment, { key: 'n' });
    fake.rule = ({ method }) => (method === methodNumbers.increment ? 'hold' : undefined);
    const error = await failed(client.call(increment, { key: 'n' }, { timeout_ms: 100 }));
    expect(error.reason).toBe(ErrorReason.DEADLINE_EXCEEDED);
    expect(error.message).toContain('may still be applied');
    const [, sent] = writes(fake);
    expect(sent!.timeoutMs).toBeGreaterThan(0);
    expect(sent!.timeoutMs).toBeLessThanOrEqual(100);
    fake.release();
    fake.rule = () => undefined;
    await client.call(increment, { key: 'n' });
    // The late one needs its answer no more.
    expect(fake.frames.at(-1)!.answeredBelow).toBe(3n);
  });

  test('is late by its own time, not by that of calls before it', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => 'hold';
    const order: string[] = [];
    const call = (name: string, timeout_ms: number) =>
      failed(client.call(get, { key: name }, { timeout_ms })).then(() => order.push(name));
    await Promise.all([call('long', 120), call('short', 20), call('middle', 60), call('short too', 20)]);
    expect(order).toEqual(['short', 'short too', 'middle', 'long']);
  });

  test('canceled by its signal', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake);
    fake.rule = () => 'hold';
    const controller = new AbortController();
    const call = client.call(get, { key: 'a' }, { signal: controller.signal });
    await fake.until(() => fake.held === 1);
    controller.abort();
    expect((await failed(call)).reason).toBe(ErrorReason.CANCELED);
    expect((await failed(client.call(get, { key: 'a' }, { signal: controller.signal }))).reason).toBe(
      ErrorReason.CANCELED,
    );
    expect(fake.calls).toHaveLength(1);
  });

  test('cannot have a time that no clock can wait', async () => {
    const client = new PipelineClient();
    for (const timeout_ms of [0, -1, Number.NaN, 2 ** 31]) {
      await expect(client.call(get, { key: 'a' }, { timeout_ms })).rejects.toThrow(RangeError);
    }
  });
});

describe('bounds', () => {
  test('calls beyond those in flight wait for their turn', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxInFlightCalls: 2 });
    fake.rule = () => 'hold';
    const calls = ['a', 'b', 'c'].map((key) => client.call(get, { key }));
    await fake.until(() => fake.held === 2);
    fake.release(1);
    await calls[0];
    await fake.until(() => fake.held === 2);
    fake.release();
    await Promise.all(calls);
    expect(fake.calls).toHaveLength(3);
  });

  test('bytes in flight are bounded too, yet one call always goes', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxInFlightBytes: 1000 });
    fake.rule = () => 'hold';
    const calls = [client.call(get, { key: 'k'.repeat(5000) }), client.call(get, { key: 'b' })];
    await fake.until(() => fake.held === 1);
    expect(fake.calls).toHaveLength(1);
    fake.release();
    await fake.until(() => fake.held === 1);
    fake.release();
    await Promise.all(calls);
  });

  test('calls beyond those that may wait are refused, and no longer once there is room', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxInFlightCalls: 1, maxWaitingCalls: 1 });
    fake.rule = () => 'hold';
    const first = client.call(get, { key: 'a' });
    const controller = new AbortController();
    const second = client.call(get, { key: 'b' }, { signal: controller.signal });
    expect(await failed(client.call(get, { key: 'c' }))).toMatchObject({
      reason: ErrorReason.OVERLOADED,
      retryable: true,
    });
    controller.abort();
    await failed(second);
    const third = client.call(get, { key: 'd' });
    await fake.until(() => fake.held === 1);
    fake.rule = () => undefined;
    fake.release();
    await Promise.all([first, third]);
  });

  test('a request larger than a frame is refused without harm to others', async () => {
    await using fake = await serveFakePipeline();
    await using client = clientOf(fake, { maxRequestBytes: 100 });
    expect((await failed(client.call(get, { key: 'k'.repeat(200) }))).reason).toBe(
      ErrorReason.BATCH_TOO_LARGE,
    );
    await client.call(get, { key: 'a' });
  });
});

describe('close', () => {
  test('waits for the calls that were made, ends the session, and takes no more', async () => {
    await using fake = await serveFakePipeline();
    const client = new PipelineClient({ address: fake.address });
    fake.rule = ({ method }) => (method === methodNumbers.increment ? 'hold' : undefined);
    const write = client.call(increment, { key: 'n' });
    await fake.until(() => fake.held === 1);
    const closed = client.close();
    expect((await failed(client.call(get, { key: 'a' }))).reason).toBe(ErrorReason.CLIENT_CLOSED);
    fake.release();
    expect((await write).value).toBe(1n);
    await closed;
    expect(fake.closedSessions).toEqual(fake.openedSessions);
    await fake.until(() => fake.streams.size === 0);
  });

  test('fails what is not answered in time', async () => {
    await using fake = await serveFakePipeline();
    const client = new PipelineClient({ address: fake.address });
    fake.rule = ({ method }) => (method === methodNumbers.increment ? 'hold' : undefined);
    const write = failed(client.call(increment, { key: 'n' }));
    await fake.until(() => fake.held === 1);
    await client.close(20);
    expect(await write).toMatchObject({
      reason: ErrorReason.CLIENT_CLOSED,
      message: expect.stringContaining('may still be applied'),
    });
    expect(client.pendingCalls).toBe(0);
  });

  test('of a client that never called ends at once', async () => {
    await new PipelineClient().close();
  });
});
