import { expect, test } from 'vitest';
import { LeaderKill } from './leader-kill.ts';

/** Keeps what was done to it, in order. */
class FakeCluster {
  readonly done: string[] = [];

  async killLeader() {
    this.done.push('killed');
    return async () => {
      this.done.push('started');
    };
  }

  async healthy() {
    this.done.push('healthy');
  }
}

test('the leader dies once, when every case is in its middle, and comes back', async () => {
  const cluster = new FakeCluster();
  const kill = new LeaderKill(cluster, 2, 0);
  const first = kill.arrived();
  expect(cluster.done).toEqual([]);
  await Promise.all([first, kill.arrived()]);
  await kill.over();
  expect(cluster.done).toEqual(['killed', 'started', 'healthy']);
});

test('a case that ends before its middle is not waited for', async () => {
  const cluster = new FakeCluster();
  const kill = new LeaderKill(cluster, 2, 0);
  const arrived = kill.arrived();
  kill.missed();
  await arrived;
  expect(cluster.done).toEqual(['killed']);
});

test('a leader that cannot be killed fails the cases that wait for it', async () => {
  const cluster = new FakeCluster();
  cluster.killLeader = () => Promise.reject(new Error('there is none'));
  const kill = new LeaderKill(cluster, 1, 0);
  await expect(kill.arrived()).rejects.toThrow('there is none');
  await expect(kill.over()).rejects.toThrow('there is none');
});
