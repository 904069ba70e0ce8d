/** When a node is killed: at any time, and with preference when much is half done. */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../src/raft/testing/random.ts';

/**
 * - `start`: before it serves, while it recovers.
 * - `repeats`: while clients send again what was not answered.
 * - `load`: at any moment under load.
 * - `checkpoint`: while LMDB is being written.
 * - `segment`: while the log goes on to another file.
 * - `drain`: while it stops after a SIGTERM.
 * - `cut`: not killed. The connections break under load and the node stops cleanly: what clients then repeat is in no
 *   log entry that the next start applies, only in what the last checkpoint holds of their sessions.
 */
export const KILL_MOMENTS = ['start', 'repeats', 'load', 'checkpoint', 'segment', 'drain', 'cut'] as const;
export type KillMoment = (typeof KILL_MOMENTS)[number];

/** Longest a round waits for a moment that may not come. */
const MOMENT_MAX_MS = 2_000;

const LOAD_MAX_MS = 700;
const REPEATS_MAX_MS = 25;
/** A checkpoint, the change to another file and a quick drain take about this long here. */
const HALF_DONE_MAX_MS = 20;

/** Resolves at the moment of a node that serves, so many random milliseconds into it. */
export async function momentUnderLoad(
  moment: Exclude<KillMoment, 'start'>,
  dataDir: string,
  random: Random,
): Promise<void> {
  switch (moment) {
    case 'repeats':
      return after(random.below(REPEATS_MAX_MS));
    case 'load':
    case 'drain':
    case 'cut':
      return after(random.below(LOAD_MAX_MS));
    case 'checkpoint':
      await after(random.below(LOAD_MAX_MS));
      await nextChange(dataDir, (name) => name === 'data.mdb');
      return after(random.below(HALF_DONE_MAX_MS));
    case 'segment':
      await after(random.below(LOAD_MAX_MS));
      await nextChange(join(dataDir, 'wal'), (_, event) => event === 'rename');
      return after(random.below(HALF_DONE_MAX_MS));
  }
}

/** Into the drain. */
export function momentOfDrain(random: Random): Promise<void> {
  return after(random.below(2 * HALF_DONE_MAX_MS));
}

/** Into the start, which takes about `usual_ms`. */
export function momentOfStart(random: Random, usual_ms: number): Promise<void> {
  return after(random.below(Math.ceil(usual_ms)));
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function nextChange(
  folder: string,
  wanted: (name: string | null, event: string) => boolean,
): Promise<void> {
  let watcher: FSWatcher | undefined;
  const changed = new Promise<void>((resolve) => {
    watcher = watch(folder, (event, name) => {
      if (wanted(name, event)) resolve();
    });
  });
  try {
    await Promise.race([changed, after(MOMENT_MAX_MS)]);
  } finally {
    watcher?.close();
  }
}
