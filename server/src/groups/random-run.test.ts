/**
 * Random runs of whole hosts (testing/random-run). `npm run simulate -- --level groups --seeds 200` plays more of them;
 * with `--from <seed> --seeds 1 --trace` it tells one event by event.
 */
import { describe, expect, it } from 'vitest';
import { invariantOf } from '../raft/testing/checker.ts';
import { type GroupMutation, groupMutations } from './testing/random-run/mutations.ts';
import { randomRun } from './testing/random-run/random-run.ts';

const SEEDS = 6;
/** Of the mutations those that one of the first few runs notices. */
const SOON_NOTICED = [
  'a write is durable before it is answered',
  'the sessions are part of a snapshot',
  'a write that is sent again has the outcome of the first',
  'entries apply with the stamp of the leader, not by the clock of the node',
  'a snapshot and the list of replicas are on disk before anything relies on them',
  'a replica that hibernates goes on when the node of its leader falls silent',
];
const MUTATION_SEEDS = 10;

describe('a random run', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'ends with equal replicas and right answers: seed %i',
    async (seed) => {
      const result = await randomRun({ seed });
      expect(result.committed).toBeGreaterThan(15);
      expect(result.readsChecked).toBeGreaterThan(10);
      if (seed % 4 >= 2) expect(result.hibernations).toBeGreaterThan(3);
    },
    60_000,
  );

  it('is the same run for the same seed', async () => {
    const { hash } = await randomRun({ seed: 42 });
    expect((await randomRun({ seed: 42 })).hash).toBe(hash);
    expect((await randomRun({ seed: 43 })).hash).not.toBe(hash);
  });

  it.each(SOON_NOTICED)('notices that it does not hold that %s', async (rule) => {
    const mutation = groupMutations.find((one) => one.rule === rule);
    if (mutation === undefined) throw new Error(`no mutation breaks: ${rule}`);
    expect(await brokenInvariant(mutation)).toBeDefined();
  });
});

async function brokenInvariant({ sabotage, install }: GroupMutation): Promise<string | undefined> {
  const mend = install?.();
  try {
    for (let seed = 1; seed <= MUTATION_SEEDS; seed++) {
      try {
        await randomRun({ seed, sabotage });
      } catch (error) {
        const invariant = invariantOf(error);
        if (invariant !== undefined) return invariant;
      }
    }
    return undefined;
  } finally {
    mend?.();
  }
}
