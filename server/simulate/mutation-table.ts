/** Breaks one rule after the other, and counts the seeds until a run notices. */
import { LEVELS, type LevelName, levels } from './level.ts';
import type { Pool } from './pool.ts';
import { batches } from './seeds.ts';

/** Far more than the rarest needs. */
const SEEDS_MAX: Readonly<Record<LevelName, number>> = { raft: 20_000, groups: 1_000 };

export interface MutationRow {
  readonly level: LevelName;
  /** What holds, and was broken. */
  readonly rule: string;
  /** The invariant that a run found broken; undefined when none did. */
  readonly invariant: string | undefined;
  /** First seed that noticed, which is the number of seeds that it took. */
  readonly seeds: number;
}

export async function mutationTable(
  pool: Pool,
  onRow: (row: MutationRow) => void,
): Promise<readonly MutationRow[]> {
  const rows: MutationRow[] = [];
  for (const level of LEVELS) {
    for (const rule of levels[level].rules) {
      const row = await mutationRow(pool, level, rule);
      rows.push(row);
      onRow(row);
    }
  }
  return rows;
}

async function mutationRow(pool: Pool, level: LevelName, rule: string): Promise<MutationRow> {
  const seedsMax = SEEDS_MAX[level];
  let seeds = seedsMax;
  let invariant: string | undefined;
  // Batches begin in order: those under way when one notices are finished, so that the first seed is the first.
  await pool.run(batches(level, 1, seedsMax, rule), (_batch, { failed }) => {
    const noticed = failed.find((one) => one.invariant !== undefined);
    if (noticed !== undefined && noticed.seed <= seeds) {
      seeds = noticed.seed;
      invariant = noticed.invariant;
    }
    return invariant === undefined;
  });
  return { level, rule, invariant, seeds };
}
