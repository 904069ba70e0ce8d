/**
 * Decimal 64-bit integers as Increment keeps them: the text that the number prints as, so an optional minus, no plus,
 * no space, no leading zero, no "-0", within the range of int64.
 *
 * Small ones are computed as numbers; only those near or beyond 2^52 pay for bigint.
 */
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Sums below this are exact as numbers, and so is twice of them (their zigzag form). */
const SMALL = 2 ** 52;
const BIG_SMALL = BigInt(SMALL);

/** Digits that always stay below 2^52. */
const SMALL_DIGITS = 15;
/** "-9223372036854775808" */
const MAX_CHARACTERS = 20;

const ZERO = 0x30;
const MINUS = 0x2d;

/** A 64-bit integer: a number when its magnitude is below 2^52. */
export type Int64 = number | bigint;

/** The integer that a value holds; undefined when it holds something else. */
export function parseInt64(text: Uint8Array): Int64 | undefined {
  const negative = text[0] === MINUS;
  const first = negative ? 1 : 0;
  const digits = text.length - first;
  if (digits === 0 || text.length > MAX_CHARACTERS) return undefined;
  if (text[first] === ZERO && text.length > 1) return undefined;
  let value = 0;
  for (let i = first; i < text.length; i++) {
    const digit = (text[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (digits <= SMALL_DIGITS) return negative ? -value : value;
  const exact = BigInt(Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1'));
  return exact < INT64_MIN || exact > INT64_MAX ? undefined : exact;
}

/** The sum; undefined when it is outside of int64. */
export function addInt64(value: Int64, delta: bigint): Int64 | undefined {
  if (typeof value === 'number' && delta < BIG_SMALL && delta > -BIG_SMALL) {
    const sum = value + Number(delta);
    return sum < SMALL && sum > -SMALL ? sum : BigInt(sum);
  }
  const sum = BigInt(value) + delta;
  return sum < INT64_MIN || sum > INT64_MAX ? undefined : sum;
}
