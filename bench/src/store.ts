/**
 * The speed of the ordered store, single calls and checkpoints: `npx node bench/src/store.ts`.
 *
 * Overlay rows are measured with as many keys as the default size of an overlay holds; LMDB rows and checkpoints
 * against a database of a million rows. Needs Linux, for its scheduler's statistics.
 */

import { mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStore } from '../../server/src/storage/lmdb-store.ts';
import type { Store } from '../../server/src/storage/store.ts';

const KEY_BYTES = 30;
const VALUE_BYTES = 64;
const OVERLAY_KEYS = 100_000;
const DATABASE_KEYS = 1_000_000;
const CHECKPOINT_KEYS = 200_000;
const CHECKPOINTS = 5;
const WARM_UPS = 3;
const EVERYTHING = { from: '', to: '\xff'.repeat(8) };

const value = Buffer.alloc(VALUE_BYTES, 7);

function randomKeys(count: number): string[] {
  const key = Buffer.alloc(KEY_BYTES);
  return Array.from({ length: count }, () => {
    for (let i = 0; i < KEY_BYTES; i++) key[i] = Math.random() * 255;
    return key.toString('latin1');
  });
}

function report(what: string, measured: string, target = ''): void {
  console.log(`${what.padEnd(58)} ${measured.padStart(14)}   ${target}`);
}

function microsecondsEach(count: number, work: () => void): number {
  const start = performance.now();
  work();
  return ((performance.now() - start) * 1000) / count;
}

/** The best of some runs: other load on the machine only ever adds. */
function each(what: string, count: number, target: string, prepare: () => () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run <= WARM_UPS; run++) best = Math.min(best, microsecondsEach(count, prepare()));
  report(what, `${best.toFixed(2)} µs`, target);
}

interface Turns {
  readonly longestMs: number;
  /** The same without the time in which the thread was ready but other processes had the processors. */
  readonly longestOwnMs: number;
}

/** Runs the event loop without rest until `stop`. */
function watchTurns(): { stop: () => Turns } {
  let longestMs = 0;
  let longestOwnMs = 0;
  let lastEnd = performance.now();
  let lastWaited = waitedMs();
  let running = true;
  const turn = () => {
    const waited = waitedMs();
    const end = performance.now();
    longestMs = Math.max(longestMs, end - lastEnd);
    longestOwnMs = Math.max(longestOwnMs, end - lastEnd - (waited - lastWaited));
    lastEnd = end;
    lastWaited = waited;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop: () => {
      running = false;
      return { longestMs, longestOwnMs };
    },
  };
}

const schedulerStatistics = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const statistics = Buffer.alloc(128);

/** How long the main thread has waited for a processor so far. */
function waitedMs(): number {
  const length = readSync(schedulerStatistics, statistics, 0, statistics.length, 0);
  return Number(statistics.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}

function memoryOf(field: 'RssAnon' | 'RssFile'): string {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${field}:\\s+(\\d+) kB`));
  return `${Math.round(Number(line?.[1] ?? 0) / 1024)} MiB`;
}

async function withStore(run: (store: Store) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gomsg-bench-store-'));
  try {
    const store = await openLmdbStore(folder, {
      // The checkpoints below are called for, not due.
      maxOverlayBytes: 1024 * 1024 * 1024,
      onFatal: (error) => {
        throw error;
      },
    });
    await run(store);
    await store.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function benchOverlay(store: Store): void {
  const empty = () => store.deleteRange(EVERYTHING.from, EVERYTHING.to);
  let keys: string[] = [];
  each('put, new random key', OVERLAY_KEYS, '≤ 1', () => {
    empty();
    keys = randomKeys(OVERLAY_KEYS);
    return () => {
      for (const key of keys) store.put(key, value);
    };
  });
  each('put, overwrite', OVERLAY_KEYS, '≤ 0.4', () => () => {
    for (const key of keys) store.put(key, value);
  });
  each('get from the overlay', OVERLAY_KEYS, '≤ 0.3', () => () => {
    for (const key of keys) store.get(key);
  });
  each('range over the overlay, a row', OVERLAY_KEYS, '', () => () => {
    for (const row of store.range(EVERYTHING)) void row;
  });
  const sequence = Array.from(
    { length: OVERLAY_KEYS },
    (_, i) => `stream of some topic ${String(i).padStart(9, '0')}`,
  );
  each('insert, next key of a sequence', OVERLAY_KEYS, '', () => {
    empty();
    return () => {
      for (const key of sequence) store.insert(key, value);
    };
  });
  each('insert and delete again', OVERLAY_KEYS, '', () => {
    empty();
    return () => {
      for (const key of sequence) {
        store.insert(key, value);
        store.delete(key);
      }
    };
  });
  empty();
}

async function benchDatabase(store: Store): Promise<void> {
  let some: string[] = [];
  for (let done = 0; done < DATABASE_KEYS; done += CHECKPOINT_KEYS) {
    some = randomKeys(CHECKPOINT_KEYS);
    for (const key of some) store.put(key, value);
    await store.checkpoint();
  }
  each('get from LMDB', CHECKPOINT_KEYS, '≤ 1.2', () => () => {
    for (const key of some) store.get(key);
  });
  each('has, in LMDB', CHECKPOINT_KEYS, '', () => () => {
    for (const key of some) store.has(key);
  });
  const absent = randomKeys(CHECKPOINT_KEYS);
  each('get, nowhere', CHECKPOINT_KEYS, '', () => () => {
    for (const key of absent) store.get(key);
  });
  each('range over LMDB, a row', DATABASE_KEYS, '≤ 2', () => () => {
    for (const row of store.range(EVERYTHING)) void row;
  });
  each('range over LMDB, keys only, a row', DATABASE_KEYS, '', () => () => {
    for (const row of store.range({ ...EVERYTHING, keysOnly: true })) void row;
  });
}

async function benchCheckpoints(store: Store): Promise<void> {
  const quiet = watchTurns();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  report(
    'longest turn of an idle event loop, 1 s',
    `${quiet.stop().longestMs.toFixed(2)} ms`,
    'what the machine adds',
  );
  const durations: number[] = [];
  const turns: Turns[] = [];
  for (let i = 0; i < CHECKPOINTS; i++) {
    for (const key of randomKeys(CHECKPOINT_KEYS)) store.put(key, value);
    const watch = watchTurns();
    const start = performance.now();
    await store.checkpoint();
    durations.push(performance.now() - start);
    turns.push(watch.stop());
  }
  const list = (values: number[], digits: number) => values.map((n) => n.toFixed(digits)).join(' ');
  const longest = turns.map((turn) => turn.longestMs);
  const own = turns.map((turn) => turn.longestOwnMs);
  report(`checkpoints of ${CHECKPOINT_KEYS} random keys`, `${list(durations, 0)} ms`);
  report('longest turn of the event loop in each', `${list(longest, 2)} ms`);
  report('the same less waiting for a processor', `${list(own, 2)} ms`, '≤ 2');
  report('memory of its own / of the mapped file', `${memoryOf('RssAnon')} / ${memoryOf('RssFile')}`);
}

await withStore(async (store) => benchOverlay(store));
await withStore(async (store) => {
  await benchDatabase(store);
  await benchCheckpoints(store);
});
