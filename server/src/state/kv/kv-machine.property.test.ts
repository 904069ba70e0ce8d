import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeleteKeysSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { internalMethod } from '../internal-methods.ts';
import { utf8Key } from '../keys.ts';
import { WatchEventType } from './events.ts';
import { kvMethod } from './method-numbers.ts';
import { NEVER_MS, recordExpiresAt_ms, recordValue, recordVersion } from './record.ts';
import { KvDriver } from './testing/kv-driver.ts';
import { KvModel } from './testing/kv-model.ts';

/** A step does the same to the machine and to the model, and compares the answers. */
type Step = (driver: KvDriver, model: KvModel) => void;

const INT64_MAX = 2n ** 63n - 1n;

const key = fc.constantFrom('a', 'b', 'b/1', 'ключ', '🔑', '\u00ff', '\uffff');
const value = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc
    .constantFrom('0', '7', '-1', '9223372036854775807', '-9223372036854775808', '007', '+1', ' 1')
    .map(bytes),
);
/** Few different times, so that clocks often stand exactly at an expiry. */
const ttl = fc.option(
  fc.record({ seconds: fc.bigInt(0n, 1n), nanos: fc.constantFrom(1, 1_000_000, 500_000_000) }),
  { nil: undefined },
);
const condition = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ case: undefined } as const) },
  { weight: 2, arbitrary: fc.boolean().map((on) => ({ case: 'ifAbsent', value: on }) as const) },
  { weight: 2, arbitrary: fc.boolean().map((on) => ({ case: 'ifPresent', value: on }) as const) },
  {
    weight: 2,
    arbitrary: fc.bigInt(0n, 12n).map((version) => ({ case: 'ifVersion', value: version }) as const),
  },
);

const set = fc
  .record({ key, value, ttl, condition, keepTtl: fc.boolean(), returnPrevious: fc.boolean() })
  .map(
    (request): Step =>
      (driver, model) => {
        const answer = driver.run(kvMethod.set, kv.KVServiceSetRequestSchema, kv.KVServiceSetResponseSchema, {
          ...request,
          ...(request.ttl && { ttl: create(DurationSchema, request.ttl) }),
        });
        model.touch(request.key);
        const old = model.get(request.key);
        const holds =
          request.condition.case === undefined ||
          (request.condition.case === 'ifAbsent' && (!request.condition.value || !old)) ||
          (request.condition.case === 'ifPresent' && (!request.condition.value || old)) ||
          (request.condition.case === 'ifVersion' && BigInt(old?.version ?? -1) === request.condition.value);
        if (!holds) {
          expect(answer).toMatchObject({ reason: ErrorReason.CONDITION_FAILED, subject: request.key });
          expect('currentVersion' in answer ? answer.currentVersion : undefined).toBe(old?.version);
          return;
        }
        const expiresAt_ms =
          request.keepTtl && old
            ? old.expiresAt_ms
            : request.ttl && model.expiryAfter(create(DurationSchema, request.ttl));
        const version = BigInt(model.set(request.key, request.value, expiresAt_ms));
        expect(answer).toMatchObject({ version });
        const previous = 'previous' in answer ? answer.previous : undefined;
        if (!request.returnPrevious || !old) expect(previous).toBeUndefined();
        else expect(previous).toMatchObject({ key: request.key, version: BigInt(old.version) });
      },
  );

const remove = fc.record({ key, ifVersion: fc.option(fc.bigInt(0n, 12n), { nil: undefined }) }).map(
  ({ key, ifVersion }): Step =>
    (driver, model) => {
      const answer = driver.run(
        kvMethod.delete,
        kv.KVServiceDeleteRequestSchema,
        kv.KVServiceDeleteResponseSchema,
        {
          key,
          ...(ifVersion !== undefined && { ifVersion }),
        },
      );
      model.touch(key);
      const old = model.get(key);
      if (ifVersion !== undefined && BigInt(old?.version ?? -1) !== ifVersion) {
        expect(answer).toMatchObject({ reason: ErrorReason.CONDITION_FAILED });
      } else {
        expect(answer).toMatchObject({ deleted: model.delete(key) });
      }
    },
);

const increment = fc
  .record({ key, delta: fc.oneof(fc.bigInt(-5n, 5n), fc.bigInt(-(2n ** 63n), INT64_MAX)) })
  .map(
    ({ key, delta }): Step =>
      (driver, model) => {
        const answer = driver.run(
          kvMethod.increment,
          kv.KVServiceIncrementRequestSchema,
          kv.KVServiceIncrementResponseSchema,
          { key, delta },
        );
        model.touch(key);
        const old = model.get(key);
        const text = old === undefined ? '0' : old.value.toString('latin1');
        const canonical =
          /^(0|-?[1-9][0-9]*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
        if (!canonical) {
          expect(answer).toMatchObject({ reason: ErrorReason.NOT_AN_INTEGER });
          return;
        }
        const sum = BigInt(text) + delta;
        if (BigInt.asIntN(64, sum) !== sum) {
          expect(answer).toMatchObject({ reason: ErrorReason.OVERFLOW });
          return;
        }
        const version = BigInt(model.set(key, bytes(String(sum)), old?.expiresAt_ms));
        expect(answer).toMatchObject({ value: sum, version });
      },
  );

const setMany = fc.array(fc.record({ key, value, ttl }), { maxLength: 4 }).map(
  (entries): Step =>
    (driver, model) => {
      const answer = driver.run(
        kvMethod.setMany,
        kv.KVServiceSetManyRequestSchema,
        kv.KVServiceSetManyResponseSchema,
        {
          entries: entries.map((entry) => ({
            key: entry.key,
            value: entry.value,
            ...(entry.ttl && { ttl: create(DurationSchema, entry.ttl) }),
          })),
        },
      );
      const versions = entries.map((entry) =>
        BigInt(
          model.set(
            entry.key,
            entry.value,
            entry.ttl && model.expiryAfter(create(DurationSchema, entry.ttl)),
          ),
        ),
      );
      expect(answer).toMatchObject({ versions });
    },
);

const expire = fc.record({ key, seconds: fc.bigInt(1n, 3n) }).map(
  ({ key, seconds }): Step =>
    (driver, model) => {
      const ttl = create(DurationSchema, { seconds });
      const answer = driver.run(
        kvMethod.expire,
        kv.KVServiceExpireRequestSchema,
        kv.KVServiceExpireResponseSchema,
        { key, ttl },
      );
      model.touch(key);
      const old = model.get(key);
      if (old === undefined) {
        expect(answer).toMatchObject({ reason: ErrorReason.KEY_NOT_FOUND });
        return;
      }
      const expiresAt_ms = model.expiryAfter(ttl);
      model.set(key, old.value, expiresAt_ms);
      expect(answer).toMatchObject({ expiresAt: { seconds: BigInt(Math.floor(expiresAt_ms / 1000)) } });
    },
);

const persist = key.map(
  (key): Step =>
    (driver, model) => {
      const answer = driver.run(
        kvMethod.persist,
        kv.KVServicePersistRequestSchema,
        kv.KVServicePersistResponseSchema,
        { key },
      );
      model.touch(key);
      const old = model.get(key);
      if (old === undefined) expect(answer).toMatchObject({ reason: ErrorReason.KEY_NOT_FOUND });
      else expect(answer).toMatchObject({ changed: old.expiresAt_ms !== undefined });
      if (old?.expiresAt_ms !== undefined) model.set(key, old.value, undefined);
    },
);

const deleteKeys = fc.array(key, { maxLength: 4 }).map(
  (keys): Step =>
    (driver, model) => {
      const answer = driver.run(
        internalMethod.deleteKeys,
        DeleteKeysSchema,
        kv.KVServiceDeletePatternResponseSchema,
        { keys },
      );
      expect(answer).toMatchObject({ deleted: BigInt(keys.filter((key) => model.delete(key)).length) });
    },
);

const pass = fc.constantFrom(0, 1, 499, 500, 1000).map(
  (ms): Step =>
    (driver, model) => {
      driver.now_ms += ms;
      model.now_ms = driver.now_ms;
    },
);

const expireDue = fc.constant<Step>((driver, model) => {
  expect(driver.expireDue()).toBe(false);
  model.expireAll();
});

const restart = fc.constant<Step>((driver) => driver.restart());

const step = fc.oneof(
  { weight: 8, arbitrary: set },
  { weight: 3, arbitrary: remove },
  { weight: 4, arbitrary: increment },
  { weight: 2, arbitrary: setMany },
  { weight: 2, arbitrary: expire },
  { weight: 1, arbitrary: persist },
  { weight: 1, arbitrary: deleteKeys },
  { weight: 3, arbitrary: pass },
  { weight: 2, arbitrary: expireDue },
);

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function expectSame(driver: KvDriver, model: KvModel): void {
  const { machine, now_ms } = driver;
  const page = machine.page({ from: '', to: undefined, limit: 100, maxBytes: 1e6 }, now_ms);
  expect(page.reached).toBeUndefined();
  expect(page.entries.map(({ key }) => key)).toEqual(model.living().map(([key]) => utf8Key(key)));
  for (const [key, expected] of model.living()) {
    const record = machine.get(utf8Key(key), now_ms)!;
    expect(Buffer.from(recordValue(record))).toEqual(expected.value);
    expect(recordVersion(record)).toBe(expected.version);
    expect(recordExpiresAt_ms(record)).toBe(expected.expiresAt_ms ?? NEVER_MS);
  }
  expect({ keys: machine.keys, bytes: machine.bytes }).toEqual(model.counts());
  expect(machine.revision).toBe(model.events.length);
  const due_ms = machine.nextDue_ms();
  const next_ms = model.nextExpiry_ms();
  if (next_ms === undefined) return;
  expect(due_ms).toBeDefined();
  expect(due_ms).toBeLessThanOrEqual(next_ms);
}

describe('the key/value machine', () => {
  it('does what the model does, whatever the commands, clock steps and restarts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 12, arbitrary: step }, { weight: 1, arbitrary: restart }), {
          maxLength: 40,
        }),
        fc.boolean(),
        (steps, asReplica) => {
          const driver = new KvDriver();
          const model = new KvModel();
          driver.asReplica = asReplica;
          model.now_ms = driver.now_ms;
          for (const run of steps) run(driver, model);
          expectSame(driver, model);
          const history = driver.eventsFrom(1).map(({ type, key, value, revision, expiresAt_ms }) => ({
            type: WatchEventType[type],
            key,
            revision,
            value: type === WatchEventType.SET ? Buffer.from(value) : undefined,
            expiresAt_ms: expiresAt_ms === NEVER_MS ? undefined : expiresAt_ms,
          }));
          expect(history).toEqual(model.events.map((event) => ({ ...event, key: utf8Key(event.key) })));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('holds the same bytes on a replica that restarts at any point as on a leader that never does', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 40 }), (steps) => {
        const leader = new KvDriver(300);
        const replica = new KvDriver(300);
        replica.asReplica = true;
        const [first, second] = [new KvModel(), new KvModel()];
        first.now_ms = second.now_ms = leader.now_ms;
        for (const [run, restartAfter] of steps) {
          run(leader, first);
          run(replica, second);
          if (restartAfter) replica.restart();
        }
        leader.machine.save();
        replica.machine.save();
        expect(replica.store.dump()).toEqual(leader.store.dump());
        expect(replica.machine.oldestRevision).toBe(leader.machine.oldestRevision);
      }),
      { numRuns: 150 },
    );
  });
});
