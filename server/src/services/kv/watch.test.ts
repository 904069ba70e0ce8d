import { create } from '@bufbuild/protobuf';
import { DurationSchema, timestampMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { KVService, type KVServiceWatchResponse, WatchEventType } from '../../gen/gomsg/v1/kv_pb.js';
import { ErrorReason, GomsgError } from '../errors.ts';
import { call, callContext, open } from '../testing/call.ts';
import { type KvFixture, kvFixture } from './testing/kv-fixture.ts';

const rpc = KVService.method;

type WatchRequest = Parameters<typeof open<typeof rpc.watch.input, typeof rpc.watch.output>>[2];

const opened: AsyncGenerator<unknown>[] = [];

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.splice(0).map((stream) => stream.return(undefined)));
});

/** Opens a watch; it is closed when the test ends. */
function watch({ methods }: KvFixture, request: WatchRequest, context = callContext()) {
  const stream = open(methods, rpc.watch, request, context);
  opened.push(stream);
  return stream;
}

async function next(stream: ReturnType<typeof watch>): Promise<KVServiceWatchResponse> {
  const { value, done } = await stream.next();
  if (done || value === undefined) throw new Error('the watch ended');
  return value;
}

/** Reads messages until `count` events came. */
async function events(stream: ReturnType<typeof watch>, count: number) {
  const all: KVServiceWatchResponse['events'] = [];
  while (all.length < count) all.push(...(await next(stream)).events);
  return all;
}

function set({ methods }: KvFixture, key: string, value: string | Uint8Array = '') {
  return call(methods, rpc.set, { key, value: typeof value === 'string' ? Buffer.from(value) : value });
}

function failing(reason: ErrorReason, more: object = {}) {
  return expect.objectContaining({ reason, ...more });
}

describe('a watch', () => {
  it('says that it is in place, then tells every kind of change in order', async () => {
    const fixture = kvFixture();
    const { methods, groups } = fixture;
    await set(fixture, 'a', 'before');
    const stream = watch(fixture, { target: { case: 'key', value: 'a' } });
    expect(await next(stream)).toMatchObject({ subscribed: true, events: [], revision: 1n });
    await call(methods, rpc.set, {
      key: 'a',
      value: Buffer.from('x'),
      ttl: create(DurationSchema, { seconds: 1n }),
    });
    const expiry_ms = groups[0]!.now_ms + 1000;
    await set(fixture, 'other');
    groups[0]!.advance(1000);
    await set(fixture, 'a', 'y');
    await call(methods, rpc.delete, { key: 'a' });
    const told = await events(stream, 4);
    expect(told.map(({ type, revision }) => [type, revision])).toEqual([
      [WatchEventType.SET, 2n],
      [WatchEventType.EXPIRE, 4n],
      [WatchEventType.SET, 5n],
      [WatchEventType.DELETE, 6n],
    ]);
    expect(told.map(({ value }) => Buffer.from(value).toString())).toEqual(['x', '', 'y', '']);
    expect(timestampMs(told[0]!.expiresAt!)).toBe(expiry_ms);
  });

  it('waits for changes that come later', async () => {
    const fixture = kvFixture();
    const stream = watch(fixture, { target: { case: 'prefix', value: 'a' } });
    await next(stream);
    const message = next(stream);
    await set(fixture, 'b');
    await set(fixture, 'a1', 'x');
    expect(await message).toMatchObject({ subscribed: false, events: [{ key: 'a1' }], revision: 2n });
  });

  it('leaves values out when asked to', async () => {
    const fixture = kvFixture();
    const stream = watch(fixture, { target: { case: 'prefix', value: '' }, keysOnly: true });
    const whole = watch(fixture, { target: { case: 'prefix', value: '' } });
    await next(stream);
    await next(whole);
    await set(fixture, 'a', 'x');
    expect((await events(stream, 1))[0]).toMatchObject({ key: 'a', value: new Uint8Array(), revision: 1n });
    expect(Buffer.from((await events(whole, 1))[0]!.value).toString()).toBe('x');
  });

  it('from a revision tells the past from there on, then goes on live, each change once', async () => {
    const fixture = kvFixture();
    for (let i = 1; i <= 5; i++) await set(fixture, `a${i}`);
    const stream = watch(fixture, { target: { case: 'prefix', value: 'a' }, fromRevision: 3n });
    expect(await next(stream)).toMatchObject({ subscribed: true, revision: 2n });
    await set(fixture, 'a6');
    expect((await events(stream, 4)).map(({ revision }) => revision)).toEqual([3n, 4n, 5n, 6n]);
    await set(fixture, 'a7');
    expect((await events(stream, 1)).map(({ revision }) => revision)).toEqual([7n]);
  });

  it('from a revision that is still to come tells nothing before it', async () => {
    const fixture = kvFixture();
    const stream = watch(fixture, { target: { case: 'prefix', value: '' }, fromRevision: 3n });
    await next(stream);
    for (let i = 1; i <= 4; i++) await set(fixture, `a${i}`);
    expect((await events(stream, 2)).map(({ revision }) => revision)).toEqual([3n, 4n]);
  });

  it('from a revision that is no longer kept fails with what is', async () => {
    const fixture = kvFixture(1, { historyBytes: 200 });
    for (let i = 0; i < 50; i++) await set(fixture, 'a', 'value');
    const [machine] = fixture.machines;
    const stream = watch(fixture, { target: { case: 'key', value: 'a' }, fromRevision: 1n });
    await expect(stream.next()).rejects.toEqual(
      failing(ErrorReason.COMPACTED, { oldestAvailable: machine!.oldestRevision, newestAvailable: 50 }),
    );
    expect(machine!.listener).toBeUndefined();
  });

  it('says where it is when nothing happens, counting changes of other keys', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fixture = kvFixture();
    const stream = watch(fixture, { target: { case: 'key', value: 'a' } });
    await next(stream);
    await set(fixture, 'b');
    const message = next(stream);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await message).toMatchObject({ subscribed: false, events: [], revision: 1n });
  });

  it('resumes behind any message over several groups, without gap or repetition', async () => {
    const fixture = kvFixture(3);
    const target = { case: 'prefix', value: '' } as const;
    const stream = watch(fixture, { target });
    const { resumeToken, revision } = await next(stream);
    expect(revision).toBe(0n);
    for (const key of ['a0', 'a1', 'a2', 'b0', 'b1']) await set(fixture, key);
    const first = await next(stream);
    const rest = watch(fixture, { target, resumeToken: first.resumeToken });
    const all = watch(fixture, { target, resumeToken });
    const seen = [...first.events, ...(await events(rest, 5 - first.events.length))];
    expect(seen.map(({ key }) => key).sort()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1']);
    expect((await events(all, 5)).map(({ key }) => key).sort()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1']);
  });

  it('goes on where a scan was, by its revision or its token', async () => {
    const fixture = kvFixture(2);
    await set(fixture, 'a0');
    await set(fixture, 'a1');
    const { resumeToken } = await call(fixture.methods, rpc.scan, {});
    await set(fixture, 'b0');
    await set(fixture, 'b1');
    const stream = watch(fixture, { target: { case: 'prefix', value: '' }, resumeToken });
    expect((await events(stream, 2)).map(({ key }) => key).sort()).toEqual(['b0', 'b1']);
  });

  it('refuses requests that contradict themselves', async () => {
    const fixture = kvFixture(2);
    const refused = async (request: WatchRequest, reason: ErrorReason) =>
      expect(watch(fixture, request).next()).rejects.toEqual(failing(reason));
    const prefix = { case: 'prefix', value: '' } as const;
    await refused({}, ErrorReason.INVALID_REQUEST);
    await refused({ target: { case: 'key', value: '' } }, ErrorReason.INVALID_KEY);
    await refused({ target: prefix, fromRevision: 1n }, ErrorReason.INVALID_REQUEST);
    await refused({ target: prefix, resumeToken: Uint8Array.of(1, 2, 3, 4, 5) }, ErrorReason.INVALID_CURSOR);
    const { resumeToken } = await call(kvFixture(1).methods, rpc.scan, {});
    await refused({ target: prefix, resumeToken }, ErrorReason.INVALID_CURSOR);
    await refused(
      { target: { case: 'key', value: 'a0' }, resumeToken, fromRevision: 1n },
      ErrorReason.INVALID_REQUEST,
    );
  });

  it('fails as the group does when it cannot be read', async () => {
    const fixture = kvFixture(2);
    fixture.groups[1]!.refusal = { reason: ErrorReason.NOT_LEADER, message: 'node 2 leads' };
    const stream = watch(fixture, { target: { case: 'prefix', value: '' } });
    await expect(stream.next()).rejects.toEqual(failing(ErrorReason.NOT_LEADER));
    expect(fixture.machines.map(({ listener }) => listener)).toEqual([undefined, undefined]);
  });
});

describe('a slow reader', () => {
  const value = new Uint8Array(1000);

  it('gets everything from the history once its buffer overflowed', async () => {
    const fixture = kvFixture();
    const stream = watch(fixture, { target: { case: 'prefix', value: '' } });
    await next(stream);
    for (let i = 0; i < 3000; i++) await set(fixture, `k${i}`, value);
    const first = await events(stream, 1);
    await set(fixture, 'last');
    const rest = await events(stream, 3001 - first.length);
    const revisions = [...first, ...rest].map(({ revision }) => Number(revision));
    expect(revisions).toEqual(Array.from({ length: 3001 }, (_, i) => i + 1));
  });

  it('is told so when even the history is gone', async () => {
    const fixture = kvFixture(1, { historyBytes: 100_000 });
    const stream = watch(fixture, { target: { case: 'prefix', value: '' } });
    await next(stream);
    for (let i = 0; i < 3000; i++) await set(fixture, `k${i}`, value);
    await expect(events(stream, 3000)).rejects.toEqual(
      failing(ErrorReason.COMPACTED, { newestAvailable: 3000 }),
    );
  });

  it('gets a value that is larger than the buffer', async () => {
    const fixture = kvFixture(1, { limits: { maxValueBytes: 3e6 } });
    const stream = watch(fixture, { target: { case: 'prefix', value: '' } });
    await next(stream);
    await set(fixture, 'large', new Uint8Array(2_500_000).fill(7));
    await set(fixture, 'small');
    const [large, small] = await events(stream, 2);
    expect(large!.value).toHaveLength(2_500_000);
    expect(small).toMatchObject({ key: 'small', revision: 2n });
  });
});

describe('the end of a watch', () => {
  it('by the reader leaves nothing behind, even while it waits', async () => {
    const fixture = kvFixture();
    const method = fixture.methods.find(({ desc }) => desc === rpc.watch);
    if (method?.kind !== 'server_streaming') throw new Error('Watch streams');
    const stream = method.handle(Buffer.from([0x12, 0]), callContext())[Symbol.asyncIterator]();
    await stream.next();
    expect(fixture.machines[0]!.listener).toBeDefined();
    const waiting = stream.next();
    await stream.return?.();
    expect(await waiting).toMatchObject({ done: true });
    expect(fixture.machines[0]!.listener).toBeUndefined();
  });

  it('by an aborted call is quiet, by a draining server an error', async () => {
    const fixture = kvFixture();
    const draining = new GomsgError({ reason: ErrorReason.DRAINING, message: 'bye' });
    const quiet = new AbortController();
    const loud = new AbortController();
    const target = { case: 'key', value: 'a' } as const;
    const first = watch(fixture, { target }, callContext({ signal: quiet.signal }));
    const second = watch(fixture, { target }, callContext({ signal: loud.signal }));
    await next(first);
    await next(second);
    const ended = [first.next(), second.next()];
    quiet.abort();
    loud.abort(draining);
    expect(await ended[0]).toMatchObject({ done: true });
    await expect(ended[1]).rejects.toBe(draining);
    expect(fixture.machines[0]!.listener).toBeUndefined();
  });
});

it('a state that is replaced under a watch is read from the history, without gap or repetition', async () => {
  const fixture = kvFixture();
  const [machine] = fixture.machines;
  const stream = watch(fixture, { target: { case: 'prefix', value: '' } });
  await next(stream);
  for (const key of ['a', 'b']) await set(fixture, key);
  expect(await events(stream, 2)).toHaveLength(2);
  await set(fixture, 'c');
  machine!.save();
  machine!.load();
  await set(fixture, 'd');
  expect((await events(stream, 2)).map(({ key }) => key)).toEqual(['c', 'd']);
});

it('every watch tells exactly the matching changes, whatever the pace of reader and writer', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a0', 'a1', 'b0', 'b1') },
    { weight: 1, arbitrary: fc.constantFrom('read' as const, 'reload' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.nat(20),
      fc.boolean(),
      async (steps, from, byPrefix) => {
        const fixture = kvFixture();
        const written: { key: string; revision: number }[] = [];
        const matches = (key: string) => (byPrefix ? key.startsWith('a') : key === 'a0');
        const target = byPrefix
          ? ({ case: 'prefix', value: 'a' } as const)
          : ({ case: 'key', value: 'a0' } as const);
        const begin = async (keys: readonly string[]) => {
          for (const key of keys) {
            if (key === 'read') continue;
            if (key === 'reload') {
              fixture.machines[0]!.save();
              fixture.machines[0]!.load();
              continue;
            }
            await set(fixture, key);
            written.push({ key, revision: written.length + 1 });
          }
        };
        await begin(steps.slice(0, from));
        const firstRevision = Math.max(1, Math.floor(written.length / 2));
        const stream = watch(fixture, { target, fromRevision: BigInt(firstRevision) });
        await next(stream);
        const wanted = () =>
          written
            .filter(({ key, revision }) => revision >= firstRevision && matches(key))
            .map((e) => e.revision);
        const told: number[] = [];
        for (const key of steps.slice(from)) {
          await begin([key]);
          if (key === 'read' && wanted().length > told.length) {
            told.push(...(await next(stream)).events.map(({ revision }) => Number(revision)));
          }
        }
        while (told.length < wanted().length) {
          told.push(...(await next(stream)).events.map(({ revision }) => Number(revision)));
        }
        expect(told).toEqual(wanted());
        await stream.return(undefined);
      },
    ),
    { numRuns: 60 },
  );
});
