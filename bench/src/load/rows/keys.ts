/** The keys and values that the key/value rows share. */

/** Bytes of a value: what the targets are stated for. */
export const VALUE = Buffer.alloc(64, 'v');

export const KEYS = 100_000;

/** A prime that does not divide `KEYS`: steps of it visit every key, far from the one before. */
const STRIDE = 7_919;

/** The key of the n-th operation. */
export function keyOf(n: number): string {
  return `user:${(n * STRIDE) % KEYS}:profile`;
}
