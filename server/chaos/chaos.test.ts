/** The short form of `npm run chaos`: a death, a pause and an isolation of nodes that lead. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { chaosRun } from './chaos-run.ts';
import { toldReport } from './report.ts';

test('a cluster whose leaders die, stand still and are cut off keeps every promise', {
  timeout: 300_000,
}, async () => {
  const report = await chaosRun({
    seed: randomInt(2 ** 31),
    nodes: 3,
    faults: [],
    plan: async (faults, nemesis, cluster) => {
      await nemesis.suffer(faults.kill(await cluster.untilLed(1), 1_200));
      await nemesis.recovered();
      await nemesis.suffer(faults.pause(await cluster.untilLed(2), 2_500));
      await nemesis.recovered();
      await nemesis.suffer(faults.isolate(await cluster.untilLed(3), 2_500));
      await nemesis.recovered();
    },
  });
  expect(report.violations, toldReport(report)).toEqual([]);
  expect(report.undecided).toEqual([]);
  // There was something to check. How much of it depends on the machine.
  for (const [kind, { acknowledged }] of report.tallies) expect(acknowledged, kind).toBeGreaterThan(0);
  expect(report.delivered).toBeGreaterThan(0);
  // Whoever leads after a death was elected.
  expect(report.terms).toBeGreaterThan(0);
});
