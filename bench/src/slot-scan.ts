/**
 * What an ordered page of keys costs when keys lie by slot, and when they lie by group: `npx node bench/src/slot-scan.ts`.
 *
 * By slot, the keys of one prefix are spread over all slots, and a page in key order is a merge over as many ranges;
 * two ways to do it are measured. By group it is one range.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SLOTS, slotOf } from '../../server/src/state/crc16.ts';
import { groupPrefix, prefixEnd } from '../../server/src/state/keys.ts';
import { openLmdbStore } from '../../server/src/storage/lmdb-store.ts';
import type { Row, Store } from '../../server/src/storage/store.ts';

const KEYS = 100_000;
const PAGE_ROWS = 1_000;
const VALUE_BYTES = 64;
const RUNS = 5;
const GROUP = groupPrefix(1);

const value = Buffer.alloc(VALUE_BYTES, 7);
const names = Array.from({ length: KEYS }, (_, i) => `user:${String(i).padStart(6, '0')}`);

const slotPrefix = (slot: number): string => String.fromCharCode(slot >> 8, slot & 0xff);

async function filled(directory: string, keyOf: (name: string) => string): Promise<Store> {
  const store = await openLmdbStore(directory, {
    onFatal: (error) => {
      throw error;
    },
  });
  for (const name of names) store.insert(keyOf(name), value);
  await store.checkpoint();
  return store;
}

function pageByGroup(store: Store): string[] {
  const rows = store.range({ from: GROUP, to: prefixEnd(GROUP) as string, limit: PAGE_ROWS });
  return Array.from(rows, ({ key }) => key.slice(GROUP.length));
}

interface Head {
  readonly slot: number;
  readonly name: string;
}

/** The first row of a slot behind a name. */
function headOf(store: Store, slot: number, after: string): Head | undefined {
  const prefix = slotPrefix(slot);
  const [row] = store.range({ from: `${prefix}${after}\0`, to: slotEnd(slot), limit: 1 });
  return row && { slot, name: row.key.slice(prefix.length) };
}

const slotEnd = (slot: number): string => (slot + 1 < SLOTS ? slotPrefix(slot + 1) : '\xff');

/** A merge: the first row of every slot, then the next of the slot whose row was taken. */
function pageByMerge(store: Store): string[] {
  const heads: Head[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const head = headOf(store, slot, '');
    if (head !== undefined) heads.push(head);
  }
  heads.sort((a, b) => (a.name < b.name ? -1 : 1));
  const page: string[] = [];
  for (let head = heads.shift(); head !== undefined; head = heads.shift()) {
    page.push(head.name);
    if (page.length === PAGE_ROWS) break;
    const next = headOf(store, head.slot, head.name);
    if (next !== undefined) heads.splice(placeOf(heads, next.name), 0, next);
  }
  return page;
}

function placeOf(heads: readonly Head[], name: string): number {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((heads[middle] as Head).name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A walk over every row, keeping the smallest names. */
function pageByWalk(store: Store): string[] {
  const all: string[] = [];
  for (const { key } of store.range({ from: '\0', to: '\xff', keysOnly: true }) as Iterable<Row>) {
    all.push(key.slice(2));
  }
  return all.sort().slice(0, PAGE_ROWS);
}

function measure(what: string, page: () => string[]): void {
  const expected = names.slice(0, PAGE_ROWS).join();
  let best_ms = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const found = page();
    best_ms = Math.min(best_ms, performance.now() - start);
    if (found.join() !== expected) throw new Error(`${what}: not the first ${PAGE_ROWS} keys in order`);
  }
  console.log(`${what.padEnd(44)} ${best_ms.toFixed(2).padStart(8)} ms`);
}

const folder = mkdtempSync(join(tmpdir(), 'gomsg-slot-scan-'));
try {
  const byGroup = await filled(join(folder, 'group'), (name) => GROUP + name);
  const bySlot = await filled(join(folder, 'slot'), (name) => slotPrefix(slotOf(name)) + name);
  console.log(`one page of ${PAGE_ROWS} of ${KEYS} keys, in order, best of ${RUNS}:`);
  measure('by group: one range', () => pageByGroup(byGroup));
  measure(`by slot: merge over ${SLOTS} slots`, () => pageByMerge(bySlot));
  measure('by slot: walk over all keys, then sort', () => pageByWalk(bySlot));
  await byGroup.close();
  await bySlot.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
