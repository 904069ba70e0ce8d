import { describe, expect, test } from 'vitest';
import { crc32c } from './checksum.ts';
import { WalCorruptionError, WalVersionError } from './errors.ts';
import { segmentHeaderBytes } from './format.ts';
import type { TornTail } from './recovery.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { contentOf, entriesOf, flushed, openOn, segmentsOn } from './test-support.ts';

const FIRST = '00000000000000000001.wal';

/** A log with ten entries in durable batches, and one more batch that was written but not synced. */
async function withUnfinishedBatch(): Promise<{ disk: SimulatedDisk; start: number; end: number }> {
  const disk = new SimulatedDisk();
  const wal = await openOn(disk, { segmentBytes: 8192 });
  for (let index = 1; index <= 9; index += 3) {
    wal.append(1, entriesOf(index, index + 2));
    await flushed(wal);
  }
  wal.append(1, entriesOf(10, 10));
  await flushed(wal);
  const start = lastNonZero(disk.content(FIRST));
  wal.append(1, entriesOf(11, 14));
  wal.saveHardState(1, { term: 5, vote: 6, commit: 7 });
  disk.holdSyncs();
  wal.flush(() => {});
  disk.kill();
  return { disk, start, end: lastNonZero(disk.content(FIRST)) };
}

/** End of the last thing in a file, which ends on a multiple of 8. */
function lastNonZero(bytes: Uint8Array): number {
  return Math.ceil((bytes.findLastIndex((byte) => byte !== 0) + 1) / 8) * 8;
}

/** The log must open with entries 1 to 10, go on from there, and open again. */
async function expectCut(disk: SimulatedDisk): Promise<TornTail | undefined> {
  let tornTail: TornTail | undefined;
  const onTornTail = (tail: TornTail) => {
    tornTail = tail;
  };
  const wal = await openOn(disk, { onTornTail });
  expect(contentOf(wal, 1)).toEqual(entriesOf(1, 10));
  expect(wal.groupState(1).hardState.term).toBe(0);
  wal.append(1, entriesOf(11, 12, 2));
  await flushed(wal);
  await wal.close();
  const again = await openOn(disk);
  expect(contentOf(again, 1)).toEqual([...entriesOf(1, 10), ...entriesOf(11, 12, 2)]);
  return tornTail;
}

describe('a torn tail is cut', () => {
  test('when the file ends at any byte of the last batch', async () => {
    const { disk, start, end } = await withUnfinishedBatch();
    for (let size = start; size < end; size++) {
      // Its last zeros may be missing without any loss.
      const torn = disk.clone();
      if (
        torn
          .content(FIRST)
          .subarray(size, end)
          .every((byte) => byte === 0)
      )
        continue;
      torn.truncate(FIRST, size);
      await expectCut(torn);
    }
  });

  test('when the last batch is zeros from any byte on, and says where', async () => {
    const { disk, start, end } = await withUnfinishedBatch();
    let reported = 0;
    for (let from = start; from < end - 8; from++) {
      const torn = disk.clone();
      torn.overwrite(FIRST, from, new Uint8Array(end - from));
      const tail = await expectCut(torn);
      if (tail === undefined) continue;
      expect(tail).toMatchObject({ file: FIRST, offset: start });
      reported++;
    }
    expect(reported).toBeGreaterThan(end - start - 64);
  });

  test('when only a later part of the last batch reached the disk', async () => {
    const { disk, start, end } = await withUnfinishedBatch();
    for (let until = start + 8; until < end; until += 8) {
      const torn = disk.clone();
      torn.overwrite(FIRST, start, new Uint8Array(until - start));
      await expectCut(torn);
    }
  });

  test('when any byte in the last batch is wrong', async () => {
    const { disk, start, end } = await withUnfinishedBatch();
    for (let at = start; at < end; at++) {
      const torn = disk.clone();
      torn.overwrite(FIRST, at, Uint8Array.of(torn.content(FIRST)[at]! ^ 0x10));
      await expectCut(torn);
    }
  });

  test('even if an entry in it holds a copy of the log itself', async () => {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 65_536 });
    for (let index = 1; index <= 10; index++) {
      wal.append(1, entriesOf(index, index));
      await flushed(wal);
    }
    const start = lastNonZero(disk.content(FIRST));
    wal.append(1, [{ index: 11, term: 1, kind: 0, data: disk.content(FIRST).slice(0, start) }]);
    disk.holdSyncs();
    wal.flush(() => {});
    disk.kill();
    disk.overwrite(FIRST, start, new Uint8Array(16));
    await expectCut(disk);
  });
});

test('an older record at the place of one that never reached the disk is not taken for it', async () => {
  const disk = new SimulatedDisk();
  const wal = await openOn(disk);
  for (const term of [3, 4]) {
    wal.saveHardState(1, { term, vote: 0, commit: 0 });
    await flushed(wal);
  }
  const opened = 48 + 48; // segment header, opening batch
  const batch = 48 + 48; // batch header, record
  const record = disk.content(FIRST).slice(opened + 48, opened + batch); // of term 3
  wal.saveHardState(1, { term: 5, vote: 0, commit: 0 });
  disk.holdSyncs();
  wal.flush(() => {});
  disk.kill();
  const place = opened + 2 * batch + 48;
  expect(new DataView(disk.content(FIRST).buffer).getUint32(place + 24, true)).toBe(5);
  disk.overwrite(FIRST, place, record);
  expect((await openOn(disk)).groupState(1).hardState.term).toBe(4);
});

test('what an earlier process could not sync is synced for sure before it is relied on', async () => {
  const disk = new SimulatedDisk();
  const wal = await openOn(disk, { segmentBytes: 65_536 });
  wal.append(1, entriesOf(1, 3, 1, 5000));
  await flushed(wal);
  wal.append(1, entriesOf(4, 6, 1, 5000));
  disk.fail('fdatasync');
  await expect(flushed(wal)).rejects.toThrow(); // from here on the pages count as clean
  disk.kill();
  const { lastIndex } = (await openOn(disk)).groupState(1);
  expect(lastIndex).toBe(6);
  disk.crash();
  expect(contentOf(await openOn(disk), 1)).toEqual(entriesOf(1, 6, 1, 5000));
});

test('a batch that a killed process had written is made durable before it is relied on', async () => {
  const { disk } = await withUnfinishedBatch();
  const wal = await openOn(disk);
  expect(contentOf(wal, 1)).toEqual(entriesOf(1, 14));
  disk.crash();
  const again = await openOn(disk);
  expect(contentOf(again, 1)).toEqual(entriesOf(1, 14));
  expect(again.groupState(1).hardState).toEqual({ term: 5, vote: 6, commit: 7 });
});

describe('damage is told from a torn tail', () => {
  async function closedLog(): Promise<SimulatedDisk> {
    const disk = new SimulatedDisk();
    const wal = await openOn(disk, { segmentBytes: 2048 });
    for (let index = 1; index <= 12; index++) {
      wal.append(1 + (index % 2), entriesOf(Math.ceil(index / 2), Math.ceil(index / 2), 1, 200));
      wal.saveHardState(1, { term: 1, vote: 1, commit: index });
      await flushed(wal);
    }
    await wal.close();
    return disk;
  }

  test('wherever a byte changed before the last batch', async () => {
    const disk = await closedLog();
    const names = segmentsOn(disk);
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const isLast = name === names.at(-1);
      const size = lastNonZero(disk.content(name)) - (isLast ? 48 : 0); // the last batch vouches, itself unvouched
      for (let at = 0; at < size; at += 3) {
        const damaged = disk.clone();
        damaged.overwrite(name, at, Uint8Array.of(damaged.content(name)[at]! ^ 0x04));
        const error = await openOn(damaged).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(error, `byte ${at} of ${name}`).toBeInstanceOf(WalCorruptionError);
        const { file, offset, message } = error as WalCorruptionError;
        expect(file).toBe(name);
        expect(offset).toBeLessThanOrEqual(at);
        expect(offset).toBeGreaterThan(at - 512);
        expect(message).toContain('join again');
      }
    }
  });

  test('when a part of a segment was lost, or a whole one', async () => {
    const disk = await closedLog();
    const [first, second, third] = segmentsOn(disk);
    const zeroed = disk.clone();
    zeroed.overwrite(first!, 512, new Uint8Array(512));
    await expect(openOn(zeroed)).rejects.toThrow(WalCorruptionError);
    const truncated = disk.clone();
    truncated.truncate(second!, 600);
    await expect(openOn(truncated)).rejects.toMatchObject({ name: 'WalCorruptionError', file: second });
    const missing = disk.clone();
    missing.remove(second!);
    await expect(openOn(missing)).rejects.toMatchObject({
      name: 'WalCorruptionError',
      file: third,
      offset: 0,
    });
    const empty = disk.clone();
    empty.truncate(first!, 0);
    await expect(openOn(empty)).rejects.toMatchObject({ name: 'WalCorruptionError', file: first, offset: 0 });
  });

  test('when an entry is read that changed since', async () => {
    const disk = await closedLog();
    const wal = await openOn(disk);
    const position = Buffer.from(disk.content(FIRST)).indexOf('entry 1 of');
    disk.overwrite(FIRST, position, Uint8Array.of(0));
    expect(() => wal.entries(2, 1, 3, 1000)).toThrow(WalCorruptionError);
    expect(wal.entries(2, 3, 4, 1000).length).toBe(1);
  });
});

test('a log of another format version is refused as such', async () => {
  const disk = new SimulatedDisk();
  await (await openOn(disk)).close();
  const header = disk.content(FIRST).slice(0, segmentHeaderBytes(0));
  header[12] = 2;
  new DataView(header.buffer).setUint32(8, crc32c(header, 12, header.length), true);
  disk.overwrite(FIRST, 0, header);
  await expect(openOn(disk)).rejects.toThrow(WalVersionError);
});
