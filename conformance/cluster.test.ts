/** A few cases of every kind on three nodes that all of them share. `npm run conformance -- --nodes 3` runs all. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCases, selectCases } from './src/load-cases.ts';
import { skipReason } from './src/run/skipped.ts';
import { Suite } from './src/run/suite.ts';
import { CONFORMANCE, SDKS } from './src/sdks.ts';

/** For all of them together: each may wait for the others, and for the cluster. */
const ALL_MS = 300_000;

const CASES = [
  'cluster/of-three/nodes',
  'cluster/of-three/topology',
  'cluster/of-three/join-of-a-used-id',
  'cluster/of-three/one-address-is-enough',
  'cluster/of-three/stale-reads',
  'kv/counters/concurrent',
  'kv/batches/mset-and-mget',
  'kv/patterns/delete-by-pattern',
  'kv/watch/survives-cuts',
  'queue/consume/iterator',
  'stream/groups/shared-partitions',
  'stream/subscribe/survives-cuts',
  'client/retries/counter-under-cuts',
  'client/silence/leader-is-stopped',
];

const mode = { nodes: 3, killsLeader: false } as const;
const cases = selectCases(loadCases(join(CONFORMANCE, 'cases')), CASES);
const suite = new Suite({ cases, sdks: SDKS, known: [], mode });

beforeAll(() => {
  void suite.run();
});

test('all of them are cases for three nodes', () => {
  expect(
    cases
      .filter((testCase) => skipReason(testCase, mode) === undefined)
      .map(({ id }) => id)
      .sort(),
  ).toEqual([...CASES].sort());
});

describe.each(SDKS.map(({ name }) => name))('%s', (sdk) => {
  test.each(cases.map(({ id }) => id))('%s', { timeout: ALL_MS }, async (id) => {
    const { status, message } = (await suite.result(sdk, id))!;
    expect(status, message).toBe('passed');
  });
});
