import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { WalClosedError, WalCompactedError, WalFullError } from './errors.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { contentOf, entriesOf, flushed, openOn, plain, segmentsOn, until } from './test-support.ts';
import { Wal } from './wal.ts';

describe('a log', () => {
  test('knows nothing of a group it never saw', async () => {
    const wal = await openOn(new SimulatedDisk());
    expect(wal.groupState(7)).toEqual({
      hardState: { term: 0, vote: 0, commit: 0 },
      firstIndex: 1,
      lastIndex: 0,
      lastTerm: 0,
      snapshotIndex: 0,
      snapshotTerm: 0,
    });
    expect(wal.entries(7, 1, 10, 100)).toEqual([]);
    expect(wal.term(7, 0)).toBe(0);
    expect(wal.term(7, 1)).toBeUndefined();
    expect([...wal.groups()]).toEqual([]);
  });

  test('shows what is buffered at once', async () => {
    const wal = await openOn(new SimulatedDisk());
    wal.append(1, entriesOf(1, 3, 2));
    wal.saveHardState(1, { term: 2, vote: 9, commit: 1 });
    expect(wal.groupState(1)).toMatchObject({
      hardState: { term: 2, vote: 9, commit: 1 },
      lastIndex: 3,
      lastTerm: 2,
    });
    expect(contentOf(wal, 1)).toEqual(entriesOf(1, 3, 2));
  });

  test('gives back after a reopen what was flushed, for every group', async () => {
    const disk = new SimulatedDisk();
    const first = await openOn(disk);
    const huge = 2 ** 40 + 5;
    for (let group = 0; group < 50; group++) {
      first.append(group, entriesOf(1, 1 + (group % 7), 3));
      first.saveHardState(group, { term: 3, vote: huge, commit: group % 2 });
    }
    await flushed(first);
    await first.close();
    const second = await openOn(disk);
    expect([...second.groups()].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    for (let group = 0; group < 50; group++) {
      expect(contentOf(second, group)).toEqual(entriesOf(1, 1 + (group % 7), 3));
      expect(second.groupState(group).hardState).toEqual({ term: 3, vote: huge, commit: group % 2 });
    }
  });

  test('replaces the suffix from an index it already has', async () => {
    const disk = new SimulatedDisk();
    const first = await openOn(disk);
    first.append(1, entriesOf(1, 10, 1));
    await flushed(first);
    first.append(1, entriesOf(4, 6, 2));
    const expected = [...entriesOf(1, 3, 1), ...entriesOf(4, 6, 2)];
    expect(contentOf(first, 1)).toEqual(expected);
    expect([3, 4, 6, 7].map((index) => first.term(1, index))).toEqual([1, 2, 2, undefined]);
    await flushed(first);
    await first.close();
    expect(contentOf(await openOn(disk), 1)).toEqual(expected);
  });

  test('refuses gaps, entries out of order, and overwriting what is released', async () => {
    const wal = await openOn(new SimulatedDisk());
    wal.append(1, entriesOf(1, 5));
    wal.release(1, 3);
    expect(() => wal.append(1, entriesOf(7, 8))).toThrow(RangeError);
    expect(() => wal.append(1, [...entriesOf(6, 6), ...entriesOf(8, 8)])).toThrow(RangeError);
    expect(() => wal.append(1, entriesOf(3, 3))).toThrow(RangeError);
    expect(contentOf(wal, 1)).toEqual(entriesOf(1, 5));
    wal.append(1, entriesOf(4, 4, 2));
    expect(wal.groupState(1).lastIndex).toBe(4);
  });

  test('restarts a group after a snapshot, and forgets a removed one', async () => {
    const disk = new SimulatedDisk();
    const first = await openOn(disk);
    for (const group of [1, 2, 3]) {
      first.append(group, entriesOf(1, 5));
      first.saveHardState(group, { term: 1, vote: 1, commit: 5 });
    }
    first.resetGroup(1, 100, 7);
    first.append(1, entriesOf(101, 102, 8));
    first.removeGroup(2);
    first.removeGroup(3);
    first.append(3, entriesOf(1, 1, 9));
    await flushed(first);
    const check = (wal: Wal) => {
      expect(wal.groupState(1)).toMatchObject({
        firstIndex: 101,
        snapshotIndex: 100,
        snapshotTerm: 7,
        lastTerm: 8,
      });
      expect(wal.term(1, 100)).toBe(7);
      expect(wal.term(1, 99)).toBeUndefined();
      expect(() => wal.entries(1, 100, 102, 1000)).toThrow(WalCompactedError);
      expect(contentOf(wal, 1)).toEqual(entriesOf(101, 102, 8));
      expect([...wal.groups()]).toEqual([1, 3]);
      expect(wal.groupState(3).hardState.term).toBe(0);
      expect(contentOf(wal, 3)).toEqual(entriesOf(1, 1, 9));
    };
    check(first);
    await first.close();
    check(await openOn(disk));
  });

  test('bounds a read by bytes, but always gives one entry', async () => {
    const wal = await openOn(new SimulatedDisk());
    wal.append(1, entriesOf(1, 10, 1, 100));
    expect(wal.entries(1, 2, 11, 350).map((entry) => entry.index)).toEqual([2, 3, 4]);
    expect(wal.entries(1, 2, 11, 1).map((entry) => entry.index)).toEqual([2]);
    expect(wal.entries(1, 2, 4, 10_000).map((entry) => entry.index)).toEqual([2, 3]);
  });

  test('reads back from disk what left the cache, overwritten parts included', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { cacheBytes: 600 });
    wal.append(2, entriesOf(1, 2));
    for (let index = 1; index <= 60; index++) {
      wal.append(1, entriesOf(index, index, 1, 100));
      if (index % 10 === 0) wal.append(1, entriesOf(index - 3, index, 2 + index, 100));
      await flushed(wal);
    }
    const reads = disk.count('read');
    const expected = [];
    for (let index = 1; index <= 60; index++) {
      const tens = Math.ceil(index / 10) * 10;
      expected.push(...entriesOf(index, index, tens - index <= 3 ? 2 + tens : 1, 100));
    }
    expect(contentOf(wal, 1)).toEqual(expected);
    expect(disk.count('read')).toBeGreaterThan(reads);
    const before = disk.count('read');
    expect(plain(wal.entries(1, 60, 61, 1000))).toEqual(expected.slice(-1));
    expect(disk.count('read')).toBe(before);
    expect(contentOf(wal, 2)).toEqual(entriesOf(1, 2));
  });

  test('refuses to buffer without bound', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { maxPendingBytes: 2000 });
    wal.append(1, entriesOf(1, 10, 1, 100));
    expect(() => wal.append(1, entriesOf(11, 20, 1, 100))).toThrow(new WalFullError());
    expect(wal.groupState(1).lastIndex).toBe(10);
    await flushed(wal);
    wal.append(1, entriesOf(11, 20, 1, 100));
    await flushed(wal);
    expect(wal.pendingBytes).toBe(0);
    wal.append(1, entriesOf(21, 21, 1, 5000)); // alone, a larger one passes
    await flushed(wal);
    expect(contentOf(wal, 1).length).toBe(21);
  });
});

describe('a flush', () => {
  test('costs one write and one fdatasync for all groups', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 1 << 20 });
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    const [writes, syncs] = [disk.count('write'), disk.count('fdatasync')];
    for (let group = 1; group <= 20; group++) wal.append(group, entriesOf(1, 5));
    await flushed(wal);
    expect(disk.count('write') - writes).toBe(1);
    expect(disk.count('fdatasync') - syncs).toBe(1);
  });

  test('gathers what comes while another is under way, and calls back in order', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 1 << 20 });
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    const syncs = disk.count('fdatasync');
    disk.holdSyncs();
    const order: number[] = [];
    for (let i = 1; i <= 10; i++) {
      wal.append(1, entriesOf(i, i));
      wal.flush(() => order.push(i));
    }
    expect(disk.count('fdatasync') - syncs).toBe(1);
    expect(order).toEqual([]);
    disk.releaseSyncs();
    await until(() => order.length === 10);
    expect(order).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(disk.count('fdatasync') - syncs).toBe(2);
  });

  test('of nothing calls back too, later, and without touching the disk', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk);
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    const operations = disk.count('write') + disk.count('fdatasync');
    let called = false;
    wal.flush(() => {
      called = true;
    });
    expect(called).toBe(false);
    await until(() => called);
    expect(disk.count('write') + disk.count('fdatasync')).toBe(operations);
  });

  test('may come before its fdatasync in the relaxed mode, which syncs soon after', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 1 << 20, fsyncIntervalMs: 1 });
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    disk.holdSyncs();
    const syncs = disk.count('fdatasync');
    wal.append(1, entriesOf(1, 3));
    await flushed(wal);
    await until(() => disk.count('fdatasync') > syncs);
    disk.releaseSyncs();
    wal.append(1, entriesOf(4, 5));
    await flushed(wal);
    await wal.close();
    disk.crash();
    expect(contentOf(await openOn(disk), 1)).toEqual(entriesOf(1, 5));
  });
});

describe('segments', () => {
  test('follow each other, and are all read back', async () => {
    const disk = new SimulatedDisk();
    const first = await openOn(disk);
    for (let index = 1; index <= 100; index += 10) {
      first.append(1, entriesOf(index, index + 9, 1, 150)); // about half a segment
      await flushed(first);
    }
    expect(segmentsOn(disk).length).toBeGreaterThan(4);
    await first.close();
    expect(contentOf(await openOn(disk), 1)).toEqual(entriesOf(1, 100, 1, 150));
  });

  test('take one append that spans several of them, and an entry larger than any', async () => {
    const disk = new SimulatedDisk();
    const first = await openOn(disk);
    const entries = [...entriesOf(1, 60, 1, 200), ...entriesOf(61, 61, 1, 20_000), ...entriesOf(62, 70)];
    first.append(1, entries);
    await flushed(first);
    expect(contentOf(first, 1)).toEqual(entries);
    await first.close();
    expect(contentOf(await openOn(disk), 1)).toEqual(entries);
  });

  test('are dropped from the oldest on when all in them is released, but for the tail', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { tailSegments: 2 });
    wal.append(2, entriesOf(1, 1)); // an idle group
    wal.saveHardState(2, { term: 4, vote: 5, commit: 1 });
    for (let index = 1; index <= 60; index++) {
      wal.append(1, entriesOf(index, index, 1, 400));
      await flushed(wal);
    }
    const all = segmentsOn(disk).length;
    wal.release(1, 60);
    await flushed(wal);
    expect(segmentsOn(disk).length).toBe(all); // group 2 pins the oldest
    wal.release(2, 1);
    await until(() => segmentsOn(disk).length === 2);
    const state = wal.groupState(1);
    expect(state.firstIndex).toBeGreaterThan(40);
    expect(state).toMatchObject({ lastIndex: 60, snapshotTerm: 1 });
    expect(contentOf(wal, 1)).toEqual(entriesOf(state.firstIndex, 60, 1, 400));
    expect(wal.groupState(2)).toMatchObject({ firstIndex: 2, snapshotIndex: 1, snapshotTerm: 1 });
    await wal.close();
    const again = await openOn(disk);
    expect(again.groupState(1)).toEqual(state);
    expect(again.groupState(2)).toMatchObject({
      hardState: { term: 4, vote: 5, commit: 1 },
      firstIndex: 2,
      lastIndex: 1,
      lastTerm: 1,
    });
    again.append(2, entriesOf(2, 2, 6));
    expect(again.term(2, 1)).toBe(1);
  });

  test('are recycled, and an old record in one never passes for a current one', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { tailSegments: 1 });
    // Entries of one size, so that old and new batches start at the same places.
    for (let index = 1; index <= 200; index++) {
      wal.append(1, entriesOf(index, index, 1, 300));
      await flushed(wal);
      wal.release(1, index);
    }
    await until(() => segmentsOn(disk).length === 1);
    expect(disk.names().length).toBeLessThanOrEqual(4);
    const [name] = segmentsOn(disk);
    expect(
      disk
        .content(name!)
        .subarray(4000)
        .some((byte) => byte !== 0),
    ).toBe(true); // old content is there
    const state = wal.groupState(1);
    disk.kill();
    const again = await openOn(disk);
    expect(again.groupState(1)).toEqual(state);
    expect(contentOf(again, 1)).toEqual(entriesOf(state.firstIndex, 200, 1, 300));
  });

  test('stay while the overwriting of their entries is not durable', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { tailSegments: 1 });
    wal.append(1, entriesOf(1, 8, 1, 400));
    await flushed(wal);
    wal.append(2, entriesOf(1, 8, 1, 400)); // makes the next segments
    await flushed(wal);
    wal.release(1, 3);
    const all = segmentsOn(disk);
    disk.holdSyncs();
    wal.append(1, entriesOf(4, 4, 2));
    const written = flushed(wal);
    wal.release(2, 8);
    wal.release(1, 4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(segmentsOn(disk)).toEqual(all);
    disk.releaseSyncs();
    await written;
    await until(() => segmentsOn(disk).length === 1);
    await wal.close();
    const again = await openOn(disk);
    expect(again.groupState(1)).toMatchObject({
      lastIndex: 4,
      lastTerm: 2,
      snapshotIndex: 3,
      snapshotTerm: 1,
    });
  });

  test('stay while one overwriting is durable and the next is not', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 1024, tailSegments: 1 });
    wal.append(1, entriesOf(1, 2));
    await flushed(wal);
    wal.append(1, entriesOf(2, 2, 2, 800)); // a segment of its own
    wal.append(2, entriesOf(1, 1, 1, 800)); // and another one
    wal.flush(() => {});
    wal.resetGroup(1, 10, 3);
    wal.release(2, 1);
    await until(() => segmentsOn(disk).length === 3);
    disk.crash();
    const again = await openOn(disk, { tailSegments: 5 });
    expect(again.groupState(1)).toMatchObject({ firstIndex: 1, lastIndex: 2, lastTerm: 2 });
  });

  test('are cleared of unfinished files at the next start', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk);
    await wal.close();
    disk.mount().open('00000000000000000099.filling', true).writeSync(new Uint8Array(10), 0);
    const again = await openOn(disk);
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    expect(disk.names().some((name) => name.endsWith('.filling'))).toBe(false);
    await again.close();
  });
});

test('a closed log refuses calls, and closing again does no harm', async () => {
  const wal = await openOn(new SimulatedDisk());
  wal.append(1, entriesOf(1, 1));
  await Promise.all([wal.close(), wal.close()]);
  expect(() => wal.append(1, entriesOf(2, 2))).toThrow(WalClosedError);
  expect(() => wal.flush(() => {})).toThrow(WalClosedError);
  expect(wal.writable).toBe(false);
});

describe('on the real file system', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
  });

  test('a log is created, rolled, recycled and read back', async () => {
    const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'gomsg-wal-'));
    folders.push(parent);
    const directory = path.join(parent, 'node', 'wal');
    const options = { segmentBytes: 16_384, cacheBytes: 1000 };
    const first = await Wal.open(directory, options);
    for (let index = 1; index <= 200; index++) {
      first.append(1, entriesOf(index, index, 1, 1000));
      await flushed(first);
      if (index === 100) first.release(1, 100);
    }
    first.append(2, entriesOf(1, 1, 1, 400_000)); // past what is written synchronously
    await flushed(first);
    const state = first.groupState(1);
    expect(state.firstIndex).toBeGreaterThan(50);
    expect(contentOf(first, 1)).toEqual(entriesOf(state.firstIndex, 200, 1, 1000));
    await first.close();
    const second = await Wal.open(directory, options);
    expect(second.groupState(1)).toEqual(state);
    expect(contentOf(second, 1)).toEqual(entriesOf(state.firstIndex, 200, 1, 1000));
    expect(contentOf(second, 2)).toEqual(entriesOf(1, 1, 1, 400_000));
    await second.close();
  });
});
