import { create, getOption } from '@bufbuild/protobuf';
import { DurationSchema, timestampMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { DeleteKeysSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { method as methodOption } from '../../gen/gomsg/sdk/v1/options_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { internalMethod } from '../internal-methods.ts';
import { utf8Key } from '../keys.ts';
import { type KvEvent, readEvents, WatchEventType } from './events.ts';
import { Glob } from './glob.ts';
import { kvMethod } from './method-numbers.ts';
import { recordValue } from './record.ts';
import { KvDriver } from './testing/kv-driver.ts';

function ms(milliseconds: number) {
  return create(DurationSchema, { nanos: milliseconds * 1_000_000 });
}

function set(driver: KvDriver, key: string, value: string | Uint8Array = '', ttl_ms?: number) {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const request = { key, value: bytes, ...(ttl_ms !== undefined && { ttl: ms(ttl_ms) }) };
  return driver.run(kvMethod.set, kv.KVServiceSetRequestSchema, kv.KVServiceSetResponseSchema, request);
}

function get(driver: KvDriver, key: string): string | undefined {
  const record = driver.machine.get(utf8Key(key), driver.now_ms);
  return record && Buffer.from(recordValue(record)).toString();
}

function increment(driver: KvDriver, key: string, delta?: bigint) {
  const request = { key, ...(delta !== undefined && { delta }) };
  const { KVServiceIncrementRequestSchema, KVServiceIncrementResponseSchema } = kv;
  return driver.run(
    kvMethod.increment,
    KVServiceIncrementRequestSchema,
    KVServiceIncrementResponseSchema,
    request,
  );
}

function listen(driver: KvDriver): KvEvent[] {
  const heard: KvEvent[] = [];
  driver.machine.listener = {
    onChanges: (batch) =>
      heard.push(...[...readEvents(batch)].map((e) => ({ ...e, value: e.value.slice() }))),
    onReload: () => {},
  };
  return heard;
}

it('method numbers are those of the contract', () => {
  for (const [name, number] of Object.entries(kvMethod)) {
    const rpc = kv.KVService.methods.find(({ localName }) => localName === name);
    expect(getOption(rpc!, methodOption).number).toBe(number);
  }
});

describe('versions', () => {
  it('count the changes of the whole group, so a key set anew never gets an old version', () => {
    const driver = new KvDriver();
    expect(set(driver, 'a')).toMatchObject({ version: 1n });
    expect(set(driver, 'b')).toMatchObject({ version: 2n });
    const { KVServiceDeleteRequestSchema, KVServiceDeleteResponseSchema } = kv;
    driver.run(kvMethod.delete, KVServiceDeleteRequestSchema, KVServiceDeleteResponseSchema, { key: 'a' });
    expect(set(driver, 'a')).toMatchObject({ version: 4n });
  });

  it('are the same after a restart', () => {
    const driver = new KvDriver();
    set(driver, 'a');
    driver.restart();
    expect(set(driver, 'a')).toMatchObject({ version: 2n });
  });
});

describe('expiry', () => {
  it('hides a key at once and removes it with one event when the run comes', () => {
    const driver = new KvDriver();
    const heard = listen(driver);
    set(driver, 'a', 'x', 10);
    expect(driver.machine.nextDue_ms()).toBe(driver.now_ms + 10);
    driver.now_ms += 9;
    expect(get(driver, 'a')).toBe('x');
    driver.now_ms += 1;
    expect(get(driver, 'a')).toBeUndefined();
    expect(driver.machine.keys).toBe(1);
    expect(driver.expireDue()).toBe(false);
    expect(driver.machine.keys).toBe(0);
    expect(driver.machine.nextDue_ms()).toBeUndefined();
    expect(heard.map(({ type }) => type)).toEqual([WatchEventType.SET, WatchEventType.EXPIRE]);
  });

  it('of a key that is written again before the run tells the expiry first', () => {
    const driver = new KvDriver();
    const heard = listen(driver);
    set(driver, 'a', 'x', 10);
    driver.now_ms += 10;
    set(driver, 'a', 'y');
    expect(heard.map(({ type, revision }) => [type, revision])).toEqual([
      [WatchEventType.SET, 1],
      [WatchEventType.EXPIRE, 2],
      [WatchEventType.SET, 3],
    ]);
    driver.expireDue();
    expect(get(driver, 'a')).toBe('y');
  });

  it('rounds a time to live up to the millisecond, so that no key expires early', () => {
    const driver = new KvDriver();
    const request = { key: 'a', ttl: create(DurationSchema, { nanos: 1 }) };
    driver.run(kvMethod.set, kv.KVServiceSetRequestSchema, kv.KVServiceSetResponseSchema, request);
    expect(driver.machine.nextDue_ms()).toBe(driver.now_ms + 1);
  });

  it('of many keys goes in bounded runs', () => {
    const driver = new KvDriver();
    const entries = Array.from({ length: 1500 }, (_, i) => ({ key: `k${i}`, ttl: ms(5) }));
    const { KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema } = kv;
    driver.run(kvMethod.setMany, KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema, { entries });
    driver.now_ms += 5;
    expect(driver.expireDue()).toBe(true);
    expect(driver.machine.keys).toBe(500);
    expect(driver.expireDue()).toBe(false);
    expect(driver.machine.keys).toBe(0);
    expect(driver.machine.bytes).toBe(0);
  });

  it('leaves one index row a key, however often it is renewed', () => {
    const driver = new KvDriver();
    for (let i = 1; i <= 20; i++) set(driver, 'a', '', i);
    const indexRows = driver.store
      .dump()
      .filter(([key]) => Buffer.from(key, 'hex').toString('latin1')[2] === 'e');
    expect(indexRows).toHaveLength(1);
  });

  it('is changed by Expire with a new version and a SET event that keeps the value', () => {
    const driver = new KvDriver();
    set(driver, 'a', 'x');
    const heard = listen(driver);
    const { KVServiceExpireRequestSchema, KVServiceExpireResponseSchema } = kv;
    const answer = driver.run(kvMethod.expire, KVServiceExpireRequestSchema, KVServiceExpireResponseSchema, {
      key: 'a',
      ttl: ms(7),
    });
    expect('expiresAt' in answer && timestampMs(answer.expiresAt!)).toBe(driver.now_ms + 7);
    expect(heard).toMatchObject([{ type: WatchEventType.SET, revision: 2, expiresAt_ms: driver.now_ms + 7 }]);
    expect(Buffer.from(heard[0]!.value).toString()).toBe('x');
  });

  it('is kept by Increment', () => {
    const driver = new KvDriver();
    set(driver, 'n', '41', 10);
    expect(increment(driver, 'n')).toMatchObject({ value: 42n });
    driver.now_ms += 10;
    expect(get(driver, 'n')).toBeUndefined();
  });
});

describe('Increment', () => {
  it('begins at 0, counts by 1, and leaves text that Get returns', () => {
    const driver = new KvDriver();
    expect(increment(driver, 'n')).toMatchObject({ value: 1n, version: 1n });
    expect(increment(driver, 'n', -3n)).toMatchObject({ value: -2n, version: 2n });
    expect(get(driver, 'n')).toBe('-2');
  });

  it('changes nothing when it overflows or meets other text', () => {
    const driver = new KvDriver();
    set(driver, 'n', '9223372036854775807');
    expect(increment(driver, 'n')).toMatchObject({ reason: ErrorReason.OVERFLOW, subject: 'n' });
    set(driver, 't', 'text');
    expect(increment(driver, 't')).toMatchObject({ reason: ErrorReason.NOT_AN_INTEGER, subject: 't' });
    expect(driver.machine.revision).toBe(2);
    expect(increment(driver, 'n', -1n)).toMatchObject({ value: 2n ** 63n - 2n });
  });
});

describe('values and keys', () => {
  it('keep every byte', () => {
    const driver = new KvDriver();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    set(driver, '\0ключ🔑', bytes);
    const record = driver.machine.get(utf8Key('\0ключ🔑'), driver.now_ms)!;
    expect(Buffer.from(recordValue(record))).toEqual(Buffer.from(bytes));
    expect(driver.machine.bytes).toBe(256 + Buffer.byteLength('\0ключ🔑'));
  });

  it('of several removals in one command count only those that existed', () => {
    const driver = new KvDriver();
    set(driver, 'a');
    set(driver, 'b', '', 1);
    driver.now_ms += 1;
    const keys = ['a', 'a', 'b', 'c'];
    const { KVServiceDeletePatternResponseSchema } = kv;
    const answer = driver.run(
      internalMethod.deleteKeys,
      DeleteKeysSchema,
      KVServiceDeletePatternResponseSchema,
      { keys },
    );
    expect(answer).toMatchObject({ deleted: 1n });
  });
});

describe('history', () => {
  it('keeps the events of an entry together, and finds the row of any revision in it', () => {
    const driver = new KvDriver();
    for (const key of ['a', 'b', 'c']) driver.apply(kvMethod.set, kv.KVServiceSetRequestSchema, { key });
    driver.endEntry();
    set(driver, 'd');
    expect(driver.machine.eventsAt(2)).toMatchObject({ firstRevision: 1, count: 3 });
    expect(driver.eventsFrom(2).map(({ key }) => key)).toEqual(['b', 'c', 'd']);
    expect(driver.machine.eventsAt(5)).toBeUndefined();
  });

  it('gives up its oldest rows once it is over its limit, and says from where on it is whole', () => {
    const driver = new KvDriver(200);
    for (let i = 0; i < 50; i++) set(driver, `key-${i}`, 'value');
    const { oldestRevision } = driver.machine;
    expect(oldestRevision).toBeGreaterThan(40);
    expect(oldestRevision).toBeLessThan(50);
    expect(driver.machine.eventsAt(oldestRevision - 1)).toBeUndefined();
    expect(driver.eventsFrom(oldestRevision)).toHaveLength(51 - oldestRevision);
    driver.restart();
    expect(driver.machine.oldestRevision).toBe(oldestRevision);
  });

  it('splits the events of a large entry, so that no row is much larger than a mebibyte', () => {
    const driver = new KvDriver();
    const value = new Uint8Array(400 * 1024);
    const heard = listen(driver);
    for (let i = 0; i < 6; i++)
      driver.apply(kvMethod.set, kv.KVServiceSetRequestSchema, { key: `k${i}`, value });
    driver.endEntry();
    expect(driver.machine.eventsAt(1)).toMatchObject({ firstRevision: 1, count: 2 });
    expect(heard.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(driver.eventsFrom(1)).toHaveLength(6);
  });
});

describe('pages', () => {
  const keys = ['a', 'a1', 'a2', 'b', 'é', '\uffff', '🔑'];
  const all = { from: '', to: undefined, limit: 100, maxBytes: 1e6 };

  function filled(): KvDriver {
    const driver = new KvDriver();
    for (const key of [...keys].reverse()) set(driver, key, 'v');
    return driver;
  }

  it.each([false, true])('visit every key once in the order of its UTF-8 bytes (reverse: %s)', (reverse) => {
    const driver = filled();
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = driver.machine.page({ ...all, limit: 2, after, reverse }, driver.now_ms);
      seen.push(...page.entries.map(({ key }) => key));
      after = page.reached;
    } while (after !== undefined);
    expect(seen).toEqual((reverse ? [...keys].reverse() : keys).map(utf8Key));
  });

  it('end at the end of the range, without an empty page behind it', () => {
    const driver = filled();
    const page = driver.machine.page({ ...all, from: 'a', to: 'b', limit: 3 }, driver.now_ms);
    expect(page).toMatchObject({ entries: [{ key: 'a' }, { key: 'a1' }, { key: 'a2' }], reached: undefined });
  });

  it('stop at their bytes, but never before the first entry', () => {
    const driver = filled();
    expect(driver.machine.page({ ...all, maxBytes: 1 }, driver.now_ms)).toMatchObject({
      entries: [{ key: 'a' }],
      reached: 'a',
    });
  });

  it('look at a bounded number of rows, and say how far they came when nothing matched', () => {
    const driver = new KvDriver();
    const entries = Array.from({ length: 10_001 }, (_, i) => ({ key: `k${String(i).padStart(5, '0')}` }));
    const { KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema } = kv;
    driver.run(kvMethod.setMany, KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema, { entries });
    const page = driver.machine.page({ ...all, glob: new Glob('*x') }, driver.now_ms);
    expect(page).toEqual({ entries: [], reached: 'k09999' });
  });

  it('stop early on a pattern that is dear to match', () => {
    const driver = new KvDriver();
    const entries = Array.from({ length: 60 }, (_, i) => ({ key: 'a'.repeat(900) + i }));
    const { KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema } = kv;
    driver.run(kvMethod.setMany, KVServiceSetManyRequestSchema, KVServiceSetManyResponseSchema, { entries });
    const glob = new Glob(`*${'a'.repeat(400)}x`);
    const page = driver.machine.page({ ...all, glob }, driver.now_ms);
    expect(page.entries).toEqual([]);
    expect(page.reached).toBeDefined();
    expect(glob.steps).toBeLessThan(3_000_000);
  });
});
