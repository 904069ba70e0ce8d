import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeOf } from '../replica-id.ts';
import { planControlVoters } from './plan-control.ts';
import { planLeaders } from './plan-leaders.ts';
import { planReplicas } from './plan-replicas.ts';
import { SimulatedCluster } from './testing/simulated-cluster.ts';

const MINUTES_5 = 5 * 60_000;
/** Rounds after which the largest of these clusters is at rest: a few for each replica there can be. */
const ROUNDS_MAX = 150;
const NODES_MAX = 8;

type Event = (cluster: SimulatedCluster) => void;

/** A node that belongs to the cluster, picked by a number. */
function memberOf(cluster: SimulatedCluster, pick: number): number {
  const present = cluster.picture().nodes;
  return present[pick % present.length]!.node;
}

const pick = fc.nat(100);
const label = fc.constantFrom('', '', 'a', 'b', 'c');
const events = {
  join: label.map(
    (name): Event =>
      (cluster) => {
        if (cluster.nodes.size < NODES_MAX) cluster.join(name);
      },
  ),
  leave: pick.map(
    (at): Event =>
      (cluster) =>
        void cluster.leave(memberOf(cluster, at)),
  ),
  down: fc.record({ pick, down_ms: fc.constantFrom(1, 4 * 60_000, MINUTES_5) }).map(
    (given): Event =>
      (cluster) =>
        cluster.setDown(memberOf(cluster, given.pick), given.down_ms),
  ),
  up: pick.map(
    (at): Event =>
      (cluster) =>
        cluster.setDown(memberOf(cluster, at), 0),
  ),
  drain: fc.record({ pick, isDraining: fc.boolean() }).map(
    (given): Event =>
      (cluster) => {
        cluster.nodes.get(memberOf(cluster, given.pick))!.isDraining = given.isDraining;
      },
  ),
  replication: fc.integer({ min: 1, max: 5 }).map(
    (replication): Event =>
      (cluster) =>
        cluster.setReplication(replication),
  ),
  load: fc
    .record({ pick, bytes: fc.nat(100), writesPerSecond: fc.nat(10_000), readsPerSecond: fc.nat(10_000) })
    .map(
      (given): Event =>
        (cluster) => {
          const groups = cluster.dataGroups;
          groups[given.pick % groups.length]!.load = {
            bytes: given.bytes * 2 ** 30,
            writesPerSecond: given.writesPerSecond,
            readsPerSecond: given.readsPerSecond,
          };
        },
    ),
  round: fc.integer({ min: 1, max: 4 }).map(
    (rounds): Event =>
      (cluster) => {
        for (let round = 0; round < rounds; round++) cluster.round();
      },
  ),
};

const event = fc.oneof(
  { weight: 4, arbitrary: events.join },
  { weight: 1, arbitrary: events.leave },
  { weight: 2, arbitrary: events.down },
  { weight: 2, arbitrary: events.up },
  { weight: 1, arbitrary: events.drain },
  { weight: 1, arbitrary: events.replication },
  { weight: 2, arbitrary: events.load },
  { weight: 6, arbitrary: events.round },
);

test('whatever happens, no group loses a voter by a move, and once all nodes are back everything comes to rest as it should be', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(event, { maxLength: 30, size: 'max' }),
      (groups, replication, history) => {
        const cluster = new SimulatedCluster(groups, replication);
        for (const happen of history) happen(cluster);
        for (const node of cluster.nodes.values()) {
          node.down_ms = 0;
          node.isDraining = false;
        }
        cluster.converge(ROUNDS_MAX);
        expectAtRest(cluster);
      },
    ),
    { numRuns: 200 },
  );
});

test('plans are made of the picture alone: the order of nodes and groups in it changes nothing', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), fc.integer(), (history, seed) => {
      const cluster = new SimulatedCluster(6, 3);
      for (const happen of history) happen(cluster);
      const picture = cluster.picture();
      const shuffled = {
        ...picture,
        nodes: shuffle(picture.nodes, seed),
        groups: shuffle(picture.groups, seed),
      };
      expect(planReplicas(shuffled)).toEqual(planReplicas(picture));
      expect(planLeaders(shuffled)).toEqual(planLeaders(picture));
      expect(planControlVoters(shuffled)).toEqual(planControlVoters(picture));
    }),
    { numRuns: 100 },
  );
});

function expectAtRest(cluster: SimulatedCluster): void {
  const { machine } = cluster.driver;
  const staying = machine.members().filter(({ standing }) => standing === 'active');
  expect(machine.members().filter(({ standing }) => standing === 'leaving')).toEqual([]);
  const wanted = Math.min(machine.cluster!.replication, staying.length);
  const labelOf = (node: number) => cluster.nodes.get(node)!.label || `only ${node}`;
  const labels = new Set(staying.map(({ number }) => labelOf(number)));
  for (const { group, configuration, leader } of cluster.groups) {
    const nodes = configuration.voters.map(nodeOf);
    const voters = group > 0 ? wanted : Math.max(1, wanted % 2 === 0 ? wanted - 1 : wanted);
    expect(nodes, `group ${group}`).toHaveLength(voters);
    expect(new Set(configuration.voters)).toEqual(new Set(machine.placement(group)!.desired.voters));
    for (const node of nodes) expect(machine.member(node)?.standing).toBe('active');
    expect(new Set(nodes.map(labelOf)).size).toBe(Math.min(voters, labels.size));
    expect(configuration.voters).toContain(leader);
  }
  // With labels counts are as even as these allow; without, they are even.
  if (labels.size === staying.length) {
    expectEven(cluster.replicaCounts(), cluster.dataGroups.length * wanted);
  }
}

function expectEven(of: Map<number, number>, total: number): void {
  const share = total / of.size;
  for (const count of of.values())
    expect(Math.abs(count - share)).toBeLessThanOrEqual(Math.max(1, share / 10));
}

function shuffle<T>(items: readonly T[], seed: number): T[] {
  const rank = (position: number) => Math.imul(position + 1, seed | 1) >>> 0;
  return items
    .map((item, position) => [rank(position), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}
