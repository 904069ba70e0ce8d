import { create, getOption } from '@bufbuild/protobuf';
import { DurationSchema, timestampMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { method as methodOption } from '../gen/gomsg/sdk/v1/options_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import type { Failure } from '../state/failure.ts';
import { ErrorReason } from './errors.ts';
import { type KvFixture, kvFixture } from './kv/testing/kv-fixture.ts';
import { call, callContext } from './testing/call.ts';

const rpc = KVService.method;
const encoder = new TextEncoder();

function ms(milliseconds: number) {
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(milliseconds / 1000)),
    nanos: (milliseconds % 1000) * 1e6,
  });
}

function failing(reason: ErrorReason, more: Partial<Failure> = {}) {
  return expect.objectContaining({ reason, ...more });
}

async function setAll({ methods }: KvFixture, keys: readonly string[]): Promise<void> {
  for (const key of keys) await call(methods, rpc.set, { key, value: encoder.encode(`v-${key}`) });
}

async function allKeys({ methods }: KvFixture, pattern: string, limit = 0): Promise<string[]> {
  const keys: string[] = [];
  let cursor: Uint8Array = new Uint8Array();
  do {
    const page = await call(methods, rpc.keys, { pattern, limit, cursor });
    keys.push(...page.keys);
    cursor = page.nextCursor;
  } while (cursor.length > 0);
  return keys;
}

it('every rpc of the contract is served under its number', () => {
  const { methods } = kvFixture();
  expect(methods.map(({ desc }) => desc).sort(byName)).toEqual([...KVService.methods].sort(byName));
  for (const { desc, number } of methods) expect(number).toBe(getOption(desc, methodOption).number);
});

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

describe('one key', () => {
  it('is set, read, counted up, found and deleted', async () => {
    const { methods } = kvFixture();
    expect(await call(methods, rpc.set, { key: 'n', value: encoder.encode('41') })).toMatchObject({
      version: 1n,
    });
    expect(await call(methods, rpc.increment, { key: 'n' })).toMatchObject({ value: 42n, version: 2n });
    const read = await call(methods, rpc.get, { key: 'n' });
    expect(read).toMatchObject({ version: 2n });
    expect(Buffer.from(read.value).toString()).toBe('42');
    expect(read.expiresAt).toBeUndefined();
    expect(await call(methods, rpc.exists, { key: 'n' })).toMatchObject({ exists: true });
    expect(await call(methods, rpc.delete, { key: 'n' })).toMatchObject({ deleted: true });
    expect(await call(methods, rpc.delete, { key: 'n' })).toMatchObject({ deleted: false });
    expect(await call(methods, rpc.exists, { key: 'n' })).toMatchObject({ exists: false });
    await expect(call(methods, rpc.get, { key: 'n' })).rejects.toEqual(
      failing(ErrorReason.KEY_NOT_FOUND, { subject: 'n' }),
    );
  });

  it('lives as long as it was given, and stays after Persist', async () => {
    const { methods, groups } = kvFixture();
    await call(methods, rpc.set, { key: 'a', ttl: ms(1500) });
    groups[0]!.advance(1000);
    expect((await call(methods, rpc.tTL, { key: 'a' })).ttl).toMatchObject({
      seconds: 0n,
      nanos: 500_000_000,
    });
    const { expiresAt } = await call(methods, rpc.expire, { key: 'a', ttl: ms(2000) });
    expect(timestampMs(expiresAt!)).toBe(groups[0]!.now_ms + 2000);
    groups[0]!.advance(1999);
    expect(await call(methods, rpc.persist, { key: 'a' })).toMatchObject({ changed: true });
    expect(await call(methods, rpc.persist, { key: 'a' })).toMatchObject({ changed: false });
    groups[0]!.advance(5000);
    expect((await call(methods, rpc.tTL, { key: 'a' })).ttl).toBeUndefined();
    await call(methods, rpc.expire, { key: 'a', ttl: ms(1) });
    groups[0]!.advance(1);
    await expect(call(methods, rpc.tTL, { key: 'a' })).rejects.toEqual(failing(ErrorReason.KEY_NOT_FOUND));
    await expect(call(methods, rpc.persist, { key: 'a' })).rejects.toEqual(
      failing(ErrorReason.KEY_NOT_FOUND),
    );
  });

  it('is written under conditions, and an unmet one tells the current version', async () => {
    const { methods } = kvFixture();
    const ifAbsent = { case: 'ifAbsent', value: true } as const;
    const ifPresent = { case: 'ifPresent', value: true } as const;
    await expect(call(methods, rpc.set, { key: 'a', condition: ifPresent })).rejects.toEqual(
      failing(ErrorReason.CONDITION_FAILED),
    );
    await call(methods, rpc.set, { key: 'a', condition: ifAbsent });
    await expect(call(methods, rpc.set, { key: 'a', condition: ifAbsent })).rejects.toEqual(
      failing(ErrorReason.CONDITION_FAILED, { subject: 'a', currentVersion: 1 }),
    );
    await call(methods, rpc.set, { key: 'a', condition: { case: 'ifVersion', value: 1n } });
    await expect(call(methods, rpc.delete, { key: 'a', ifVersion: 1n })).rejects.toEqual(
      failing(ErrorReason.CONDITION_FAILED, { currentVersion: 2 }),
    );
    const { previous } = await call(methods, rpc.delete, { key: 'a', ifVersion: 2n, returnPrevious: true });
    expect(previous).toMatchObject({ key: 'a', version: 2n });
  });

  it('treats a false condition as none, so that a caller may pass a flag through', async () => {
    const { methods } = kvFixture();
    await call(methods, rpc.set, { key: 'a', condition: { case: 'ifPresent', value: false } });
    await call(methods, rpc.set, { key: 'a', condition: { case: 'ifAbsent', value: false } });
    expect(await call(methods, rpc.get, { key: 'a' })).toMatchObject({ version: 2n });
  });

  it.each([
    ['an empty key', { key: '' }, ErrorReason.INVALID_KEY],
    ['a key over the limit', { key: 'é'.repeat(17) }, ErrorReason.INVALID_KEY],
    ['a value over the limit', { key: 'a', value: new Uint8Array(1025) }, ErrorReason.VALUE_TOO_LARGE],
    ['a ttl of nothing', { key: 'a', ttl: ms(0) }, ErrorReason.INVALID_DURATION],
    [
      'a negative ttl',
      { key: 'a', ttl: create(DurationSchema, { seconds: -1n }) },
      ErrorReason.INVALID_DURATION,
    ],
    [
      'a ttl of centuries',
      { key: 'a', ttl: create(DurationSchema, { seconds: 4n * 10n ** 9n }) },
      ErrorReason.INVALID_DURATION,
    ],
    ['ttl and keep_ttl', { key: 'a', ttl: ms(1), keepTtl: true }, ErrorReason.INVALID_REQUEST],
  ])('is refused with %s, and nothing is proposed', async (_, request, reason) => {
    const { methods, groups } = kvFixture();
    await expect(call(methods, rpc.set, request)).rejects.toEqual(failing(reason));
    expect(groups[0]!.applied).toEqual([]);
  });

  it('may use the limits to the last byte', async () => {
    const { methods } = kvFixture();
    const key = 'é'.repeat(16);
    await call(methods, rpc.set, { key, value: new Uint8Array(1024).fill(255) });
    expect((await call(methods, rpc.get, { key })).value).toHaveLength(1024);
  });

  it('needs a ttl for Expire', async () => {
    const { methods } = kvFixture();
    await expect(call(methods, rpc.expire, { key: 'a' })).rejects.toEqual(
      failing(ErrorReason.INVALID_DURATION),
    );
  });

  it('is refused with INVALID_REQUEST when the request cannot be decoded', () => {
    const { methods } = kvFixture();
    const set = methods.find(({ desc }) => desc === rpc.set);
    const failures: Failure[] = [];
    if (set?.kind !== 'unary') throw new Error('Set is unary');
    set.handle(Uint8Array.of(0x0a, 5, 1), callContext(), {
      ok: () => failures.push({ reason: ErrorReason.INTERNAL, message: 'it was taken' }),
      fail: (failure) => failures.push(failure),
    });
    expect(failures).toEqual([failing(ErrorReason.INVALID_REQUEST)]);
  });

  it('goes to its own group, with the session of the call', async () => {
    const { methods, groups } = kvFixture(2);
    const session = { sessionId: 7n, sequence: 1, answeredBelow: 1, retry: false };
    await call(methods, rpc.set, { key: 'k1' }, callContext({ session }));
    expect(groups[0]!.applied).toEqual([]);
    expect(groups[1]!.applied).toMatchObject([{ method: 101, session }]);
  });
});

describe('several keys', () => {
  it('are set and read over groups, in the order asked', async () => {
    const fixture = kvFixture(3);
    const keys = ['k2', 'k0', 'k1', 'j1', 'k2'];
    const entries = keys.map((key, i) => ({ key, value: Uint8Array.of(i) }));
    const { versions } = await call(fixture.methods, rpc.setMany, { entries });
    expect(versions).toEqual([1n, 1n, 1n, 2n, 2n]);
    const read = await call(fixture.methods, rpc.getMany, { keys: ['k1', 'none0', 'k2', 'k1'] });
    expect(read.entries.map(({ key, found, value }) => [key, found, ...value])).toEqual([
      ['k1', true, 2],
      ['none0', false],
      ['k2', true, 4],
      ['k1', true, 2],
    ]);
    expect(fixture.groups.map(({ applied }) => applied.length)).toEqual([1, 1, 1]);
  });

  it('that are none are answered at once', async () => {
    const { methods } = kvFixture();
    expect(await call(methods, rpc.setMany, {})).toMatchObject({ versions: [] });
    expect(await call(methods, rpc.getMany, {})).toMatchObject({ entries: [] });
  });

  it('fail as a whole when one group fails, and the answer says that others may be applied', async () => {
    const { methods, groups } = kvFixture(2);
    groups[1]!.refusal = { reason: ErrorReason.NO_QUORUM, message: 'node 2 is gone' };
    const entries = [{ key: 'k0' }, { key: 'k1' }, { key: 'j0' }];
    await expect(call(methods, rpc.setMany, { entries })).rejects.toEqual(
      failing(ErrorReason.NO_QUORUM, { message: expect.stringContaining('the other 2 may be applied') }),
    );
    await expect(call(methods, rpc.getMany, { keys: ['k0', 'k1'] })).rejects.toEqual(
      failing(ErrorReason.NO_QUORUM),
    );
  });

  it('beyond the limits are refused', async () => {
    const { methods } = kvFixture();
    const keys = Array.from({ length: 10_001 }, (_, i) => `k${i}`);
    await expect(call(methods, rpc.getMany, { keys })).rejects.toEqual(failing(ErrorReason.BATCH_TOO_LARGE));
    const entries = keys.map((key) => ({ key }));
    await expect(call(methods, rpc.setMany, { entries })).rejects.toEqual(
      failing(ErrorReason.BATCH_TOO_LARGE),
    );
    await expect(call(methods, rpc.setMany, { entries: [{ key: '' }] })).rejects.toEqual(
      failing(ErrorReason.INVALID_KEY),
    );
  });

  it('whose values do not fit one answer are refused', async () => {
    const { methods } = kvFixture();
    await call(methods, rpc.set, { key: 'a', value: new Uint8Array(1000) });
    const keys = new Array<string>(9).fill('a');
    await expect(call(methods, rpc.getMany, { keys })).rejects.toEqual(failing(ErrorReason.BATCH_TOO_LARGE));
    expect((await call(methods, rpc.getMany, { keys: keys.slice(0, 8) })).entries).toHaveLength(8);
  });
});

describe('Keys', () => {
  const keys = ['a1', 'a2', 'b0', 'user:0', 'user:1', 'user:2', 'ключ', '🔑'];

  it.each([1, 3])('finds what matches, in byte order, over %i groups', async (groups) => {
    const fixture = kvFixture(groups);
    await setAll(fixture, keys);
    expect(await allKeys(fixture, '', 2)).toEqual(keys);
    expect(await allKeys(fixture, 'user:*', 1)).toEqual(['user:0', 'user:1', 'user:2']);
    expect(await allKeys(fixture, '*[12]', 1)).toEqual(['a1', 'a2', 'user:1', 'user:2']);
    expect(await allKeys(fixture, '?')).toEqual(['🔑']);
    expect(await allKeys(fixture, 'a1')).toEqual(['a1']);
    expect(await allKeys(fixture, 'x'.repeat(100))).toEqual([]);
  });

  it('leaves out keys that expired, before they are removed', async () => {
    const { methods, groups } = kvFixture();
    await call(methods, rpc.set, { key: 'a', ttl: ms(5) });
    groups[0]!.now_ms += 5;
    expect((await call(methods, rpc.keys, {})).keys).toEqual([]);
  });

  it('refuses malformed patterns, strange cursors and pages over the limit', async () => {
    const fixture = kvFixture();
    await setAll(fixture, keys);
    const { methods } = fixture;
    await expect(call(methods, rpc.keys, { pattern: '[a' })).rejects.toEqual(
      failing(ErrorReason.INVALID_PATTERN),
    );
    await expect(call(methods, rpc.keys, { pattern: 'x'.repeat(4097) })).rejects.toEqual(
      failing(ErrorReason.INVALID_PATTERN),
    );
    await expect(call(methods, rpc.keys, { limit: 10_001 })).rejects.toEqual(
      failing(ErrorReason.INVALID_REQUEST),
    );
    await expect(call(methods, rpc.keys, { cursor: Uint8Array.of(1, 2) })).rejects.toEqual(
      failing(ErrorReason.INVALID_CURSOR),
    );
    const { nextCursor } = await call(methods, rpc.keys, { pattern: 'user:*', limit: 1 });
    await expect(call(methods, rpc.keys, { pattern: 'a*', cursor: nextCursor })).rejects.toEqual(
      failing(ErrorReason.INVALID_CURSOR),
    );
  });

  it('asks only the group of the tag when the pattern fixes one', async () => {
    const fixture = kvFixture(2, { pick: (key) => (key.startsWith('{t}') ? 1 : 0) });
    await setAll(fixture, ['{t}a', '{t}b', 'x']);
    fixture.groups[0]!.refusal = { reason: ErrorReason.NO_QUORUM, message: 'gone' };
    expect(await allKeys(fixture, '{t}*')).toEqual(['{t}a', '{t}b']);
  });
});

describe('Scan', () => {
  const keys = ['a0', 'a1', 'b0', 'b1', 'c1'];

  async function scanned(fixture: KvFixture, request: Parameters<typeof scan>[1]): Promise<string[]> {
    const keys: string[] = [];
    let cursor: Uint8Array = new Uint8Array();
    do {
      const page = await scan(fixture, { ...request, cursor });
      keys.push(...page.entries.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor.length > 0);
    return keys;
  }

  function scan(
    { methods }: KvFixture,
    request: {
      prefix?: string;
      start?: string;
      end?: string;
      reverse?: boolean;
      limit?: number;
      maxBytes?: number;
      keysOnly?: boolean;
      cursor?: Uint8Array;
    },
  ) {
    return call(methods, rpc.scan, request);
  }

  it.each([1, 2])('walks a prefix or a range both ways over %i groups', async (groups) => {
    const fixture = kvFixture(groups);
    await setAll(fixture, keys);
    expect(await scanned(fixture, { limit: 2 })).toEqual(keys);
    expect(await scanned(fixture, { limit: 2, reverse: true })).toEqual([...keys].reverse());
    expect(await scanned(fixture, { prefix: 'b', limit: 1 })).toEqual(['b0', 'b1']);
    expect(await scanned(fixture, { start: 'a1', end: 'b1' })).toEqual(['a1', 'b0']);
    expect(await scanned(fixture, { start: 'a1', end: 'b1', reverse: true, limit: 1 })).toEqual(['b0', 'a1']);
    expect(await scanned(fixture, { start: 'z', end: 'a' })).toEqual([]);
    expect(await scanned(fixture, { maxBytes: 1 })).toEqual(keys);
  });

  it('gives values, or only keys with their versions', async () => {
    const fixture = kvFixture();
    await setAll(fixture, keys);
    const [first] = (await scan(fixture, { limit: 1 })).entries;
    expect(Buffer.from(first!.value).toString()).toBe('v-a0');
    const [bare] = (await scan(fixture, { limit: 1, keysOnly: true })).entries;
    expect(bare).toMatchObject({ key: 'a0', version: 1n, value: new Uint8Array() });
  });

  it('tells the revision of its read where all keys are in one group', async () => {
    const one = kvFixture(1);
    await setAll(one, keys);
    expect(await scan(one, {})).toMatchObject({ revision: 5n });
    const two = kvFixture(2);
    await setAll(two, keys);
    expect(await scan(two, {})).toMatchObject({ revision: 0n });
  });

  it('refuses contradicting and excessive arguments', async () => {
    const fixture = kvFixture();
    await setAll(fixture, keys);
    await expect(scan(fixture, { prefix: 'a', start: 'a' })).rejects.toEqual(
      failing(ErrorReason.INVALID_REQUEST),
    );
    await expect(scan(fixture, { limit: 10_001 })).rejects.toEqual(failing(ErrorReason.INVALID_REQUEST));
    await expect(scan(fixture, { maxBytes: 2 ** 23 + 1 })).rejects.toEqual(
      failing(ErrorReason.INVALID_REQUEST),
    );
    await expect(scan(fixture, { start: 'x'.repeat(33) })).rejects.toEqual(failing(ErrorReason.INVALID_KEY));
    const { nextCursor } = await scan(fixture, { limit: 1 });
    await expect(scan(fixture, { reverse: true, cursor: nextCursor })).rejects.toEqual(
      failing(ErrorReason.INVALID_CURSOR),
    );
  });
});

describe('DeletePattern', () => {
  it('removes what matches in all groups, in bounded commands, and counts it', async () => {
    const fixture = kvFixture(2);
    const entries = Array.from({ length: 2500 }, (_, i) => ({ key: `s:${i}` }));
    await call(fixture.methods, rpc.setMany, { entries });
    await setAll(fixture, ['keep0', 'keep1']);
    const before = fixture.groups.map(({ applied }) => applied.length);
    expect(await call(fixture.methods, rpc.deletePattern, { pattern: 's:*' })).toMatchObject({
      deleted: 2500n,
    });
    expect(await allKeys(fixture, '*')).toEqual(['keep0', 'keep1']);
    expect(fixture.groups.map(({ applied }, i) => applied.length - before[i]!)).toEqual([2, 2]);
  });

  it('refuses the empty pattern, which would remove everything', async () => {
    const { methods } = kvFixture();
    await expect(call(methods, rpc.deletePattern, {})).rejects.toEqual(failing(ErrorReason.INVALID_REQUEST));
  });

  it('says how much was removed before a group failed', async () => {
    const fixture = kvFixture(2);
    await setAll(fixture, ['a0', 'b0', 'a1']);
    fixture.groups[1]!.refusal = { reason: ErrorReason.NO_QUORUM, message: 'gone' };
    await expect(call(fixture.methods, rpc.deletePattern, { pattern: '*' })).rejects.toEqual(
      failing(ErrorReason.NO_QUORUM, { message: 'gone; 2 keys were removed before' }),
    );
  });

  it('stops when the caller gives up', async () => {
    const fixture = kvFixture();
    await setAll(fixture, ['a', 'b']);
    const context = callContext({ signal: AbortSignal.abort() });
    await expect(call(fixture.methods, rpc.deletePattern, { pattern: '*' }, context)).rejects.toEqual(
      failing(ErrorReason.CANCELED),
    );
    expect(await allKeys(fixture, '*')).toEqual(['a', 'b']);
  });

  it('stops at the deadline, which in a pipeline ends no signal', async () => {
    const fixture = kvFixture();
    await setAll(fixture, ['a', 'b']);
    const context = callContext({ deadline_ms: Date.now() - 1 });
    await expect(call(fixture.methods, rpc.deletePattern, { pattern: '*' }, context)).rejects.toEqual(
      failing(ErrorReason.DEADLINE_EXCEEDED),
    );
    expect(await allKeys(fixture, '*')).toEqual(['a', 'b']);
  });
});

it('answers a listing on a node that knows of no group', async () => {
  const { methods } = kvFixture(0);
  await expect(call(methods, rpc.scan, {})).rejects.toEqual(failing(ErrorReason.NO_QUORUM));
});
