/** A piece of work for one worker: some seeds of a level, one after the other. */
import { invariantOf } from '../src/raft/testing/checker.ts';
import { type LevelName, levels, type RunResult } from './level.ts';

export interface Batch {
  readonly level: LevelName;
  readonly from: number;
  readonly seeds: number;
  /** The rule to break; undefined for none. */
  readonly rule?: string | undefined;
}

export interface FailedSeed {
  readonly seed: number;
  /** The invariant that was broken; undefined for a group that is stuck. */
  readonly invariant: string | undefined;
  readonly message: string;
}

export interface BatchResult {
  readonly seeds: number;
  readonly counts: Record<string, number>;
  /** Sum over the seeds, modulo 2^32: the same whichever worker plays which. */
  readonly hash: number;
  readonly failed: readonly FailedSeed[];
}

/** Seeds of a broken program whose group is merely stuck count as passed: it kept its promises. */
export async function runBatch({ level, from, seeds, rule }: Batch): Promise<BatchResult> {
  const counts: Record<string, number> = {};
  const failed: FailedSeed[] = [];
  let hash = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    try {
      const result = await levels[level].run(seed, rule);
      addCounts(counts, result.counts);
      hash = (hash + result.hash) >>> 0;
    } catch (error) {
      const failure = failedSeed(seed, error);
      if (rule === undefined || failure.invariant !== undefined) failed.push(failure);
      if (rule !== undefined && failure.invariant !== undefined) break;
    }
  }
  return { seeds, counts, hash, failed };
}

export function addCounts(total: Record<string, number>, counts: RunResult['counts']): void {
  for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
}

function failedSeed(seed: number, error: unknown): FailedSeed {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { seed, invariant: invariantOf(error), message };
}
