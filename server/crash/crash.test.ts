/** The short form of `npm run crash`: each kind of moment once. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { crashRun } from './crash-run.ts';
import { KILL_MOMENTS } from './kill-moments.ts';

test('a node that is killed at every kind of moment keeps each acknowledged write, once', {
  timeout: 240_000,
}, async () => {
  const rounds = KILL_MOMENTS.length;
  const summary = await crashRun({ rounds, seed: randomInt(2 ** 31) });
  expect(Object.values(summary.kills)).toEqual(KILL_MOMENTS.map(() => 1));
  // There was something to lose. How much of it depends on the machine.
  expect(summary.writesAcknowledged).toBeGreaterThan(0);
  expect(summary.entriesRecovered).toBeGreaterThan(0);
  expect(summary.checks).toBeGreaterThan(0);
});
