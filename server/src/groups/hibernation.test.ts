/** Groups at rest on several nodes: what they cost, and that they miss nothing. */
import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { get, set } from './testing/host-fixture.ts';
import type { ConnectedNode } from './testing/simulated-hosts.ts';
import { ELECTION_TICKS, HEARTBEAT_TICKS, HIBERNATE_AFTER_TICKS, TICK_MS } from './timing.ts';

const GROUPS = 5;
/** A leader that dies is replaced within 2 s, whether or not its groups were at rest. */
const FAILOVER_TICKS = 2_000 / TICK_MS;

function hibernating(hosts: ConnectedHosts, group = 1): number[] {
  return hosts.nodes
    .filter(({ up, host }) => up && host.group(group)?.isHibernating === true)
    .map(({ number }) => number);
}

/** Waits until all replicas that are up hibernate. */
async function rest(hosts: ConnectedHosts, group = 1): Promise<void> {
  const up = hosts.nodes.filter((node) => node.up).length;
  await hosts.until(() => hibernating(hosts, group).length === up, `rest of group ${group}`);
}

/** Three nodes with groups at rest. */
async function atRest(groups = 1): Promise<ConnectedHosts> {
  const hosts = await new ConnectedHosts().start();
  for (let group = 1; group <= groups; group++) {
    await hosts.found([1, 2, 3], group);
    await hosts.leader(group);
  }
  for (let group = 1; group <= groups; group++) await rest(hosts, group);
  return hosts;
}

function follower(hosts: ConnectedHosts, not?: ConnectedNode): ConnectedNode {
  return hosts.nodes.find((node) => node !== hosts.leaderOf() && node !== not)!;
}

describe('groups at rest', () => {
  it('exchange a pulse of each node, however many they are, and no message', async () => {
    const hosts = await atRest(GROUPS);
    const { messages, pulses } = hosts;
    await hosts.ticks(100);
    expect(hosts.messages).toBe(messages);
    expect(hosts.pulses - pulses).toBe((3 * 100) / HEARTBEAT_TICKS);
    for (let group = 1; group <= GROUPS; group++) expect(hibernating(hosts, group)).toEqual([1, 2, 3]);
  });

  it('take writes and reads at once, and come to rest again', async () => {
    const hosts = await atRest();
    const leader = hosts.leaderOf()!;
    const { now } = hosts;
    const written = set(leader.group(), 'key', 'value');
    await hosts.settle();
    await written;
    const read = get(leader.group(), 'key');
    await hosts.settle();
    expect(await read).toContain('value');
    expect(hosts.now).toBe(now);
    await hosts.agree();
    await rest(hosts);
    expect(hosts.leaderOf()).toBe(leader);
  });

  it('leave the others at rest when one of them has something to do', async () => {
    const hosts = await atRest(2);
    await hosts.during(set(hosts.leaderOf(2)!.group(2), 'key', 'value'));
    expect(hibernating(hosts, 1)).toEqual([1, 2, 3]);
    expect(hibernating(hosts, 2)).toEqual([]);
  });

  it('hand over when they are asked to', async () => {
    const hosts = await atRest();
    const to = follower(hosts);
    hosts.leaderOf()!.group().transferLeadership(to.group().replicaId);
    await hosts.until(() => hosts.leaderOf() === to);
  });

  it('do not come to be while a node is away', async () => {
    const hosts = await new ConnectedHosts().start();
    await hosts.found();
    await hosts.leader();
    const away = follower(hosts).number;
    hosts.crash(away);
    await hosts.ticks(2 * HIBERNATE_AFTER_TICKS);
    expect(hibernating(hosts)).toEqual([]);
    await hosts.startNode(away);
    await rest(hosts);
  });
});

describe('a group at rest', () => {
  it('has a new leader in time when the node of the old one dies', async () => {
    const hosts = await atRest();
    const old = hosts.leaderOf()!.number;
    const { now } = hosts;
    hosts.crash(old);
    const next = await hosts.leader(1, old);
    expect(hosts.now - now).toBeLessThanOrEqual(FAILOVER_TICKS);
    await hosts.during(set(next.group(), 'key', 'value'));
    await hosts.startNode(old);
    await rest(hosts);
    expect(hosts.node(old).group().leader).toBe(next.group().replicaId);
  });

  it('has one in time too when that node is merely not heard any more', async () => {
    const hosts = await atRest();
    const old = hosts.leaderOf()!;
    const { now } = hosts;
    hosts.isolate(old.number);
    const next = await hosts.leader(1, old.number);
    expect(hosts.now - now).toBeLessThanOrEqual(FAILOVER_TICKS);
    // The old one notices by itself.
    await hosts.until(() => !old.group().isLeader);
    hosts.heal();
    await rest(hosts);
    expect(hosts.leaderOf()).toBe(next);
  });

  it('has one in time when the node of the old one was away so shortly that nobody missed it', async () => {
    const hosts = await atRest();
    const old = hosts.leaderOf()!.number;
    const { term } = hosts.node(old).group();
    const { now } = hosts;
    await hosts.restart(old);
    await hosts.until(() => hosts.leaderOf() !== undefined && hosts.leaderOf()!.group().term > term);
    expect(hosts.now - now).toBeLessThanOrEqual(2 * FAILOVER_TICKS);
  });

  it('keeps its leader when a follower is not heard any more', async () => {
    const hosts = await atRest();
    const leader = hosts.leaderOf()!;
    const { term } = leader.group();
    hosts.isolate(follower(hosts).number);
    await hosts.ticks(5 * ELECTION_TICKS);
    expect(hosts.leaderOf()).toBe(leader);
    expect(leader.group().term).toBe(term);
    await hosts.during(set(leader.group(), 'key', 'value'));
    hosts.heal();
    await rest(hosts);
    expect(leader.group().term).toBe(term);
  });

  it('keeps its leader when two followers do not hear each other', async () => {
    const hosts = await atRest();
    const leader = hosts.leaderOf()!;
    const first = follower(hosts);
    hosts.isolate(first.number, [follower(hosts, first).number]);
    await hosts.ticks(5 * ELECTION_TICKS);
    expect(hibernating(hosts)).toEqual([1, 2, 3]);
    expect(hosts.leaderOf()).toBe(leader);
  });

  it('refuses a write at a leader that nobody hears, as soon as one that was awake', async () => {
    const hosts = await atRest();
    const old = hosts.leaderOf()!;
    hosts.isolate(old.number);
    const { now } = hosts;
    await expect(hosts.during(set(old.group(), 'key', 'lost'))).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
    });
    expect(hosts.now - now).toBeLessThanOrEqual(4 * ELECTION_TICKS);
  });

  it('wakes as a whole when a follower did not hear that it may rest', async () => {
    const hosts = await new ConnectedHosts().start();
    await hosts.found();
    const leader = await hosts.leader();
    const deaf = follower(hosts).number;
    let lost = 0;
    hosts.filter = (to, { type }) => {
      if (type !== 'hibernate' || to !== deaf || lost > 0) return true;
      lost++;
      return false;
    };
    await hosts.until(() => lost > 0, 'rest');
    await rest(hosts);
    expect(hosts.leaderOf()).toBe(leader);
  });
});
