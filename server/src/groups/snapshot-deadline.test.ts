import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SnapshotDeadline } from './snapshot-deadline.ts';

const MIB = 1024 * 1024;
const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a snapshot of which nothing is taken is given up after ten minutes', () => {
  using deadline = new SnapshotDeadline();
  vi.advanceTimersByTime(10 * MINUTE - 1);
  expect(deadline.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(deadline.signal.aborted).toBe(true);
});

test('one that is taken at the least pace goes on, however large it is', () => {
  using deadline = new SnapshotDeadline();
  for (let seconds = 0; seconds < 3 * 3600; seconds++) {
    vi.advanceTimersByTime(1000);
    deadline.taken(MIB);
  }
  expect(deadline.signal.aborted).toBe(false);
  vi.advanceTimersByTime(10 * MINUTE);
  expect(deadline.signal.aborted).toBe(true);
});

test('one that is taken at half of the least pace is given up', () => {
  using deadline = new SnapshotDeadline();
  let seconds = 0;
  for (; !deadline.signal.aborted; seconds++) {
    vi.advanceTimersByTime(1000);
    deadline.taken(MIB / 2);
  }
  // Half of the time was bought by what was taken.
  expect(seconds).toBeCloseTo(20 * 60, -1);
});

test('nothing ticks any more once the snapshot is through', () => {
  {
    using _ = new SnapshotDeadline();
    expect(vi.getTimerCount()).toBe(1);
  }
  expect(vi.getTimerCount()).toBe(0);
});
