/** The program's parts on a few seeds: what they add up, how they spread, and what they say of a run that fails. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { runBatch } from './batch.ts';
import { levels } from './level.ts';
import { Pool } from './pool.ts';
import { mutationLine, reportText } from './print.ts';
import { runSeeds, traceSeed } from './seeds.ts';

const SEEDS = 24;

function pool(size: number): Pool {
  const made = new Pool(size);
  onTestFinished(() => made.close());
  return made;
}

describe('a batch of seeds', () => {
  it('gives the same digest and counts however it is spread over threads', async () => {
    const alone = await runBatch({ level: 'raft', from: 5, seeds: SEEDS });
    const spread = await runSeeds(pool(2), 'raft', 5, SEEDS, () => {});
    expect(spread.failed).toEqual([]);
    expect(Number.parseInt(spread.hash, 16)).toBe(alone.hash);
    expect(spread.counts).toEqual(alone.counts);
    expect(spread.counts.committed).toBeGreaterThan(10 * SEEDS);
  });

  it('names the seed, the invariant and how to see it again when a rule is broken', async () => {
    const rule = 'a vote, or an acknowledged entry, is durable before it is said';
    expect(levels.raft.rules).toContain(rule);
    const { failed, seeds, hash, counts } = await runBatch({ level: 'raft', from: 1, seeds: SEEDS, rule });
    expect(failed).toHaveLength(1);
    const { seed, invariant } = failed[0]!;
    expect(invariant).toBeDefined();
    const report = {
      level: 'raft',
      from: 1,
      seeds,
      elapsed_ms: 1000,
      hash: hash.toString(16),
      counts,
      failed,
    };
    expect(reportText({ ...report, level: 'raft' })).toContain(
      `--level raft --from ${seed} --seeds 1 --trace`,
    );
    expect(mutationLine({ level: 'raft', rule, invariant, seeds: seed })).toContain(
      `| ${invariant} | ${seed} |`,
    );
  });
});

describe('a trace', () => {
  it.each(['raft', 'groups'] as const)(
    'tells a run of %s line by line, the same each time',
    async (level) => {
      const first: string[] = [];
      const second: string[] = [];
      expect(await traceSeed(level, 3, (line) => first.push(line))).toBeUndefined();
      expect(await traceSeed(level, 3, (line) => second.push(line))).toBeUndefined();
      expect(second).toEqual(first);
      expect(
        first.filter((line) => /^ *\d+ {2}n\d .* append n\d→n\d t\d+ after /.test(line)).length,
      ).toBeGreaterThan(10);
    },
  );
});
