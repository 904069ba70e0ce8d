import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { checkDuration, MAX_DURATION_MS } from './durations.ts';
import { ErrorReason } from './errors.ts';

const duration = (seconds: number, nanos = 0) => create(DurationSchema, { seconds: BigInt(seconds), nanos });
const refused = expect.objectContaining({ reason: ErrorReason.INVALID_DURATION, subject: 'ttl' });

test('an unset field is no duration', () => {
  expect(checkDuration(undefined, 'ttl')).toBeUndefined();
});

test('durations are whole milliseconds, rounded up', () => {
  expect(checkDuration(duration(1, 500_000_000), 'ttl')).toBe(1500);
  expect(checkDuration(duration(0, 1), 'ttl')).toBe(1);
  expect(checkDuration(duration(3, 2_000_001), 'ttl')).toBe(3003);
});

test('zero is refused unless the field gives it a meaning', () => {
  expect(() => checkDuration(duration(0), 'ttl')).toThrow(refused);
  expect(checkDuration(duration(0), 'ttl', { min_ms: 0 })).toBe(0);
});

test.each([
  ['negative seconds', duration(-1)],
  ['negative nanos, however small', duration(0, -1)],
  ['nanos of a second or more', duration(0, 1_000_000_000)],
  ['more than a century', duration(MAX_DURATION_MS / 1000 + 1)],
])('%s are refused', (_, bad) => {
  expect(() => checkDuration(bad, 'ttl', { min_ms: 0 })).toThrow(refused);
});

test('the bounds of a field are inclusive', () => {
  const bounds = { min_ms: 100, max_ms: 1000 };
  expect(checkDuration(duration(0, 100_000_000), 'ttl', bounds)).toBe(100);
  expect(checkDuration(duration(1), 'ttl', bounds)).toBe(1000);
  expect(() => checkDuration(duration(0, 99_000_000), 'ttl', bounds)).toThrow(refused);
  expect(() => checkDuration(duration(1, 1), 'ttl', bounds)).toThrow(refused);
});
