import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ModelStore } from '../testing/model-store.ts';
import { HeadWindow, WINDOW_ENTRIES_MAX, WINDOW_REFILL_ROWS, type WindowBudget } from './head-window.ts';

const value = new Uint8Array([1]);
const keyOf = (n: number) => String.fromCharCode(n >> 8, n & 0xff);

function setUp(empty = false) {
  const store = new ModelStore();
  const budget: WindowBudget = { entries: 0 };
  let scans = 0;
  const scan = (after: string, limit: number) => {
    scans++;
    return store.range({ from: after === '' ? '' : `${after}\0`, to: '\uffff', limit });
  };
  const window = new HeadWindow<string>(budget, ({ key }) => key, empty);
  return { store, budget, window, scan, scans: () => scans };
}

test('an index known to be empty is never read', () => {
  const { window, scan, scans } = setUp(true);
  expect(window.first(scan)).toBe(false);
  window.add('b', 'b');
  window.add('a', 'a');
  expect(window.first(scan)).toBe(true);
  expect(window.firstKey).toBe('a');
  expect(scans()).toBe(0);
});

test('a long index is read once per refill, in order', () => {
  const { store, window, scan, scans } = setUp();
  for (let n = 0; n < WINDOW_REFILL_ROWS * 2; n++) store.put(keyOf(n), value);
  for (let n = 0; n < WINDOW_REFILL_ROWS * 2; n++) {
    expect(window.first(scan)).toBe(true);
    expect(window.firstKey).toBe(keyOf(n));
    store.delete(window.firstKey);
    window.shift();
  }
  expect(window.first(scan)).toBe(false);
  expect(scans()).toBe(3);
});

test('a window never holds more than its maximum, and loses nothing by it', () => {
  const { store, budget, window, scan } = setUp(true);
  for (let n = WINDOW_ENTRIES_MAX + 50; n >= 0; n--) {
    store.put(keyOf(n), value);
    window.add(keyOf(n), keyOf(n));
  }
  expect(window.size).toBe(WINDOW_ENTRIES_MAX);
  expect(budget.entries).toBe(WINDOW_ENTRIES_MAX);
  for (let n = 0; n <= WINDOW_ENTRIES_MAX + 50; n++) {
    expect(window.first(scan)).toBe(true);
    expect(window.firstValue).toBe(keyOf(n));
    store.delete(window.firstKey);
    window.shift();
  }
  expect(window.first(scan)).toBe(false);
  expect(budget.entries).toBe(0);
});

test('the first entry is always the smallest key of the index', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add'), n: fc.nat(4000) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), n: fc.nat(4000) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('take'), n: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fill'), n: fc.nat(3000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear'), n: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { window, budget } = setUp();
      const index = new Set<string>();
      const sorted = () => [...index].sort();
      const scan = (after: string, limit: number) =>
        sorted()
          .filter((key) => key > after)
          .slice(0, limit)
          .map((key) => ({ key, value }));
      const add = (key: string) => {
        if (index.has(key)) return;
        index.add(key);
        window.add(key, key);
      };
      for (const { kind, n } of steps) {
        if (kind === 'add') add(keyOf(n));
        else if (kind === 'fill') for (let i = 0; i < 600; i++) add(keyOf(n + i));
        else if (kind === 'clear') window.clear(index.size === 0);
        else if (kind === 'delete') {
          if (index.delete(keyOf(n))) window.delete(keyOf(n));
        } else {
          const expected = sorted();
          for (let i = 0; i < n; i++) {
            expect(window.first(scan)).toBe(i < expected.length);
            if (i >= expected.length) break;
            expect(window.firstKey).toBe(expected[i]);
            expect(window.firstValue).toBe(expected[i]);
            index.delete(window.firstKey);
            window.shift();
          }
        }
        expect(window.size).toBeLessThanOrEqual(WINDOW_ENTRIES_MAX);
        expect(budget.entries).toBe(window.size);
      }
    }),
    { numRuns: 60 },
  );
});
