import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVServiceSetRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import type { Failure } from '../state/failure.ts';
import { kvMethod } from '../state/kv/method-numbers.ts';
import { openMemoryStore } from '../storage/memory-store.ts';
import type { Store } from '../storage/store.ts';
import {
  CrampedStore,
  get,
  HeldLog,
  increment,
  set,
  startHost,
  submit,
  turns,
} from './testing/host-fixture.ts';

describe('a group that is alone', () => {
  it('answers writes and then reads them', async () => {
    const { group } = await startHost();
    await set(group, 'name', 'alice');
    expect(await get(group, 'name')).toContain('alice');
  });

  it('answers no write before the log has it, and reads do not see it before', async () => {
    const { group, log } = await startHost();
    log.holding = true;
    let answered = false;
    const write = set(group, 'name', 'alice').then(() => {
      answered = true;
    });
    await turns(20);
    expect(answered).toBe(false);
    expect(await get(group, 'name')).toBeUndefined();
    log.letGo();
    await write;
    expect(await get(group, 'name')).toContain('alice');
  });

  it('puts all writes of a turn into one entry and one sync', async () => {
    const { group, log } = await startHost();
    const { commit } = group.status();
    const syncs = log.syncs;
    await Promise.all(Array.from({ length: 200 }, (_, i) => set(group, `key-${i}`, 'x')));
    expect(group.status().commit).toBe(commit + 1);
    expect(log.syncs).toBe(syncs + 1);
  });

  it('applies a long turn in steps and lets others have theirs in between', async () => {
    const { group, log } = await startHost();
    const syncs = log.syncs;
    let answered = 0;
    const writes = Array.from({ length: 5000 }, async (_, i) => {
      await set(group, `key-${i}`, 'x');
      answered++;
    });
    const seen: number[] = [];
    while (answered < 5000) {
      await turns(1);
      seen.push(answered);
    }
    await Promise.all(writes);
    expect(log.syncs).toBe(syncs + 1);
    expect(new Set(seen).size).toBeGreaterThan(10);
  });

  it('shares the sync of a turn between groups', async () => {
    const { host, log } = await startHost({ groups: 8 });
    const syncs = log.syncs;
    await Promise.all(host.groups.map((group) => set(group, 'key', 'x')));
    expect(log.syncs).toBe(syncs + 1);
  });

  it('spreads a turn that is too large for one entry over several, in order', async () => {
    const { group } = await startHost();
    const value = 'x'.repeat(1024 * 1024);
    const { commit } = group.status();
    await Promise.all(Array.from({ length: 10 }, (_, i) => set(group, 'key', `${i}${value}`)));
    expect(group.status().commit).toBeGreaterThan(commit + 1);
    expect(await get(group, 'key')).toContain('9xx');
  });

  it('applies a retried command once', async () => {
    const { group } = await startHost();
    const call = { sessionId: 5n << 22n, sequence: 1, answeredBelow: 0, retry: false };
    expect(await increment(group, 'count', call)).toBe(1n);
    expect(await increment(group, 'count', { ...call, retry: true })).toBe(1n);
    expect(await increment(group, 'count', { ...call, sequence: 2 })).toBe(2n);
  });

  it('applies a command once when its retry is in the same entry', async () => {
    const { group } = await startHost();
    const call = { sessionId: 5n << 22n, sequence: 1, answeredBelow: 0, retry: false };
    const both = await Promise.all([
      increment(group, 'count', call),
      increment(group, 'count', { ...call, retry: true }),
    ]);
    expect(both).toEqual([1n, 1n]);
  });

  it('never lets time go back', async () => {
    const { group, clock } = await startHost();
    await set(group, 'a', 'x');
    const before = group.now();
    clock.now_ms -= 3_600_000;
    await set(group, 'b', 'x');
    expect(group.state.stamp_ms).toBeGreaterThanOrEqual(before);
    expect(group.now()).toBeGreaterThanOrEqual(before);
  });

  it('proposes what falls due by itself', async () => {
    const { group, clock } = await startHost();
    const request = create(KVServiceSetRequestSchema, {
      key: 'brief',
      value: Buffer.from('x'),
      ttl: { seconds: 0n, nanos: 20e6 },
    });
    await submit(group, kvMethod.set, toBinary(KVServiceSetRequestSchema, request));
    expect(group.state.kv.keys).toBe(1);
    clock.now_ms += 1000;
    await expect.poll(() => group.state.kv.keys).toBe(0);
  });
});

describe('a failing log', () => {
  it('ends everything: the writes under way and later ones are never answered', async () => {
    const { group, log, fatal } = await startHost();
    log.holding = true;
    let answered = 0;
    const count = () => answered++;
    void set(group, 'a', 'x').then(count, count);
    await turns(5);
    log.letGo(new Error('EIO'));
    void set(group, 'b', 'x').then(count, count);
    await turns(20);
    expect(fatal.map(({ message }) => message)).toEqual(['EIO']);
    expect(answered).toBe(0);
  });
});

describe('a store without room', () => {
  it('refuses writes, answers reads, and takes writes again once there is room', async () => {
    const cramped = new CrampedStore();
    const { group } = await startHost({ store: cramped.store });
    await set(group, 'kept', 'x');
    cramped.outOfSpace = { where: 'disk space', freeBytes: 1, neededBytes: 2 };
    await expect(set(group, 'refused', 'x')).rejects.toMatchObject({
      reason: ErrorReason.DISK_FULL,
    } satisfies Partial<Failure>);
    expect(await get(group, 'kept')).toBeDefined();
    cramped.outOfSpace = undefined;
    await set(group, 'taken', 'x');
  });

  it('lets writes wait while the overlay is full, and goes on with them', async () => {
    const cramped = new CrampedStore();
    const { host, group } = await startHost({ store: cramped.store });
    cramped.blocked = true;
    let answered = false;
    const write = set(group, 'a', 'x').then(() => {
      answered = true;
    });
    await turns(20);
    expect(answered).toBe(false);
    cramped.blocked = false;
    host.resume();
    await write;
  });
});

describe('a checkpoint', () => {
  it('waits for the log: state without the entries that made it must never be on disk', async () => {
    const store = openMemoryStore();
    let sources: Promise<void> | undefined;
    const watched = new Proxy(store, {
      get(target, name) {
        if (name === 'checkpoint') {
          return (given: Promise<void>) => {
            sources = given;
            return given;
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    let letSync = () => {};
    class LaggingLog extends HeldLog {
      lagging = true;
      override sync(): Promise<void> {
        if (!this.lagging) return Promise.resolve();
        return new Promise((resolve) => {
          letSync = resolve;
        });
      }
    }
    const log = new LaggingLog();
    const { host, group } = await startHost({ store: watched, log });
    await set(group, 'a', 'x');
    const done = host.checkpoint();
    await turns(5);
    expect(sources).toBeDefined();
    expect(host.flushedIndex(group.id)).toBe(0);
    log.lagging = false;
    letSync();
    await done;
    expect(host.flushedIndex(group.id)).toBe(group.state.appliedIndex);
  });
});

describe('a node that starts again', () => {
  it('replays what its log holds beyond the store, and goes on from there', async () => {
    const log = new HeldLog();
    const first = await startHost({ log });
    for (let i = 0; i < 50; i++) await increment(first.group, 'count');
    // A new store: everything has to come from the log.
    const second = await startHost({ log });
    expect(await increment(second.group, 'count')).toBe(51n);
    expect(second.group.status().term).toBeGreaterThan(first.group.status().term);
  });

  it('replays into the same state, byte for byte', async () => {
    const log = new HeldLog();
    log.keepsAll = true;
    const stores = [openMemoryStore(), openMemoryStore()] as const;
    const first = await startHost({ log, store: stores[0] });
    for (let i = 0; i < 20; i++) {
      await Promise.all([set(first.group, `k${i % 7}`, `${i}`), increment(first.group, 'count')]);
    }
    await first.host.stop();
    const second = await startHost({ log, store: stores[1] });
    const rows = (store: Store) =>
      [...store.range({ from: '', to: '\xff\xff\xff' })]
        .filter(({ key }) => !key.includes('applied'))
        .map(({ key, value }) => [key, Buffer.from(value).toString('hex')]);
    second.group.state.save();
    expect(rows(stores[1])).toEqual(rows(stores[0]));
  });

  it('refuses a log that ends before the store', async () => {
    const store = openMemoryStore();
    const first = await startHost({ store });
    await set(first.group, 'a', 'x');
    await first.host.checkpoint();
    await expect(startHost({ store, log: new HeldLog() })).rejects.toThrow(/put the whole data folder back/);
  });
});

describe('stopping', () => {
  it('answers what was taken and refuses the rest', async () => {
    const { host, group, log } = await startHost();
    log.holding = true;
    const taken = set(group, 'a', 'x');
    await turns(3);
    const stopped = host.stop();
    log.holding = false;
    log.letGo();
    await taken;
    await stopped;
    await expect(set(group, 'b', 'x')).rejects.toMatchObject({ reason: ErrorReason.DRAINING });
  });
});

describe('a write that cannot be encoded', () => {
  // No session has such an id: 64 bits do not hold it.
  const session = { sessionId: 2n ** 64n, sequence: 1, answeredBelow: 0, retry: false };

  it('costs its caller that call, and neither its neighbours nor the node', async () => {
    const { group, fatal, bugs } = await startHost();
    const writes = [
      set(group, 'before', 'x'),
      submit(group, kvMethod.set, new Uint8Array(), session),
      set(group, 'after', 'x'),
    ];
    expect((await Promise.allSettled(writes)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    await expect(writes[1]).rejects.toMatchObject({
      reason: ErrorReason.INTERNAL,
      message: expect.stringContaining('was not done'),
    });
    expect(await get(group, 'after')).toContain('x');
    expect(fatal).toEqual([]);
    expect(bugs).toEqual([expect.stringContaining('encoding a write of method')]);
  });

  it('fails alone when nothing else waits', async () => {
    const { group, bugs } = await startHost();
    const before = group.state.appliedIndex;
    await expect(submit(group, kvMethod.set, new Uint8Array(), session)).rejects.toMatchObject({
      reason: ErrorReason.INTERNAL,
    });
    await turns(3);
    expect(group.state.appliedIndex).toBe(before);
    expect(bugs).toHaveLength(1);
  });
});
