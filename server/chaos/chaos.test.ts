/** The short form of `npm run chaos`: a death, a pause and an isolation of nodes that lead. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ChaosCluster, ChaosNode } from './chaos-cluster.ts';
import { chaosRun } from './chaos-run.ts';
import { toldReport } from './report.ts';

test('a cluster whose leaders die, stand still and are cut off keeps every promise', {
  timeout: 180_000,
}, async () => {
  const report = await chaosRun({
    seed: randomInt(2 ** 31),
    nodes: 3,
    faults: [],
    plan: async (faults, nemesis, cluster) => {
      await nemesis.suffer(faults.kill(await leader(cluster, 1), 1_200));
      await nemesis.recovered();
      await nemesis.suffer(faults.pause(await leader(cluster, 2), 2_500));
      await nemesis.recovered();
      await nemesis.suffer(faults.isolate(await leader(cluster, 3), 2_500));
      await nemesis.recovered();
    },
  });
  expect(report.violations, toldReport(report)).toEqual([]);
  expect(report.undecided).toEqual([]);
  expect(report.total.acknowledged).toBeGreaterThan(500);
  expect(report.delivered).toBeGreaterThan(100);
  expect(report.leaderChanges).toBeGreaterThan(0);
});

async function leader(cluster: ChaosCluster, group: number): Promise<ChaosNode> {
  const node = await cluster.leaderOf(group);
  if (node === undefined) throw new Error(`group ${group} has no leader`);
  return node;
}
