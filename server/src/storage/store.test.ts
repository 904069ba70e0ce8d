import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { successor } from './keys.ts';
import { openMemoryStore } from './memory-store.ts';
import type { RangeOptions, Row, Store, StoreSnapshot, StoreView } from './store.ts';
import { bytes, InlineWriter, openStore, temporaryFolder, textOf } from './testing/stores.ts';

/** The simplest ordered store: a Map, sorted at every range. */
class Model {
  readonly rows: Map<string, string>;

  constructor(rows: Iterable<[string, string]> = []) {
    this.rows = new Map(rows);
  }

  range({ from, to, reverse, limit, keysOnly }: RangeOptions): [string, string][] {
    const found = [...this.rows]
      .filter(([key]) => key >= from && key < to)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]): [string, string] => [key, keysOnly ? '' : value]);
    if (reverse) found.reverse();
    return found.slice(0, limit);
  }

  deleteRange(from: string, to: string): void {
    for (const key of this.rows.keys()) if (key >= from && key < to) this.rows.delete(key);
  }
}

type Op =
  | { op: 'put' | 'insert'; key: string; value: string }
  | { op: 'fill'; prefix: string; count: number }
  | { op: 'delete' | 'get'; key: string }
  | { op: 'deleteRange'; from: string; to: string }
  | { op: 'deleteRow'; first: boolean; count: number }
  | ({ op: 'range' } & RangeOptions)
  | { op: 'consume'; range: RangeOptions; deleteEvery: number; insertAfter: string }
  | { op: 'checkpoint'; wait: boolean }
  | { op: 'turn' | 'snapshot' | 'readSnapshot' | 'release' | 'reopen' };

// Few and short keys, so that everything happens to the same ones; the extremes of a byte among them.
const key = fc
  .array(fc.constantFrom('\0', 'a', 'b', '\x7f', '\xff'), { minLength: 1, maxLength: 3 })
  .map((chars) => chars.join(''));
const bound = fc.oneof(key, fc.constantFrom('', '\xff\xff\xff\xff'), key.map(successor));
const value = fc.string({ unit: fc.constantFrom('x', '\0', '\xff'), maxLength: 20 });
const range: fc.Arbitrary<RangeOptions> = fc.record(
  { from: bound, to: bound, reverse: fc.boolean(), limit: fc.nat(5), keysOnly: fc.boolean() },
  { requiredKeys: ['from', 'to'] },
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('put' as const), key, value }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('insert' as const), key, value }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('fill' as const),
      prefix: key,
      count: fc.integer({ min: 10, max: 30 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ op: fc.constantFrom('delete' as const, 'get' as const), key }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('deleteRange' as const), from: bound, to: bound }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('deleteRow' as const), first: fc.boolean(), count: fc.nat(40) }),
  },
  { weight: 4, arbitrary: range.map((options) => ({ op: 'range' as const, ...options })) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('consume' as const),
      range,
      deleteEvery: fc.integer({ min: 1, max: 3 }),
      insertAfter: fc.constantFrom('\0', '\x80'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('checkpoint' as const), wait: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Op>(
      { op: 'turn' },
      { op: 'snapshot' },
      { op: 'readSnapshot' },
      { op: 'release' },
      { op: 'reopen' },
    ),
  },
);

const ALL: RangeOptions = { from: '', to: '\xff\xff\xff\xff\xff' };
const rowsOf = (rows: Iterable<Row>) => [...rows].map((row) => [row.key, textOf(row.value)]);

function expectEqual(view: StoreView, model: Model): void {
  expect(rowsOf(view.range(ALL))).toEqual(model.range(ALL));
  expect(rowsOf(view.range({ ...ALL, reverse: true }))).toEqual(model.range({ ...ALL, reverse: true }));
}

/** Runs `ops` on a store and the model, comparing whatever can be seen. */
async function run(ops: readonly Op[], open: () => Promise<Store>, persistent: boolean): Promise<void> {
  let store = await open();
  const model = new Model();
  const snapshots: { snapshot: StoreSnapshot; model: Model }[] = [];
  const underWay: Promise<void>[] = [];
  try {
    for (const step of ops) {
      switch (step.op) {
        case 'put':
          store.put(step.key, bytes(step.value));
          model.rows.set(step.key, step.value);
          break;
        case 'insert':
          if (model.rows.has(step.key)) break;
          store.insert(step.key, bytes(step.value));
          model.rows.set(step.key, step.value);
          break;
        case 'fill':
          for (let i = 0; i < step.count; i++) {
            const key = step.prefix + String.fromCharCode(i * 8);
            store.put(key, bytes('fill'));
            model.rows.set(key, 'fill');
          }
          break;
        case 'delete':
          store.delete(step.key);
          model.rows.delete(step.key);
          break;
        case 'get':
          expect(textOf(store.get(step.key))).toBe(model.rows.get(step.key));
          expect(store.has(step.key)).toBe(model.rows.has(step.key));
          break;
        case 'deleteRange':
          store.deleteRange(step.from, step.to);
          model.deleteRange(step.from, step.to);
          break;
        case 'deleteRow':
          // Popping from one end, the way queues do: makes the runs of deletions that walks turn into ranges.
          for (let i = 0; i < step.count; i++) {
            const end = { ...ALL, reverse: !step.first, limit: 1 };
            const [row] = rowsOf(store.range(end));
            expect(row).toEqual(model.range(end)[0]);
            if (row === undefined) break;
            store.delete(row[0] as string);
            model.rows.delete(row[0] as string);
          }
          break;
        case 'range':
          expect(rowsOf(store.range(step))).toEqual(model.range(step));
          break;
        case 'consume':
          consume(store, model, step);
          break;
        case 'checkpoint':
          underWay.push(store.checkpoint());
          if (step.wait) await underWay.at(-1);
          break;
        case 'turn':
          await new Promise((resolve) => setImmediate(resolve));
          break;
        case 'snapshot':
          if (snapshots.length < 3) {
            snapshots.push({ snapshot: store.snapshot(), model: new Model(model.rows) });
          }
          break;
        case 'readSnapshot':
          for (const { snapshot, model } of snapshots) expectEqual(snapshot, model);
          break;
        case 'release':
          snapshots.shift()?.snapshot.release();
          break;
        case 'reopen':
          if (!persistent) break;
          snapshots.length = 0;
          // Behind the one under way, which may not have what was written last.
          await Promise.all(underWay);
          await store.checkpoint();
          await store.close();
          store = await open();
          break;
      }
    }
    expectEqual(store, model);
    for (const { snapshot, model } of snapshots) expectEqual(snapshot, model);
    await Promise.all(underWay);
  } finally {
    await store.close();
  }
}

/** Walks while changing the rows just met and the ones just ahead. Both sides step on from the last key they met. */
function consume(
  store: Store,
  model: Model,
  { range, deleteEvery, insertAfter }: Op & { op: 'consume' },
): void {
  const limit = Math.min(range.limit ?? 30, 30);
  const step = range.reverse ?? false;
  let { from, to } = range;
  let met = 0;
  for (const row of store.range({ ...range, limit })) {
    const [expected] = model.range({ from, to, reverse: step, limit: 1 });
    expect(row.key).toBe(expected?.[0]);
    if (step) to = row.key;
    else from = successor(row.key);
    met++;
    if (met % deleteEvery === 0) {
      store.delete(row.key);
      model.rows.delete(row.key);
    } else {
      const next = row.key.slice(0, 2) + insertAfter;
      store.put(next, bytes('new'));
      model.rows.set(next, 'new');
    }
  }
  if (met < limit) expect(model.range({ from, to, reverse: step, limit: 1 })).toEqual([]);
}

describe('a store behaves like a sorted map', () => {
  const ops = fc.array(op, { maxLength: 80, size: 'max' });

  it('on LMDB, whatever is interleaved with checkpoints, snapshots and reopening', async () => {
    await fc.assert(
      fc.asyncProperty(ops, async (ops) => {
        const folder = temporaryFolder();
        await run(ops, () => openStore(folder, { writer: new InlineWriter(folder) }), true);
      }),
      { numRuns: 150 },
    );
  });

  it('on LMDB with the writer thread', async () => {
    await fc.assert(
      fc.asyncProperty(ops, async (ops) => {
        const folder = temporaryFolder();
        await run(ops, () => openStore(folder), true);
      }),
      { numRuns: 8 },
    );
  });

  it('in memory', async () => {
    await fc.assert(
      fc.asyncProperty(ops, (ops) => run(ops, async () => openMemoryStore(), false)),
      { numRuns: 300 },
    );
  });
});
