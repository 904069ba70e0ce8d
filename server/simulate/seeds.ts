/** Runs many seeds of one level, and says what they covered. */
import { addCounts, type Batch, type FailedSeed } from './batch.ts';
import { type LevelName, levels } from './level.ts';
import type { Pool } from './pool.ts';

export interface SeedsReport {
  readonly level: LevelName;
  readonly from: number;
  readonly seeds: number;
  readonly elapsed_ms: number;
  /** Digest of all runs: the same for the same seeds, however they were spread. */
  readonly hash: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly failed: readonly FailedSeed[];
}

export async function runSeeds(
  pool: Pool,
  level: LevelName,
  from: number,
  seeds: number,
  onProgress: (done: number, failed: number) => void,
): Promise<SeedsReport> {
  const started = performance.now();
  const counts: Record<string, number> = Object.fromEntries(levels[level].counted.map((name) => [name, 0]));
  const failed: FailedSeed[] = [];
  let hash = 0;
  let done = 0;
  await pool.run(batches(level, from, seeds), (_batch, result) => {
    addCounts(counts, result.counts);
    hash = (hash + result.hash) >>> 0;
    failed.push(...result.failed);
    done += result.seeds;
    onProgress(done, failed.length);
    return true;
  });
  failed.sort((a, b) => a.seed - b.seed);
  const elapsed_ms = performance.now() - started;
  return { level, from, seeds, elapsed_ms, hash: hash.toString(16).padStart(8, '0'), counts, failed };
}

export function* batches(level: LevelName, from: number, seeds: number, rule?: string): Generator<Batch> {
  const { batch } = levels[level];
  for (let at = from; at < from + seeds; at += batch) {
    yield { level, from: at, seeds: Math.min(batch, from + seeds - at), rule };
  }
}

/** Plays one seed here and hands out what happens, line by line. Gives what went wrong, when something did. */
export async function traceSeed(
  level: LevelName,
  seed: number,
  print: (line: string) => void,
): Promise<string | undefined> {
  try {
    await levels[level].run(seed, undefined, print);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
