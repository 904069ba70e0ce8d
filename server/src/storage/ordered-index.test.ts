import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderedIndex } from './ordered-index.ts';

type Step = { add: string } | { remove: string } | { removeFrom: string; removeTo: string };

// Enough keys for three levels of nodes, few enough to meet again.
const key = fc.integer({ min: 0, max: 20_000 }).map((n) => String(n).padStart(5, '0'));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: key.map((add) => ({ add })) },
  { weight: 2, arbitrary: key.map((remove) => ({ remove })) },
  { weight: 1, arbitrary: fc.tuple(key, key).map(([removeFrom, removeTo]) => ({ removeFrom, removeTo })) },
);

function forward(index: OrderedIndex, from = ''): [string, number][] {
  const found: [string, number][] = [];
  const place = index.cursor();
  for (place.seekAtLeast(from); place.key !== undefined; place.advance())
    found.push([place.key, place.entry]);
  return found;
}

function backward(index: OrderedIndex, bound = '\xff'): [string, number][] {
  const found: [string, number][] = [];
  const place = index.cursor();
  for (place.seekBelow(bound); place.key !== undefined; place.retreat()) found.push([place.key, place.entry]);
  return found;
}

describe('OrderedIndex', () => {
  it('keeps keys in order through additions, removals and removed ranges', () => {
    const fills = fc.constantFrom<'up' | 'down' | 'mixed'>('up', 'down', 'mixed');
    fc.assert(
      fc.property(fills, fc.array(step, { maxLength: 60, size: 'max' }), key, (fill, steps, bound) => {
        const index = new OrderedIndex();
        const model = new Map<string, number>();
        for (let i = 0; i < 6000; i++) {
          const n = fill === 'up' ? i * 3 : fill === 'down' ? 18_000 - i * 3 : (i * 7919) % 20_000;
          const key = String(n).padStart(5, '0');
          index.add(key, i);
          model.set(key, i);
        }
        for (const change of steps) {
          if ('add' in change) {
            if (model.has(change.add)) continue;
            index.add(change.add, model.size);
            model.set(change.add, model.size);
          } else if ('remove' in change) {
            if (model.delete(change.remove)) index.remove(change.remove);
          } else {
            const { removeFrom, removeTo } = change;
            const removed: string[] = [];
            index.removeRange(removeFrom, removeTo, (key) => removed.push(key));
            const expected = [...model.keys()].filter((key) => key >= removeFrom && key < removeTo).sort();
            expect(removed).toEqual(expected);
            for (const key of expected) model.delete(key);
          }
        }
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(index.size).toBe(sorted.length);
        expect(forward(index)).toEqual(sorted);
        expect(backward(index)).toEqual(sorted.toReversed());
        expect(forward(index, bound)).toEqual(sorted.filter(([key]) => key >= bound));
        expect(backward(index, bound)).toEqual(sorted.toReversed().filter(([key]) => key < bound));
      }),
      { numRuns: 60 },
    );
  });

  it('starts anew after everything was removed', () => {
    const index = new OrderedIndex();
    for (let i = 0; i < 1000; i++) index.add(String(i).padStart(4, '0'), i);
    index.removeRange('', '\xff', () => undefined);
    expect(forward(index)).toEqual([]);
    expect(backward(index)).toEqual([]);
    index.add('b', 1);
    index.add('a', 2);
    expect(forward(index)).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  it('tells a cursor that the keys changed, and not that they did not', () => {
    const index = new OrderedIndex();
    index.add('a', 1);
    const place = index.cursor();
    expect(place.stale).toBe(true);
    place.seekAtLeast('');
    index.removeRange('x', 'z', () => undefined);
    expect(place.stale).toBe(false);
    index.add('b', 2);
    expect(place.stale).toBe(true);
  });
});
