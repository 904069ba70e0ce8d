/**
 * Random runs, each from a seed. A failure names the seed; `npm run simulate -- --level raft --seeds 1 --trace --from <seed>` tells it event by event. `GOMSG_RAFT_SEEDS` sets how
 * many seeds are run, `GOMSG_RAFT_FIRST_SEED` where they begin.
 */
import { describe, expect, test } from 'vitest';
import { type Coverage, noCoverage } from './testing/coverage.ts';
import { type SimulationResult, simulate } from './testing/simulation.ts';

const SEEDS = Number(process.env.GOMSG_RAFT_SEEDS ?? 400);
const FIRST_SEED = Number(process.env.GOMSG_RAFT_FIRST_SEED ?? 1);
const MS_PER_SEED = 100;

describe('random runs', () => {
  test(
    `keep every promise of Raft and end in progress (${SEEDS} seeds)`,
    () => {
      const total = noCoverage();
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        const result = run(seed);
        for (const key of Object.keys(total) as (keyof Coverage)[]) total[key] += result[key];
      }
      // Runs in which nothing happens would pass too.
      expect(total.committed / SEEDS).toBeGreaterThan(10);
      expect(total.answeredReads / SEEDS).toBeGreaterThan(2);
      expect(total.terms / SEEDS).toBeGreaterThan(3);
      expect(total.crashes / SEEDS).toBeGreaterThan(2);
      expect(total.installedSnapshots / SEEDS).toBeGreaterThan(0.1);
      expect(total.appliedConfigurations / SEEDS).toBeGreaterThan(1);
      expect(total.tornWrites / SEEDS).toBeGreaterThan(0.1);
      expect(total.stalledDisks / SEEDS).toBeGreaterThan(0.1);
    },
    30_000 + SEEDS * MS_PER_SEED,
  );

  test('are the same run for the same seed', () => {
    expect(simulate({ seed: 42 })).toEqual(simulate({ seed: 42 }));
    expect(simulate({ seed: 42 }).hash).not.toBe(simulate({ seed: 43 }).hash);
  });
});

function run(seed: number): SimulationResult {
  try {
    return simulate({ seed });
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}
