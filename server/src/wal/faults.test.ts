import { expect, test } from 'vitest';
import { WalFailedError } from './errors.ts';
import { type DiskOperation, SimulatedDisk } from './simulated-disk.ts';
import { contentOf, entriesOf, flushed, openOn, segmentsOn, until } from './test-support.ts';
import type { Wal } from './wal.ts';

/** The text of what a call of the log ends in. */
async function outcome(wal: Wal): Promise<unknown> {
  return flushed(wal).then(
    () => 'durable',
    (error: unknown) => error,
  );
}

for (const operation of ['write', 'fdatasync'] as const) {
  test(`a failed ${operation} kills the log for good, and what was durable is there after a restart`, async () => {
    const disk = new SimulatedDisk();
    let told = 0;
    const onFailure = () => {
      told++;
    };
    const wal = await openOn(disk, { segmentBytes: 1 << 20, onFailure });
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    wal.append(1, entriesOf(1, 5));
    await flushed(wal);
    disk.fail(operation);
    wal.append(1, entriesOf(6, 7));
    const order: string[] = [];
    wal.flush((error) => order.push(`first ${error?.name}`));
    if (operation === 'fdatasync') wal.flush((error) => order.push(`second ${error?.name}`));
    await until(() => order.length > 0);
    expect(order).toEqual(['first WalFailedError', 'second WalFailedError'].slice(0, order.length));
    expect(told).toBe(1);
    expect(wal.writable).toBe(false);
    const syncs = disk.count('fdatasync');
    expect(() => wal.append(1, entriesOf(8, 8))).toThrow(WalFailedError);
    expect(() => wal.saveHardState(1, { term: 1, vote: 1, commit: 1 })).toThrow(WalFailedError);
    expect(() => wal.flush(() => {})).toThrow(WalFailedError);
    await wal.close();
    expect(disk.count('fdatasync')).toBe(syncs); // an fsync is never tried again
    disk.crash();
    expect(contentOf(await openOn(disk), 1).slice(0, 5)).toEqual(entriesOf(1, 5));
  });
}

test('whichever operation fails while segments roll and are recycled, no durable entry is lost', async () => {
  const operations: DiskOperation[] = ['open', 'write', 'fdatasync', 'rename', 'unlink', 'syncDirectory'];
  for (const operation of operations) {
    for (let after = 0; after < 40; after += 3) {
      const disk = new SimulatedDisk(after);
      const wal = await openOn(disk, { segmentBytes: 2048, tailSegments: 1 });
      disk.fail(operation, after);
      let durable = 0;
      for (let index = 1; index <= 40; index++) {
        try {
          wal.append(1, entriesOf(index, index, 1, 300));
          wal.release(1, durable - 3);
        } catch (error) {
          expect(error).toBeInstanceOf(WalFailedError);
          break;
        }
        const result = await outcome(wal);
        if (result !== 'durable') {
          expect(result).toBeInstanceOf(WalFailedError);
          break;
        }
        durable = index;
      }
      disk.crash();
      disk.clearFaults();
      const again = await openOn(disk);
      const { firstIndex, lastIndex } = again.groupState(1);
      expect(lastIndex).toBeGreaterThanOrEqual(durable);
      expect(firstIndex).toBeLessThanOrEqual(Math.max(1, durable - 2));
      expect(contentOf(again, 1)).toEqual(entriesOf(firstIndex, lastIndex, 1, 300));
    }
  }
});

test('a failed open says so', async () => {
  const disk = new SimulatedDisk();
  disk.fail('fdatasync');
  await expect(openOn(disk)).rejects.toThrow(WalFailedError);
});

test('a full disk is told of, keeps what was accepted, still saves hard states, and ends', async () => {
  const disk = new SimulatedDisk();
  const changes: boolean[] = [];
  const onWritableChange = (writable: boolean) => {
    changes.push(writable);
  };
  const first = await openOn(disk, { onWritableChange });
  await until(() => disk.names().some((name) => name.endsWith('.spare')));
  disk.capacityBytes = disk.usedBytes + 100; // the spare is there, the one after will not be
  expect(first.writable).toBe(true);
  let last = 0;
  while (first.writable) {
    last++;
    first.append(1, entriesOf(last, last, 1, 200));
    await flushed(first);
  }
  expect(first.groupState(1).lastIndex).toBe(last);
  expect(changes).toEqual([false]);
  expect(first.writable).toBe(false);
  first.saveHardState(1, { term: 8, vote: 1, commit: 1 });
  await flushed(first);
  expect(contentOf(first, 1)).toEqual(entriesOf(1, last, 1, 200));

  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await until(() => first.writable);
  expect(changes).toEqual([false, true]);
  first.append(1, entriesOf(last + 1, last + 30, 1, 200));
  await flushed(first);
  await first.close();
  const second = await openOn(disk);
  expect(contentOf(second, 1)).toEqual(entriesOf(1, last + 30, 1, 200));
  expect(second.groupState(1).hardState.term).toBe(8);
});

test('a full disk ends as well when segments are released', async () => {
  const disk = new SimulatedDisk();
  const wal = await openOn(disk, { tailSegments: 1 });
  let last = 0;
  while (segmentsOn(disk).length < 4) {
    wal.append(1, entriesOf(++last, last, 1, 200));
    await flushed(wal);
  }
  disk.capacityBytes = disk.usedBytes;
  while (wal.writable) {
    wal.append(1, entriesOf(++last, last, 1, 200));
    await flushed(wal);
  }
  wal.release(1, last);
  await until(() => wal.writable);
  wal.append(1, entriesOf(last + 1, last + 10, 1, 200));
  await flushed(wal);
});

test('what comes while the disk is full waits for space, and then is written, a vote as well as entries', async () => {
  const disk = new SimulatedDisk();
  const wal = await openOn(disk);
  await until(() => disk.names().some((name) => name.endsWith('.spare')));
  disk.capacityBytes = disk.usedBytes;
  const durable: string[] = [];
  const flush = (what: string) => wal.flush((error) => durable.push(error?.name ?? what));
  wal.append(1, entriesOf(1, 100, 1, 200)); // far more than the spare takes
  flush('entries');
  await until(() => !wal.writable);
  wal.saveHardState(1, { term: 8, vote: 1, commit: 1 });
  flush('vote');
  wal.append(1, entriesOf(101, 101));
  flush('entry');
  await new Promise((resolve) => setImmediate(resolve));
  expect(durable).toEqual([]);
  expect(contentOf(wal, 1).length).toBe(101);
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await until(() => durable.length === 3);
  expect(durable).toEqual(['entries', 'vote', 'entry']);
  disk.crash();
  const again = await openOn(disk);
  expect(contentOf(again, 1)).toEqual([...entriesOf(1, 100, 1, 200), ...entriesOf(101, 101)]);
  expect(again.groupState(1).hardState.term).toBe(8);
});

test('closing on a full disk does not wait for space: the flushes that do get an error', async () => {
  for (const closeFirst of [true, false]) {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk);
    await until(() => disk.names().some((name) => name.endsWith('.spare')));
    disk.capacityBytes = disk.usedBytes;
    wal.append(1, entriesOf(1, 100, 1, 200));
    const result = outcome(wal);
    if (!closeFirst) await until(() => !wal.writable);
    await wal.close();
    expect(await result).toBeInstanceOf(WalFailedError);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const { lastIndex } = (await openOn(disk)).groupState(1);
    expect(lastIndex).toBeLessThan(100);
  }
});
