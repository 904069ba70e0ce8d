import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyRanges } from './key-ranges.ts';

const letters = 'abcdefghijkl';
const letter = fc.constantFrom(...letters);
const pairs = fc.array(fc.tuple(letter, letter), { maxLength: 8 });

function build(ranges: readonly (readonly [string, string])[]): KeyRanges {
  return ranges.reduce((set, [from, to]) => set.with(from, to), KeyRanges.none);
}

function list(set: KeyRanges): [string, string][] {
  return Array.from({ length: set.size }, (_, i) => [set.from(i), set.to(i)]);
}

/** Letters of which the set has the keys just above (`indexOf`) and just below (`indexBefore`). */
const above = (set: KeyRanges) => [...letters].filter((key) => set.indexOf(key) >= 0);
const below = (set: KeyRanges) => [...letters].filter((key) => set.indexBefore(key) >= 0);

describe('KeyRanges', () => {
  it('has the keys of all its ranges, which stay in order and apart', () => {
    fc.assert(
      fc.property(pairs, (ranges) => {
        const set = build(ranges);
        expect(above(set)).toEqual(
          [...letters].filter((key) => ranges.some(([from, to]) => key >= from && key < to)),
        );
        expect(below(set)).toEqual(
          [...letters].filter((key) => ranges.some(([from, to]) => key > from && key <= to)),
        );
        const edges = list(set).flat();
        for (let i = 1; i < edges.length; i++)
          expect((edges[i - 1] as string) < (edges[i] as string)).toBe(true);
      }),
    );
  });

  it('unites with another set as if the ranges were added one by one', () => {
    fc.assert(
      fc.property(pairs, pairs, (mine, theirs) => {
        expect(list(build(mine).union(build(theirs)))).toEqual(list(build([...mine, ...theirs])));
      }),
    );
  });

  it('joins ranges that touch', () => {
    expect(
      list(
        build([
          ['a', 'c'],
          ['e', 'g'],
          ['c', 'e'],
        ]),
      ),
    ).toEqual([['a', 'g']]);
  });
});
