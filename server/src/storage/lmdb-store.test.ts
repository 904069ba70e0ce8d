import { describe, expect, it, vi } from 'vitest';
import { WAIT } from '../testing/wait.ts';
import {
  DataFolderLockedError,
  InvalidKeyError,
  OutOfSpaceError,
  SnapshotLimitError,
  SnapshotReleasedError,
  StoreClosedError,
  StoreFailedError,
  ValueTooLargeError,
} from './errors.ts';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, type OutOfSpace, type Store } from './store.ts';
import { bytes, HeldWriter, InlineWriter, openStore, temporaryFolder, textOf } from './testing/stores.ts';

const KiB = 1024;

const keyOf = (n: number) => `row ${String(n).padStart(8, '0')}`;

async function openHeld(options: Parameters<typeof openStore>[1] = {}) {
  const folder = temporaryFolder();
  const writer = new HeldWriter(new InlineWriter(folder));
  const store = await openStore(folder, { writer, ...options });
  return { folder, writer, store };
}

const keysIn = (store: Pick<Store, 'range'>) =>
  [...store.range({ from: '', to: '\xff', keysOnly: true })].map((row) => row.key);

describe('rows', () => {
  it('survive a close and an opening, with the longest key and the longest value', async () => {
    const folder = temporaryFolder();
    const rows = new Map([
      ['\0', new Uint8Array(0)],
      ['\xff'.repeat(MAX_KEY_BYTES), bytes('longest key')],
      ['large', new Uint8Array(MAX_VALUE_BYTES).fill(7)],
      ['larger than a chunk', new Uint8Array(1024 * KiB + 1).fill(9)],
    ]);
    const first = await openStore(folder);
    for (const [key, value] of rows) first.put(key, value);
    await first.checkpoint();
    await first.close();
    const second = await openStore(folder);
    for (const [key, value] of rows) expect(Buffer.compare(second.get(key) ?? bytes('none'), value)).toBe(0);
    expect(keysIn(second)).toEqual([...rows.keys()].filter((key) => key < '\xff').sort());
    const [last] = second.range({ from: '', to: '\xff'.repeat(MAX_KEY_BYTES + 1), reverse: true, limit: 1 });
    expect(textOf(last?.value)).toBe('longest key');
    await second.close();
  });

  it('do not change with the buffers they were put from or read into', async () => {
    const store = await openStore(temporaryFolder());
    const buffer = bytes('before');
    store.put('key', buffer);
    buffer.fill(0);
    for (const flushed of [false, true]) {
      if (flushed) await store.checkpoint();
      const value = store.get('key');
      expect(textOf(value)).toBe('before');
      store.put('other', bytes('longer than the first one'));
      store.get('other');
      store.get('key')?.fill(1);
      expect(textOf(value)).toBe('before');
      expect(textOf(store.get('key'))).toBe('before');
    }
    await store.close();
  });

  it('are refused with keys, bounds and values that could not be kept', async () => {
    const store = await openStore(temporaryFolder());
    const value = bytes('value');
    expect(() => store.put('', value)).toThrow(InvalidKeyError);
    expect(() => store.put('k'.repeat(MAX_KEY_BYTES + 1), value)).toThrow(InvalidKeyError);
    expect(() => store.put('€', value)).toThrow(InvalidKeyError);
    // Cut to its low byte this would be the key 'A'.
    store.put('A', value);
    expect(() => store.get('\u0141')).toThrow(InvalidKeyError);
    expect(() => store.put('key', new Uint8Array(MAX_VALUE_BYTES + 1))).toThrow(ValueTooLargeError);
    expect(() => store.range({ from: '', to: 'k'.repeat(MAX_KEY_BYTES + 2) })).toThrow(InvalidKeyError);
    expect(() => store.deleteRange('k'.repeat(MAX_KEY_BYTES + 2), '\xff')).toThrow(InvalidKeyError);
    expect(keysIn(store)).toEqual(['A']);
    await store.close();
  });

  it('of a long walk come in pages that values cannot make too large', async () => {
    const store = await openStore(temporaryFolder());
    for (let i = 0; i < 40; i++) store.put(keyOf(i), new Uint8Array(200 * KiB).fill(i));
    await store.checkpoint();
    let seen = 0;
    for (const { value } of store.range({ from: '', to: '\xff' })) {
      expect(value).toHaveLength(200 * KiB);
      expect(value[0]).toBe(seen++);
    }
    expect(seen).toBe(40);
    await store.close();
  });
});

describe('deletions', () => {
  it('of a whole range reach LMDB with the next checkpoint', async () => {
    const folder = temporaryFolder();
    const store = await openStore(folder);
    for (let i = 0; i < 10_000; i++) store.put(keyOf(i), bytes('value'));
    await store.checkpoint();
    store.deleteRange(keyOf(10), keyOf(9990));
    store.put(keyOf(500), bytes('written after'));
    const left = [
      ...Array.from({ length: 10 }, (_, i) => i),
      500,
      ...Array.from({ length: 10 }, (_, i) => 9990 + i),
    ];
    expect(keysIn(store)).toEqual(left.map(keyOf));
    await store.checkpoint();
    await store.close();
    const again = await openStore(folder);
    expect(keysIn(again)).toEqual(left.map(keyOf));
    await again.close();
  });

  it('at the head of a range do not slow the next look at it', async () => {
    const store = await openStore(temporaryFolder());
    const rows = 30_000;
    for (let i = 0; i < rows; i++) store.put(keyOf(i), bytes('value'));
    await store.checkpoint();
    // Stepping over every deletion each time would be 450 million steps.
    for (let i = 0; i < rows; i++) {
      const [row] = store.range({ from: '', to: '\xff', limit: 1, keysOnly: true });
      expect(row?.key).toBe(keyOf(i));
      store.delete(keyOf(i));
    }
    expect(store.overlayBytes).toBeLessThan(rows * 100);
    expect(keysIn(store)).toEqual([]);
    await store.close();
  });
});

describe('a checkpoint', () => {
  it('is due when the overlay is large, or its oldest write old', async () => {
    let now = 0;
    const { store, writer } = await openHeld({
      checkpointBytes: 64 * KiB,
      checkpointAgeMs: 1000,
      now: () => now,
    });
    expect(store.shouldCheckpoint).toBe(false);
    store.put('key', bytes('value'));
    now = 999;
    expect(store.shouldCheckpoint).toBe(false);
    now = 1000;
    expect(store.shouldCheckpoint).toBe(true);
    const first = store.checkpoint();
    expect(store.shouldCheckpoint).toBe(false);
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.go();
    await first;
    expect(store.shouldCheckpoint).toBe(false);
    store.put('key', new Uint8Array(64 * KiB));
    expect(store.shouldCheckpoint).toBe(true);
    await store.close();
  });

  it('has what was written before it and not what came later', async () => {
    const { store, writer, folder } = await openHeld();
    store.put('before', bytes('1'));
    const checkpoint = store.checkpoint();
    store.put('after', bytes('2'));
    store.put('before', bytes('3'));
    expect(store.checkpoint()).toBe(checkpoint);
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.go();
    await checkpoint;
    const below = new InlineWriter(folder);
    expect(below.rows()).toEqual([['before', '1']]);
    expect(textOf(store.get('before'))).toBe('3');
    const second = store.checkpoint();
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.go();
    await second;
    expect(below.rows()).toEqual([
      ['after', '2'],
      ['before', '3'],
    ]);
    await store.close();
    await below.close();
  });

  it('holds writers back while the overlay is full, and lets them go on after', async () => {
    const onUnblocked = vi.fn();
    const { store, writer } = await openHeld({ maxOverlayBytes: 256 * KiB, onUnblocked });
    store.put('frozen', new Uint8Array(200 * KiB));
    const checkpoint = store.checkpoint();
    expect(store.blocked).toBe(false);
    store.put('active', new Uint8Array(100 * KiB));
    expect(store.blocked).toBe(true);
    await vi.waitUntil(() => writer.holds, WAIT);
    expect(onUnblocked).not.toHaveBeenCalled();
    writer.go();
    await checkpoint;
    expect(store.blocked).toBe(false);
    expect(onUnblocked).toHaveBeenCalledOnce();
    expect(store.overlayBytes).toBeLessThan(110 * KiB);
    const second = store.checkpoint();
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.go();
    await second;
    expect(onUnblocked).toHaveBeenCalledOnce();
    await store.close();
  });

  it('is not started without room for it, and is once there is', async () => {
    let freeBytes = 1;
    let now = 0;
    const changes: (OutOfSpace | undefined)[] = [];
    const folder = temporaryFolder();
    const store = await openStore(folder, {
      checkpointBytes: 1,
      freeDiskBytes: () => freeBytes,
      now: () => now,
      onSpaceChange: (space) => changes.push(space),
    });
    store.put('key', bytes('value'));
    expect(store.shouldCheckpoint).toBe(true);
    await expect(store.checkpoint()).rejects.toThrow(OutOfSpaceError);
    expect(store.outOfSpace).toMatchObject({ where: 'disk space', freeBytes: 1 });
    expect(store.shouldCheckpoint).toBe(false);
    expect(textOf(store.get('key'))).toBe('value');
    now += 1000;
    expect(store.shouldCheckpoint).toBe(true);
    await expect(store.checkpoint()).rejects.toThrow(OutOfSpaceError);
    freeBytes = 1e12;
    await store.checkpoint();
    expect(store.outOfSpace).toBeUndefined();
    expect(changes).toEqual([expect.objectContaining({ where: 'disk space' }), undefined]);
    await store.close();
  });

  it('is not started when the database could outgrow its map', async () => {
    const store = await openStore(temporaryFolder(), { mapSizeBytes: 20 * 1024 * KiB });
    store.put('key', new Uint8Array(3 * 1024 * KiB));
    await expect(store.checkpoint()).rejects.toThrow(OutOfSpaceError);
    expect(store.outOfSpace?.where).toBe('database map');
    await store.close();
  });

  it('that fails leaves a dead store and tells its owner', async () => {
    const onFatal = vi.fn();
    const { store, writer } = await openHeld({ onFatal });
    store.put('key', bytes('value'));
    const snapshot = store.snapshot();
    const checkpoint = store.checkpoint();
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.fail(new Error('EIO'));
    await expect(checkpoint).rejects.toThrow(StoreFailedError);
    expect(onFatal).toHaveBeenCalledOnce();
    expect(onFatal.mock.calls[0]?.[0]).toBeInstanceOf(StoreFailedError);
    for (const call of [
      () => store.get('key'),
      () => store.has('key'),
      () => store.put('key', bytes('')),
      () => store.delete('key'),
      () => store.deleteRange('a', 'b'),
      () => store.range({ from: '', to: '\xff' }),
      () => store.snapshot(),
    ]) {
      expect(call).toThrow(StoreFailedError);
    }
    await expect(store.checkpoint()).rejects.toThrow(StoreFailedError);
    expect(store.shouldCheckpoint).toBe(false);
    await store.close();
    expect(snapshot.released).toBe(true);
  });
});

describe('a snapshot', () => {
  it('stays as it was, through later writes and checkpoints', async () => {
    const store = await openStore(temporaryFolder());
    store.put('a', bytes('1'));
    await store.checkpoint();
    store.put('b', bytes('2'));
    const snapshot = store.snapshot();
    store.put('a', bytes('changed'));
    store.deleteRange('', '\xff');
    store.put('c', bytes('3'));
    await store.checkpoint();
    store.put('d', bytes('4'));
    await store.checkpoint();
    expect(keysIn(snapshot)).toEqual(['a', 'b']);
    expect(textOf(snapshot.get('a'))).toBe('1');
    expect(snapshot.has('c')).toBe(false);
    expect(keysIn(store)).toEqual(['c', 'd']);
    snapshot.release();
    expect(() => snapshot.get('a')).toThrow(SnapshotReleasedError);
    await store.close();
  });

  it('can be walked over many turns of the event loop', async () => {
    const store = await openStore(temporaryFolder());
    for (let i = 0; i < 2000; i++) store.put(keyOf(i), bytes('old'));
    await store.checkpoint();
    const snapshot = store.snapshot();
    let seen = 0;
    for (const row of snapshot.range({ from: '', to: '\xff' })) {
      expect(row.key).toBe(keyOf(seen));
      expect(textOf(row.value)).toBe('old');
      if (seen++ % 100 === 0) {
        for (let i = 0; i < 2000; i += 50) store.put(keyOf(i), bytes('new'));
        await store.checkpoint();
      }
    }
    expect(seen).toBe(2000);
    snapshot.release();
    await store.close();
  });

  it('is refused past the limit, and ends at its age', async () => {
    const store = await openStore(temporaryFolder(), { maxSnapshots: 2, maxSnapshotAgeMs: 5 });
    const first = store.snapshot();
    store.snapshot();
    expect(() => store.snapshot()).toThrow(SnapshotLimitError);
    const rows = first.range({ from: '', to: '\xff' });
    await vi.waitUntil(() => first.released, WAIT);
    expect(() => rows.next()).toThrow(SnapshotReleasedError);
    store.snapshot().release();
    await store.close();
  });

  it('is refused when too many were taken since the last checkpoint', async () => {
    const store = await openStore(temporaryFolder());
    const take = () => {
      store.put('key', bytes('value'));
      store.snapshot().release();
    };
    for (let i = 0; i < 8; i++) take();
    expect(take).toThrow(SnapshotLimitError);
    await store.checkpoint();
    take();
    await store.close();
  });
});

describe('a closed store', () => {
  it('refuses every call and frees its folder', async () => {
    const folder = temporaryFolder();
    const store = await openStore(folder);
    store.put('key', bytes('value'));
    const rows = store.range({ from: '', to: '\xff' });
    await expect(openStore(folder)).rejects.toThrow(DataFolderLockedError);
    const closed = store.close();
    expect(store.close()).toBe(closed);
    await closed;
    expect(() => store.get('key')).toThrow(StoreClosedError);
    expect(() => rows.next()).toThrow(StoreClosedError);
    const again = await openStore(folder);
    // Nobody said that the row was to be kept.
    expect(keysIn(again)).toEqual([]);
    await again.close();
  });

  it('waits for the checkpoint under way', async () => {
    const { store, writer, folder } = await openHeld();
    store.put('kept', bytes('value'));
    const checkpoint = store.checkpoint();
    store.put('dropped', bytes('value'));
    const closed = store.close();
    await vi.waitUntil(() => writer.holds, WAIT);
    writer.go();
    await Promise.all([checkpoint, closed]);
    const again = await openStore(folder);
    expect(keysIn(again)).toEqual(['kept']);
    await again.close();
  });
});
