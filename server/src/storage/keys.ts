/** Rules of keys and range bounds. */

import { InvalidKeyError } from './errors.ts';
import { MAX_KEY_BYTES } from './store.ts';

/** The smallest key greater than `key`. */
export function successor(key: string): string {
  return `${key}\0`;
}

/** @throws InvalidKeyError for a bound no key can be compared with. */
export function checkBound(bound: string): void {
  if (bound.length > MAX_KEY_BYTES + 1) {
    throw new InvalidKeyError(
      `a range bound has ${bound.length} bytes, the longest allowed is ${MAX_KEY_BYTES + 1}`,
    );
  }
}

/** @throws InvalidKeyError for a length no key may have. */
export function checkKeyLength(key: string): void {
  if (key.length === 0) throw new InvalidKeyError('a key may not be empty');
  if (key.length > MAX_KEY_BYTES) {
    throw new InvalidKeyError(`a key has ${key.length} bytes, the longest allowed is ${MAX_KEY_BYTES}`);
  }
}

/**
 * Writes `key` as bytes at `offset` and returns the offset behind it. A loop beats `latin1Write`'s call into C++ for
 * the short keys there are, and refuses the characters that `latin1Write` would cut to their low byte.
 * @throws InvalidKeyError for a character above U+00FF.
 * @throws RangeError when `target` is too short.
 */
export function writeKey(key: string, target: Uint8Array, offset: number): number {
  const length = key.length;
  if (offset + length > target.length) throw new RangeError('the key does not fit the target');
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    seen |= code;
    target[offset + i] = code;
  }
  if (seen > 0xff) throw new InvalidKeyError('a key may only have characters up to U+00FF');
  return offset + length;
}
