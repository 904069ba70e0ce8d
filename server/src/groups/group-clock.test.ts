import { expect, it } from 'vitest';
import { GroupClock } from './group-clock.ts';

function clocks(start_ms = 1_000_000) {
  const time = { wall_ms: start_ms, monotonic_ms: 500.25 };
  const clock = new GroupClock(
    () => time.wall_ms,
    () => time.monotonic_ms,
    0,
  );
  const pass = (ms: number) => {
    time.wall_ms += ms;
    time.monotonic_ms += ms;
  };
  return { time, clock, pass };
}

it('follows the wall clock', () => {
  const { clock, pass } = clocks();
  expect(clock.now(0)).toBe(1_000_000);
  pass(7);
  expect(clock.now(0)).toBe(1_000_007);
});

it('goes on from where it was when the wall clock is set back, at the pace of the monotonic clock', () => {
  const { time, clock, pass } = clocks();
  clock.now(0);
  time.wall_ms -= 3_600_000;
  expect(clock.now(0)).toBe(1_000_000);
  pass(250.5);
  expect(clock.now(0)).toBe(1_000_250);
  pass(60_000);
  expect(clock.now(0)).toBe(1_060_250);
});

it('follows the wall clock again once that is ahead', () => {
  const { time, clock, pass } = clocks();
  clock.now(0);
  time.wall_ms -= 1000;
  clock.now(0);
  time.wall_ms += 5000;
  expect(clock.now(0)).toBe(1_004_000);
  pass(1);
  expect(clock.now(0)).toBe(1_004_001);
});

it('is never behind an applied stamp, and goes on from that', () => {
  const { clock, pass } = clocks();
  expect(clock.now(2_000_000)).toBe(2_000_000);
  expect(clock.now(2_000_000)).toBe(2_000_000);
  pass(10);
  expect(clock.now(2_000_000)).toBe(2_000_010);
});
