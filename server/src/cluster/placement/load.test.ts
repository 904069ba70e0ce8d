/** Load that moves leaders and replicas: towards even, and not to and fro. */
import { describe, expect, it } from 'vitest';
import { nodeOf } from '../replica-id.ts';
import type { GroupLoad } from './picture.ts';
import { planLeaders } from './plan-leaders.ts';
import { planReplicas } from './plan-replicas.ts';
import { SimulatedCluster } from './testing/simulated-cluster.ts';

const ROUNDS_MAX = 300;
/** Rounds in which nothing may happen, or hardly anything: a plan each second, so five minutes. */
const NOISY_ROUNDS = 300;
const NOISE = 0.2;
const GIB = 1024 ** 3;

function clusterOf(nodes: number, groups: number): SimulatedCluster {
  const cluster = new SimulatedCluster(groups, 3);
  for (let node = 2; node <= nodes; node++) cluster.join();
  cluster.converge(ROUNDS_MAX);
  return cluster;
}

/** A generator of numbers from 0 to 1, the same for a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Skewed as popularity is: the group of rank r gets 1/r of what the first gets (Zipf). */
function zipf(cluster: SimulatedCluster): GroupLoad[] {
  return cluster.dataGroups.map((_, rank) => ({
    bytes: (20 * GIB) / (rank + 1),
    writesPerSecond: 10_000 / (rank + 1),
    readsPerSecond: 30_000 / (rank + 1),
  }));
}

function give(cluster: SimulatedCluster, loads: readonly GroupLoad[], factor: () => number = () => 1): void {
  for (const [position, group] of cluster.dataGroups.entries()) {
    const { bytes, writesPerSecond, readsPerSecond } = loads[position]!;
    const noise = factor();
    group.load = { bytes, writesPerSecond: noise * writesPerSecond, readsPerSecond: noise * readsPerSecond };
  }
}

/** The greatest of what nodes bear, against the mean. */
function peak(cluster: SimulatedCluster, what: 'writes' | 'calls'): number {
  const sums = new Map([...cluster.nodes.keys()].map((node) => [node, 0]));
  const add = (node: number, load: number) => sums.set(node, sums.get(node)! + load);
  for (const { load, leader, configuration } of cluster.dataGroups) {
    if (what === 'calls') add(nodeOf(leader!), load!.writesPerSecond + load!.readsPerSecond);
    else for (const replica of configuration.voters) add(nodeOf(replica), load!.writesPerSecond);
  }
  const mean = [...sums.values()].reduce((sum, load) => sum + load, 0) / sums.size;
  return Math.max(...sums.values()) / mean;
}

describe('skewed load', () => {
  it('is evened out as far as single groups allow, with few moves', () => {
    const cluster = clusterOf(6, 48);
    give(cluster, zipf(cluster));
    const before = { writes: peak(cluster, 'writes'), calls: peak(cluster, 'calls') };
    const { moves } = cluster.converge(ROUNDS_MAX);
    expect(peak(cluster, 'writes')).toBeLessThanOrEqual(Math.min(before.writes, 1.3));
    // The first group alone has 1.3 times the mean of six nodes: its leader cannot bear less.
    expect(peak(cluster, 'calls')).toBeLessThanOrEqual(1.6);
    expect(peak(cluster, 'calls')).toBeLessThanOrEqual(before.calls);
    expect(moves).toBeLessThanOrEqual(10);
  });

  it('moves no more than a few replicas at a time', () => {
    const cluster = clusterOf(12, 96);
    give(cluster, zipf(cluster));
    for (let round = 0; round < 20; round++) {
      const { loadMoves } = cluster.options;
      expect(planReplicas(cluster.picture(), cluster.options).length).toBeLessThanOrEqual(loadMoves);
      cluster.round();
    }
  });

  it('comes to rest and stays there while every figure goes up and down by a fifth', () => {
    for (const seed of [1, 2]) {
      const cluster = clusterOf(5, 40);
      const loads = zipf(cluster);
      const random = randomOf(seed);
      const noise = () => 1 + NOISE * (2 * random() - 1);
      give(cluster, loads);
      cluster.converge(ROUNDS_MAX);
      let changes = 0;
      for (let round = 0; round < NOISY_ROUNDS; round++) {
        give(cluster, loads, noise);
        const { moves, transfers } = cluster.round();
        changes += moves + transfers;
      }
      expect(changes, `seed ${seed}`).toBeLessThanOrEqual(4);
    }
  });
});

describe('one group that has nearly all the load', () => {
  it.each([3, 4, 9])('is not handed around %i nodes', (nodes) => {
    const cluster = clusterOf(nodes, 4 * nodes);
    const loads = cluster.dataGroups.map(({ group }) => ({
      bytes: group === 1 ? 100 * GIB : 0,
      writesPerSecond: group === 1 ? 50_000 : 100,
      readsPerSecond: group === 1 ? 50_000 : 100,
    }));
    give(cluster, loads);
    cluster.converge(ROUNDS_MAX);
    const hot = cluster.dataGroups[0]!;
    const { leader, configuration } = hot;
    const random = randomOf(nodes);
    for (let round = 0; round < NOISY_ROUNDS; round++) {
      give(cluster, loads, () => 1 + NOISE * (2 * random() - 1));
      cluster.round();
      expect(hot.leader).toBe(leader);
      expect(hot.configuration.voters).toEqual(configuration.voters);
    }
  });
});

describe('nothing moves for load', () => {
  it('before every group that is led was measured', () => {
    const cluster = clusterOf(3, 12);
    give(
      cluster,
      cluster.dataGroups.map(({ leader }) => {
        const readsPerSecond = nodeOf(leader!) === 1 ? 10_000 : 1_000;
        return { bytes: 0, writesPerSecond: 0, readsPerSecond };
      }),
    );
    expect(planLeaders(cluster.picture())).not.toEqual([]);
    const last = cluster.dataGroups.at(-1)!;
    last.load = undefined;
    expect(planLeaders(cluster.picture())).toEqual([]);
    // Of one that nobody leads there is nothing to know.
    last.leader = undefined;
    expect(planLeaders(cluster.picture()).map(({ reason }) => reason)).toContain('load');
  });

  it('while the last such move rests', () => {
    const cluster = clusterOf(6, 24);
    give(cluster, zipf(cluster));
    const picture = cluster.picture();
    expect([...planReplicas(picture), ...planLeaders(picture)].map(({ reason }) => reason)).toContain('load');
    const resting = { ...picture, mayMoveForLoad: false };
    expect([...planReplicas(resting), ...planLeaders(resting)]).toEqual([]);
  });
});
