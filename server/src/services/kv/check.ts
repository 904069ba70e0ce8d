/** Checks of what requests of KVService have in common. */
import type { Duration } from '@bufbuild/protobuf/wkt';
import { Glob, GlobError } from '../../state/kv/glob.ts';
import { invalidRequest } from '../decode.ts';
import { checkDuration } from '../durations.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { KvLimits } from './deps.ts';

/** Most keys of one call. */
export const MAX_KEYS_PER_CALL = 10_000;

/** Longest pattern in UTF-16 units; compiling and matching cost in proportion. */
const MAX_PATTERN_LENGTH = 4096;

/** Bytes of UTF-8 that one UTF-16 unit can become. */
const MAX_BYTES_PER_UNIT = 3;

/** @throws GomsgError INVALID_KEY */
export function checkKey(key: string, { maxKeyBytes }: KvLimits): void {
  if (key.length > 0 && key.length * MAX_BYTES_PER_UNIT <= maxKeyBytes) return;
  const bytes = Buffer.byteLength(key);
  if (bytes > 0 && bytes <= maxKeyBytes) return;
  throw new GomsgError({
    reason: ErrorReason.INVALID_KEY,
    message:
      bytes === 0 ? 'the key is empty' : `the key has ${bytes} bytes; at most ${maxKeyBytes} are allowed`,
    subject: 'key',
  });
}

/**
 * A bound or prefix of keys: as a key, but may be empty.
 * @throws GomsgError INVALID_KEY
 */
export function checkBound(bound: string, field: string, { maxKeyBytes }: KvLimits): void {
  if (Buffer.byteLength(bound) <= maxKeyBytes) return;
  throw new GomsgError({
    reason: ErrorReason.INVALID_KEY,
    message: `${field} is longer than a key can be (${maxKeyBytes} bytes)`,
    subject: field,
  });
}

/** @throws GomsgError VALUE_TOO_LARGE */
export function checkValue(value: Uint8Array, key: string, { maxValueBytes }: KvLimits): void {
  if (value.length <= maxValueBytes) return;
  throw new GomsgError({
    reason: ErrorReason.VALUE_TOO_LARGE,
    message: `the value has ${value.length} bytes; at most ${maxValueBytes} are allowed`,
    subject: key,
  });
}

/** @throws GomsgError INVALID_DURATION */
export function checkTtl(ttl: Duration | undefined): void {
  checkDuration(ttl, 'ttl');
}

/** @throws GomsgError BATCH_TOO_LARGE */
export function checkKeyCount(count: number): void {
  if (count <= MAX_KEYS_PER_CALL) return;
  throw new GomsgError({
    reason: ErrorReason.BATCH_TOO_LARGE,
    message: `the call names ${count} keys; at most ${MAX_KEYS_PER_CALL} are allowed`,
  });
}

/** @throws GomsgError INVALID_REQUEST when a page is asked to be larger than `max`; 0 asks for `byDefault`. */
export function pageSize(asked: number, field: string, byDefault: number, max: number): number {
  if (asked > max) throw invalidRequest(field, `${field} is ${asked}; at most ${max} is allowed`);
  return asked === 0 ? byDefault : asked;
}

/** @throws GomsgError INVALID_PATTERN */
export function compilePattern(pattern: string): Glob {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw invalidPattern(`it is longer than ${MAX_PATTERN_LENGTH} characters`);
  }
  try {
    return new Glob(pattern);
  } catch (error) {
    if (error instanceof GlobError) throw invalidPattern(error.message);
    throw error;
  }
}

function invalidPattern(why: string): GomsgError {
  return new GomsgError({
    reason: ErrorReason.INVALID_PATTERN,
    message: `the pattern is malformed: ${why}`,
    subject: 'pattern',
  });
}
