/** A host at its limits: a log that lags, disks and memory that are full, handlers with bugs, a clock that is set back. */
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { DeleteKeysSchema } from '../gen/gomsg/internal/v1/commands_pb.js';
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVServiceDeleteRequestSchema, KVServiceSetRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import { EntryKind } from '../raft/index.ts';
import type { Reply } from '../services/method.ts';
import { internalMethod } from '../state/internal-methods.ts';
import { kvMethod } from '../state/kv/method-numbers.ts';
import { openMemoryStore } from '../storage/memory-store.ts';
import type { Group } from './group.ts';
import {
  CrampedStore,
  get,
  HeldLog,
  increment,
  makeHost,
  set,
  setRequest,
  startHost,
  submit,
  turns,
} from './testing/host-fixture.ts';

const MIB = 1024 * 1024;
const diskFull = { reason: ErrorReason.DISK_FULL };

function submitWith(group: Group, reply: Reply): void {
  const payload = setRequest('key', 'x');
  group.submit({ method: kvMethod.set, payload, request: undefined, session: undefined, reply });
}

/** A command that is logged and changes nothing. */
function vain(group: Group, bytes: number): Promise<unknown> {
  const request = create(KVServiceSetRequestSchema, {
    key: 'nowhere',
    value: new Uint8Array(bytes),
    condition: { case: 'ifPresent', value: true },
  });
  return submit(group, kvMethod.set, toBinary(KVServiceSetRequestSchema, request)).catch(() => {});
}

describe('a handler with a bug', () => {
  it('costs its own call, and neither the others of its entry nor the node', async () => {
    const { group, fatal, bugs } = await startHost();
    const failures: unknown[] = [];
    submitWith(group, {
      ok: () => {
        throw new TypeError('a bug');
      },
      fail: (failure) => failures.push(failure),
    });
    await set(group, 'other', 'x');
    await set(group, 'later', 'x');
    expect(failures).toMatchObject([{ reason: ErrorReason.INTERNAL }]);
    expect(bugs).toEqual(['answering a write of group 1: a bug']);
    expect(fatal).toEqual([]);
  });

  it('costs as little in a read that waited, and where failures are passed on', async () => {
    const { host, fatal, bugs } = makeHost();
    const [group] = host.groups as [Group];
    const started = host.start();
    const failures: unknown[] = [];
    group.read(
      Consistency.LINEARIZABLE,
      () => {
        throw new TypeError('a bug in a read');
      },
      (failure) => failures.push(failure),
    );
    await started;
    const throwing = () => {
      throw new TypeError('a bug in failing');
    };
    await turns(1);
    submitWith(group, { ok: throwing, fail: throwing });
    await set(group, 'other', 'x');
    expect(failures).toMatchObject([{ reason: ErrorReason.INTERNAL }]);
    expect(bugs.filter((bug) => bug.includes('a bug in a read'))).toHaveLength(1);
    expect(fatal).toEqual([]);
  });
});

describe('an entry', () => {
  it('is applied as a whole before any of its commands is answered', async () => {
    const { group } = await startHost();
    const seen = new Promise((resolve) => {
      submitWith(group, {
        ok: () => void get(group, 'second').then(resolve),
        fail: resolve,
      });
    });
    await set(group, 'second', 'there');
    expect(await seen).toContain('there');
  });
});

describe('a log that lags', () => {
  it('gets no more than it can buffer, from any number of groups: the rest waits', async () => {
    const { host, log, fatal } = await startHost({ groups: 4 });
    log.holding = true;
    const value = new Uint8Array(MIB);
    const writes = host.groups.flatMap((group) =>
      Array.from({ length: 24 }, (_, i) => set(group, `key-${i}`, value)),
    );
    // A first sync that lags, then turns in which everybody wants to write.
    await turns(5);
    const more = host.groups.map((group) => set(group, 'more', value));
    await turns(5);
    expect(fatal).toEqual([]);
    log.holding = false;
    log.letGo();
    await Promise.all([...writes, ...more]);
    expect(fatal).toEqual([]);
  });

  it('takes a single entry of any size', async () => {
    const { group, log } = await startHost();
    log.holding = true;
    const before = set(group, 'before', 'x');
    await turns(3);
    const large = set(group, 'large', new Uint8Array(15 * MIB));
    const after = set(group, 'after', 'x');
    await turns(3);
    log.holding = false;
    log.letGo();
    await Promise.all([before, large, after]);
  });

  it('is released even when commands change nothing', async () => {
    const { group, log } = await startHost();
    for (let written = 0; written < 160 * MIB; written += MIB) await vain(group, MIB);
    expect(log.groupState(group.id).firstIndex).toBeGreaterThan(1);
    const { firstIndex, lastIndex } = log.groupState(group.id);
    expect(lastIndex - firstIndex).toBeLessThan(150);
  });
});

describe('a disk that fills up between two turns', () => {
  it('fails the writes that were let in and not logged, and the node goes on', async () => {
    const { group, log, fatal } = await startHost();
    const write = set(group, 'a', 'x');
    log.full = true;
    await expect(write).rejects.toMatchObject(diskFull);
    await expect(set(group, 'b', 'x')).rejects.toMatchObject(diskFull);
    log.full = false;
    await set(group, 'c', 'x');
    expect(fatal).toEqual([]);
  });

  it('fails the writes that wait for a full overlay, since that will not empty', async () => {
    const cramped = new CrampedStore();
    const { group } = await startHost({ store: cramped.store });
    cramped.blocked = true;
    const write = set(group, 'a', 'x');
    await turns(5);
    cramped.outOfSpace = { where: 'disk space', freeBytes: 0, neededBytes: 1 };
    await expect(write).rejects.toMatchObject(diskFull);
  });
});

describe('a store in memory that is full', () => {
  it('takes what makes room, and nothing else', async () => {
    const cramped = new CrampedStore();
    const { group, clock } = await startHost({ store: cramped.store });
    const ttl = { seconds: 0n, nanos: 20e6 };
    const brief = create(KVServiceSetRequestSchema, { key: 'brief', value: new Uint8Array(9), ttl });
    await submit(group, kvMethod.set, toBinary(KVServiceSetRequestSchema, brief));
    await set(group, 'kept', 'x');
    cramped.outOfSpace = { where: 'memory', freeBytes: 0, neededBytes: 1 };
    await expect(set(group, 'more', 'x')).rejects.toMatchObject(diskFull);
    const remove = create(KVServiceDeleteRequestSchema, { key: 'kept' });
    await submit(group, kvMethod.delete, toBinary(KVServiceDeleteRequestSchema, remove));
    const all = create(DeleteKeysSchema, { keys: ['other'] });
    await submit(group, internalMethod.deleteKeys, toBinary(DeleteKeysSchema, all));
    clock.now_ms += 5000;
    await expect.poll(() => group.state.kv.keys).toBe(0);
  });
});

describe('a clock that is set back', () => {
  it('does not keep from happening what falls due', async () => {
    const { group, clock } = await startHost();
    const ttl = { seconds: 0n, nanos: 50e6 };
    const brief = create(KVServiceSetRequestSchema, { key: 'brief', value: new Uint8Array(9), ttl });
    await submit(group, kvMethod.set, toBinary(KVServiceSetRequestSchema, brief));
    clock.now_ms -= 3_600_000;
    group.now();
    clock.now_ms += 1000;
    clock.monotonic_ms += 1000;
    await expect.poll(() => group.state.kv.keys).toBe(0);
  });
});

describe('stopping', () => {
  it('does not wait for writes that cannot be finished, and leaves them in doubt', async () => {
    const { host, group, log, fatal } = await startHost();
    log.holding = true;
    const logged = set(group, 'logged', 'x');
    await turns(3);
    log.full = true;
    const stopped = host.stop();
    await expect(logged).rejects.toMatchObject({
      reason: ErrorReason.DRAINING,
      message: expect.stringMatching(/may still be applied/),
    });
    await stopped;
    // What the log says afterwards changes nothing any more.
    const { appliedIndex } = group.state;
    log.letGo();
    await turns(3);
    expect(group.state.appliedIndex).toBe(appliedIndex);
    expect(fatal).toEqual([]);
  });

  it('refuses reads as well afterwards', async () => {
    const { host, group } = await startHost();
    await host.stop();
    await expect(get(group, 'a')).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
  });
});

describe('a log that cannot be applied', () => {
  it('fails the start, with its reason', async () => {
    const log = new HeldLog();
    log.keepsAll = true;
    const first = await startHost({ log });
    await set(first.group, 'a', 'x');
    await first.host.stop();
    const { lastIndex, lastTerm } = log.groupState(1);
    const fromTheFuture = new Uint8Array([0x08, 0x63]);
    log.append(1, [{ index: lastIndex + 1, term: lastTerm, kind: EntryKind.NORMAL, data: fromTheFuture }]);
    const { host, fatal } = makeHost({ log, store: openMemoryStore() });
    await expect(host.start()).rejects.toThrow(/level 99/);
    expect(fatal).toEqual([]);
  });

  it('leaves nothing behind that a checkpoint could keep', async () => {
    const log = new HeldLog();
    const first = await startHost({ log });
    for (let i = 0; i < 5; i++) await increment(first.group, 'count');
    const store = openMemoryStore();
    let checkpoints = 0;
    const counting = new Proxy(store, {
      get(target, name) {
        if (name === 'checkpoint') checkpoints++;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const second = await startHost({ log, store: counting });
    second.host.fail(new Error('EIO'));
    const before = checkpoints;
    await second.host.stop();
    expect(checkpoints).toBe(before);
  });
});
