/**
 * Shows that the simulation can fail: each mutation breaks one rule that Raft's safety rests on, and some seed must
 * notice. `npm run simulate -- --mutations` prints how many seeds that took.
 */
import { describe, expect, test } from 'vitest';
import { invariantOf } from './testing/checker.ts';
import { raftMutations } from './testing/mutations.ts';
import { simulate } from './testing/simulation.ts';

/** Far more than the rarest of them needs. */
const SEEDS = 10_000;

describe('a broken rule is noticed', () => {
  test.for(raftMutations.map((one) => [one.rule, one] as const))('%s', ([, { mutation, temper }]) => {
    let broken: string | undefined;
    for (let seed = 1; seed <= SEEDS && broken === undefined; seed++) {
      try {
        simulate({ seed, mutation, temper });
      } catch (error) {
        broken = invariantOf(error);
      }
    }
    expect(broken, `unnoticed in ${SEEDS} seeds`).toBeDefined();
  });
});
