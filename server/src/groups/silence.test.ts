/** How soon the followers of a leader notice that it is gone, by what became of its node. */
import { describe, expect, it } from 'vitest';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { ELECTION_TICKS, HEARTBEAT_TICKS } from './timing.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

async function led(seed: number): Promise<{ hosts: ConnectedHosts; leader: number }> {
  const hosts = await new ConnectedHosts({ seed }).start();
  await hosts.found();
  return { hosts, leader: (await hosts.leader()).number };
}

/** Ticks from a fault at the leader until another leads; the middle of those of some runs. */
async function medianTicksToNext(fault: (hosts: ConnectedHosts, leader: number) => void): Promise<number> {
  const ticks: number[] = [];
  for (const seed of SEEDS) {
    const { hosts, leader } = await led(seed);
    const { now } = hosts;
    fault(hosts, leader);
    await hosts.leader(1, leader);
    ticks.push(hosts.now - now);
  }
  return ticks.sort((a, b) => a - b)[SEEDS.length >> 1]!;
}

describe('a leader is replaced', () => {
  it('after an election timeout when it is not heard any more', async () => {
    const ticks = await medianTicksToNext((hosts, leader) => hosts.isolate(leader));
    expect(ticks).toBeGreaterThanOrEqual(ELECTION_TICKS);
  });

  it('sooner when its process ended, which ends its links', async () => {
    const ticks = await medianTicksToNext((hosts, leader) => hosts.crash(leader));
    expect(ticks).toBeGreaterThan(HEARTBEAT_TICKS);
    expect(ticks).toBeLessThan(ELECTION_TICKS);
  });

  it('not at all while it is heard by a link of the other direction', async () => {
    const { hosts, leader } = await led(1);
    const { term } = hosts.node(leader).group();
    for (const { number } of hosts.nodes) if (number !== leader) hosts.unlink(number, leader);
    await hosts.ticks(5 * ELECTION_TICKS);
    expect(hosts.leaderOf()?.number).toBe(leader);
    expect(hosts.node(leader).group().term).toBe(term);
  });
});
