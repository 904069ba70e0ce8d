import { describe, expect, it } from 'vitest';
import { nodeOf } from '../replica-id.ts';
import { NO_LOAD } from './picture.ts';
import { planControlVoters } from './plan-control.ts';
import { planLeaders } from './plan-leaders.ts';
import { planReplicas } from './plan-replicas.ts';
import { SimulatedCluster } from './testing/simulated-cluster.ts';

const MINUTES_4 = 4 * 60_000;
const MINUTES_5 = 5 * 60_000;
/** Enough for every case here; how few are needed is asked where it matters. */
const ROUNDS_MAX = 200;

function clusterOf(nodes: number, groups: number, labels: readonly string[] = []): SimulatedCluster {
  const cluster = new SimulatedCluster(groups, 3);
  cluster.nodes.get(1)!.label = labels[0] ?? '';
  for (let node = 2; node <= nodes; node++) cluster.join(labels[node - 1] ?? '');
  cluster.converge(ROUNDS_MAX);
  return cluster;
}

function nodesOf(cluster: SimulatedCluster, group: number): number[] {
  return cluster.groups[group]!.configuration.voters.map(nodeOf).sort((a, b) => a - b);
}

function votersPerGroup(cluster: SimulatedCluster): Set<number> {
  return new Set(cluster.dataGroups.map(({ configuration }) => configuration.voters.length));
}

const counts = (of: Map<number, number>) => [...of.values()];

describe('growth and shrinking', () => {
  it('from one node to three, five and back keeps every group whole and evenly spread', () => {
    const cluster = new SimulatedCluster(16, 3);
    expect(cluster.converge(1)).toMatchObject({ moves: 0 });

    cluster.join();
    expect(cluster.converge(ROUNDS_MAX)).toMatchObject({ moves: 16 });
    expect(votersPerGroup(cluster)).toEqual(new Set([2]));
    expect(nodesOf(cluster, 0)).toEqual([1]);

    cluster.join();
    expect(cluster.converge(ROUNDS_MAX)).toMatchObject({ moves: 16 });
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3]);
    expect(counts(cluster.leaderCounts()).sort()).toEqual([5, 5, 6]);

    cluster.join();
    cluster.join();
    // 48 replicas on five nodes: the two new ones get 9 or 10 each.
    const { moves } = cluster.converge(ROUNDS_MAX);
    expect(moves).toBeLessThanOrEqual(20);
    expect(counts(cluster.replicaCounts()).sort()).toEqual([10, 10, 10, 9, 9].sort());
    expect(counts(cluster.leaderCounts()).sort()).toEqual([3, 3, 3, 3, 4]);

    const held = cluster.replicaCounts();
    cluster.leave(2);
    cluster.leave(4);
    const shrunk = cluster.converge(ROUNDS_MAX);
    expect(shrunk.moves).toBe(held.get(2)! + held.get(4)!);
    expect(cluster.driver.machine.member(4)?.standing).toBe('left');
    expect(counts(cluster.replicaCounts())).toEqual([16, 16, 16]);
    expect(nodesOf(cluster, 0)).toEqual([1, 3, 5]);
  });

  it('three nodes at once never copy a group more often than needed', () => {
    const cluster = new SimulatedCluster(16, 3);
    cluster.join();
    cluster.join();
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(32);
  });

  it('more replication is made, and less drops what is too much without a copy', () => {
    const cluster = clusterOf(5, 8);
    cluster.setReplication(5);
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(16);
    expect(votersPerGroup(cluster)).toEqual(new Set([5]));
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3, 4, 5]);
    cluster.setReplication(3);
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(0);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    expect(counts(cluster.replicaCounts()).sort()).toEqual([4, 5, 5, 5, 5]);
  });

  it('a node that leaves a cluster of three takes a replica of every group with it', () => {
    const cluster = clusterOf(3, 8);
    cluster.leave(3);
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(0);
    expect(votersPerGroup(cluster)).toEqual(new Set([2]));
    expect(cluster.driver.machine.member(3)?.standing).toBe('left');
  });
});

describe('a node that is down', () => {
  it('keeps its replicas for five minutes, and loses them then', () => {
    const cluster = clusterOf(4, 8);
    cluster.setDown(2, MINUTES_4);
    expect(planReplicas(cluster.picture())).toEqual([]);
    const held = cluster.replicaCounts().get(2)!;
    cluster.setDown(2, MINUTES_5);
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(held);
    expect(cluster.replicaCounts().get(2)).toBe(0);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    expect(nodesOf(cluster, 0)).not.toContain(2);
  });

  it('keeps them where no other node can take them', () => {
    const cluster = clusterOf(3, 8);
    cluster.setDown(2, MINUTES_5);
    expect(cluster.converge(3).moves).toBe(0);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3]);
    cluster.setDown(2, 0);
    expect(cluster.converge(ROUNDS_MAX).moves).toBe(0);
  });

  it('is replaced at once when it is leaving', () => {
    const cluster = clusterOf(4, 8);
    cluster.setDown(2, 1);
    cluster.leave(2);
    cluster.converge(ROUNDS_MAX);
    expect(cluster.driver.machine.member(2)?.standing).toBe('left');
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
  });

  it('is given up as the target of a move', () => {
    const cluster = clusterOf(3, 4);
    cluster.join();
    cluster.round();
    cluster.setDown(4, 1);
    const waiting = cluster.driver.machine.placements().filter(({ desired }) => desired.voters.includes(4));
    expect(waiting.length).toBeGreaterThan(0);
    cluster.join();
    cluster.converge(ROUNDS_MAX);
    cluster.setDown(4, MINUTES_5);
    cluster.converge(ROUNDS_MAX);
    expect(cluster.replicaCounts().get(4)).toBe(0);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
  });

  it('does not hold a leaving node back for ever', () => {
    const cluster = clusterOf(3, 4);
    cluster.join();
    cluster.round();
    cluster.setDown(4, 1);
    cluster.leave(4);
    cluster.converge(ROUNDS_MAX);
    expect(cluster.driver.machine.member(4)?.standing).toBe('left');
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
  });

  it('keeps one that leaves from going while the others could not decide without it', () => {
    const cluster = clusterOf(3, 8);
    cluster.setDown(2, 1);
    cluster.leave(3);
    cluster.converge(10);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    expect(cluster.driver.machine.member(3)?.standing).toBe('leaving');
    cluster.setDown(2, 0);
    cluster.converge(ROUNDS_MAX);
    expect(cluster.driver.machine.member(3)?.standing).toBe('left');
  });

  it('leaves groups without a majority alone, however long it is down', () => {
    const cluster = clusterOf(5, 8);
    for (const node of [1, 2, 3, 4]) cluster.setDown(node, 10 * MINUTES_5);
    cluster.converge(3);
    expect(planReplicas(cluster.picture())).toEqual([]);
    expect(planControlVoters(cluster.picture())).toBeUndefined();
    expect(planLeaders(cluster.picture())).toEqual([]);
    for (const node of [1, 2, 3, 4]) cluster.setDown(node, 0);
    cluster.converge(ROUNDS_MAX);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
  });
});

describe('the control group', () => {
  it('keeps a voter that leaves while its successor is only away', () => {
    const cluster = clusterOf(4, 4);
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3]);
    cluster.setDown(4, 1);
    cluster.leave(3);
    cluster.converge(10);
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3]);
    cluster.setDown(4, 0);
    cluster.converge(ROUNDS_MAX);
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 4]);
  });

  it('keeps voters that leave while the others could not decide without them', () => {
    const cluster = new SimulatedCluster(1, 5);
    for (let node = 2; node <= 5; node++) cluster.join();
    cluster.converge(ROUNDS_MAX);
    expect(nodesOf(cluster, 0)).toEqual([1, 2, 3, 4, 5]);
    for (const node of [2, 3]) cluster.setDown(node, 1);
    for (const node of [4, 5]) cluster.leave(node);
    expect(planControlVoters(cluster.picture())).toBeUndefined();
    for (const node of [2, 3]) cluster.setDown(node, 0);
    expect(planControlVoters(cluster.picture())).toMatchObject({ nodes: [1, 2, 3], reason: 'leaving' });
  });

  it('replaces a voter that is down for five minutes by a learner that has caught up', () => {
    const cluster = clusterOf(5, 4);
    cluster.setDown(2, MINUTES_5);
    const picture = cluster.picture();
    expect(planControlVoters(picture)).toMatchObject({ nodes: [1, 3, 4], reason: 'down' });
    const report = { ...picture.control.report!, caughtUp: [1, 3, 5] };
    const behind = { ...picture, control: { ...picture.control, report } };
    expect(planControlVoters(behind)).toMatchObject({ nodes: [1, 3, 5] });
  });

  it('is not changed while a change is under way', () => {
    const cluster = clusterOf(5, 4);
    cluster.setDown(2, MINUTES_5);
    const picture = cluster.picture();
    const report = { ...picture.control.report!, votersOutgoing: [1] };
    expect(planControlVoters({ ...picture, control: { ...picture.control, report } })).toBeUndefined();
  });
});

describe('host labels', () => {
  const labelsOf = (cluster: SimulatedCluster, group: number) =>
    nodesOf(cluster, group).map((node) => cluster.nodes.get(node)!.label);

  it('hold one replica of a group each, and one voter of the control group', () => {
    const cluster = clusterOf(6, 12, ['a', 'a', 'b', 'b', 'c', 'c']);
    for (const { group } of cluster.groups) expect(new Set(labelsOf(cluster, group)).size).toBe(3);
    expect(counts(cluster.replicaCounts())).toEqual([6, 6, 6, 6, 6, 6]);
  });

  it('share a group where there are too few, and part once there are enough', () => {
    const cluster = clusterOf(4, 12, ['a', 'a', 'b', 'b']);
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    for (const { group } of cluster.groups) expect(new Set(labelsOf(cluster, group)).size).toBe(2);
    cluster.join('c');
    // One replica of each group has to move, and two more for the sake of counts.
    expect(cluster.converge(ROUNDS_MAX).moves).toBeLessThanOrEqual(14);
    for (const { group } of cluster.groups) expect(new Set(labelsOf(cluster, group)).size).toBe(3);
  });

  it('come before even counts', () => {
    const cluster = clusterOf(6, 12, ['a', 'b', 'c', 'c', 'c', 'c']);
    for (const { group } of cluster.groups) expect(new Set(labelsOf(cluster, group)).size).toBe(3);
    expect(counts(cluster.replicaCounts())).toEqual([12, 12, 3, 3, 3, 3]);
  });

  it('come before replacing soon', () => {
    const cluster = clusterOf(5, 6, ['a', 'b', 'c', 'a', 'c']);
    cluster.setDown(2, MINUTES_5);
    cluster.converge(ROUNDS_MAX);
    // Nobody but node 2 has label b: all replicas it had are still made anew, beside another of its new label.
    expect(votersPerGroup(cluster)).toEqual(new Set([3]));
    cluster.join('d');
    cluster.converge(ROUNDS_MAX);
    for (const { group } of cluster.groups) expect(new Set(labelsOf(cluster, group)).size).toBe(3);
  });
});

describe('load', () => {
  const GIB = 1024 ** 3;

  /** The load that each node bears, by node. */
  function bytesPerNode(cluster: SimulatedCluster): number[] {
    return [...cluster.nodes.keys()].map((node) =>
      cluster.dataGroups
        .filter(({ group }) => nodesOf(cluster, group).includes(node))
        .reduce((sum, { load }) => sum + load!.bytes, 0),
    );
  }

  it('evens out after counts, without making them uneven', () => {
    const cluster = clusterOf(6, 24);
    for (const group of cluster.dataGroups) {
      const isHeavy = nodesOf(cluster, group.group).includes(1);
      group.load = { ...NO_LOAD, bytes: isHeavy ? 9 * GIB : GIB };
    }
    const before = bytesPerNode(cluster);
    const { moves } = cluster.converge(ROUNDS_MAX);
    const after = bytesPerNode(cluster);
    const mean = after.reduce((sum, bytes) => sum + bytes, 0) / 6;
    expect(Math.max(...before)).toBeGreaterThan(1.25 * mean);
    expect(Math.max(...after)).toBeLessThanOrEqual(1.25 * mean);
    expect(moves).toBeGreaterThan(0);
    for (const count of counts(cluster.replicaCounts())) expect(Math.abs(count - 12)).toBeLessThanOrEqual(1);
  });

  it('moves nothing for what is not worth it', () => {
    const cluster = clusterOf(4, 16);
    cluster.dataGroups[0]!.load = { bytes: 1024 * 1024, writesPerSecond: 3, readsPerSecond: 3 };
    expect(cluster.converge(2)).toMatchObject({ moves: 0, transfers: 0 });
  });

  it('of one large group moves nothing: nobody would bear it better', () => {
    const cluster = clusterOf(4, 16);
    cluster.dataGroups[0]!.load = { ...NO_LOAD, bytes: 100 * GIB };
    expect(cluster.converge(10).moves).toBeLessThanOrEqual(3);
  });

  it('in calls is evened out by leaders', () => {
    const cluster = clusterOf(3, 12);
    for (const group of cluster.dataGroups) {
      group.load = { ...NO_LOAD, readsPerSecond: nodeOf(group.leader!) === 1 ? 10_000 : 1_000 };
    }
    const { moves, transfers } = cluster.converge(ROUNDS_MAX);
    expect(moves).toBe(0);
    expect(transfers).toBeGreaterThan(0);
    expect(counts(cluster.leaderCounts())).toEqual([4, 4, 4]);
    const calls = [1, 2, 3].map((node) =>
      cluster.dataGroups
        .filter(({ leader }) => nodeOf(leader!) === node)
        .reduce((sum, { load }) => sum + load!.readsPerSecond, 0),
    );
    // Four busy groups on three nodes: one node leads two of them, and two quiet ones.
    expect(Math.max(...calls)).toBe(22_000);
  });
});

describe('leaders', () => {
  it('come back to a node that was restarted', () => {
    const cluster = clusterOf(3, 12);
    cluster.setDown(2, 1);
    cluster.converge(10);
    expect(cluster.leaderCounts().get(2)).toBe(0);
    cluster.setDown(2, 0);
    cluster.converge(10);
    expect(counts(cluster.leaderCounts())).toEqual([4, 4, 4]);
  });

  it('go to nobody who is draining or behind', () => {
    const cluster = clusterOf(3, 12);
    for (const group of cluster.dataGroups) group.leader = group.configuration.voters[0];
    for (const { group } of cluster.dataGroups) {
      const { machine } = cluster.driver;
      expect(machine.placement(group)).toBeDefined();
    }
    const picture = cluster.picture();
    const unwanted = {
      ...picture,
      nodes: picture.nodes.map((node) => ({ ...node, isDraining: node.node === 2 })),
      groups: picture.groups.map((group) => ({
        ...group,
        preferredLeader: undefined,
        report: { ...group.report!, caughtUp: group.report!.caughtUp.filter((replica) => replica !== 3) },
      })),
    };
    expect(planLeaders(unwanted)).toEqual([]);
    const wanted = { ...unwanted, nodes: picture.nodes };
    expect(new Set(planLeaders(wanted).map(({ node }) => node))).toEqual(new Set([2]));
  });

  it('find their way over a third node where two share no group', () => {
    // Node 1 leads three groups that node 2 shares; node 2 leads two that node 3 shares, and node 3 none.
    const cluster = new SimulatedCluster(5, 2);
    cluster.join();
    cluster.join();
    for (const group of [1, 2, 3]) cluster.settle(group, [1, 2], 1);
    for (const group of [4, 5]) cluster.settle(group, [2, 3], 2);
    const changes = planLeaders(cluster.picture());
    expect(changes).toHaveLength(2);
    expect(changes.map(({ node }) => node).sort()).toEqual([2, 3]);
  });
});
