import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addInt64, parseInt64 } from './integer.ts';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

function parse(text: string): number | bigint | undefined {
  return parseInt64(Buffer.from(text));
}

describe('integers as text', () => {
  it.each(['0', '7', '-7', '999999999999999', '4503599627370496', `${MIN}`, `${MAX}`])(
    '%s is one',
    (text) => {
      expect(BigInt(parse(text)!)).toBe(BigInt(text));
    },
  );

  it.each(['', '-', '+1', ' 1', '1 ', '01', '-0', '-01', '1.0', '1e3', '0x1', '١', '1\0', `${MIN - 1n}`])(
    '%j is none',
    (text) => expect(parse(text)).toBeUndefined(),
  );

  it.each([`${MAX + 1n}`, '99999999999999999999', '100000000000000000000'])('%s is beyond 64 bits', (text) =>
    expect(parse(text)).toBeUndefined(),
  );

  it('add up exactly, and beyond 64 bits to nothing', () => {
    const near = (center: bigint) => fc.bigInt(-3n, 3n).map((offset) => center + offset);
    const int64 = fc
      .oneof(
        fc.bigInt(MIN, MAX),
        near(0n),
        near(2n ** 52n),
        near(-(2n ** 52n)),
        near(2n ** 53n),
        near(MIN),
        near(MAX),
      )
      .filter((value) => value >= MIN && value <= MAX);
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const sum = addInt64(parse(String(a))!, b);
        const inRange = a + b >= MIN && a + b <= MAX;
        expect(sum === undefined ? undefined : BigInt(sum)).toBe(inRange ? a + b : undefined);
      }),
      { numRuns: 1000 },
    );
  });
});
