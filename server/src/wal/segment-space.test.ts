import { expect, test } from 'vitest';
import { promised } from './log-files.ts';
import { SegmentSpace } from './segment-space.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { until } from './test-support.ts';

function spaceOn(disk: SimulatedDisk, changes: boolean[] = []): SegmentSpace {
  return new SegmentSpace(disk.mount(), {
    segmentBytes: 3_000_000,
    retryDelayMs: 1,
    onWritableChange: (writable) => changes.push(writable),
    onFailure: (error) => {
      throw error;
    },
  });
}

test('a recycled file has lost its old name for good before it is handed out again', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const disk = new SimulatedDisk(seed);
    const files = disk.mount();
    const file = files.open('old.wal', true);
    file.writeSync(new Uint8Array(3_000_000), 0);
    await promised((done) => file.fdatasync(done));
    await files.syncDirectory();
    const space = spaceOn(disk);
    await space.recycle(file, 'old.wal');
    const spare = await space.take(1000);
    expect(spare.file).toBe(file);
    disk.crash();
    expect(disk.names()).not.toContain('old.wal');
  }
});

test('a prepared file is durable in full, and one is ready again after it is taken', async () => {
  const disk = new SimulatedDisk();
  const space = spaceOn(disk);
  space.prepareAhead();
  const first = await space.take(100);
  const second = await space.take(3_000_000);
  expect(second.name).not.toBe(first.name);
  await disk.mount().syncDirectory();
  disk.crash();
  expect(disk.content(second.name).length).toBe(3_000_000);
});

test('filling goes on where a full disk stopped it', async () => {
  const disk = new SimulatedDisk();
  disk.capacityBytes = 2_500_000;
  const changes: boolean[] = [];
  const space = spaceOn(disk, changes);
  space.prepareAhead();
  await until(() => !space.writable);
  expect(disk.usedBytes).toBeGreaterThan(2_000_000);
  const writes = disk.count('write');
  disk.capacityBytes = 3_000_000;
  await until(() => space.writable);
  expect(changes).toEqual([false, true]);
  expect(disk.usedBytes).toBe(3_000_000);
  expect(disk.names().length).toBe(1);
  expect(disk.count('write')).toBeGreaterThan(writes);
  await space.close();
});

test('a full disk seen first by the fsync costs the file, not the log', async () => {
  const disk = new SimulatedDisk();
  disk.fail('fdatasync', 0, 'ENOSPC');
  const space = spaceOn(disk);
  space.prepareAhead();
  await until(() => !space.writable);
  await until(() => space.writable);
  expect(disk.names().length).toBe(1);
  await space.close();
});
