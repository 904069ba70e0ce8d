/** Groups of several replicas: writes on all of them, leaders that die or are cut off, and what their callers are told. */
import { describe, expect, it } from 'vitest';
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { SessionCall } from '../services/method.ts';
import type { Group } from './group.ts';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { get, increment, set } from './testing/host-fixture.ts';

async function threeHosts(options: { inMemory?: boolean } = {}): Promise<ConnectedHosts> {
  const hosts = await new ConnectedHosts(options).start();
  await hosts.found();
  await hosts.leader();
  return hosts;
}

function staleGet(group: Group, key: string): string | undefined {
  let found: string | undefined;
  group.read(
    Consistency.STALE,
    ({ kv }, now_ms) => {
      const record = kv.get(key, now_ms);
      found = record && Buffer.from(record).toString('latin1');
    },
    (failure) => {
      throw new Error(failure.message);
    },
  );
  return found;
}

function call(sequence: number, retry = false): SessionCall {
  return { sessionId: 7n << 22n, sequence, answeredBelow: 0, retry };
}

describe.each([{ inMemory: false }, { inMemory: true }])(
  'three replicas, in memory: $inMemory',
  (options) => {
    it('have the same rows, byte for byte', async () => {
      const hosts = await threeHosts(options);
      const leader = hosts.leaderOf()!;
      for (let i = 0; i < 20; i++) await hosts.during(set(leader.group(), `key-${i}`, `value ${i}`));
      await hosts.agree();
      expect(hosts.node(1).dump().length).toBeGreaterThan(20);
      expect(hosts.node(2).dump()).toEqual(hosts.node(1).dump());
      expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
    });

    it('read linearizably at the leader, and without promise anywhere', async () => {
      const hosts = await threeHosts(options);
      const leader = hosts.leaderOf()!;
      await hosts.during(set(leader.group(), 'name', 'alice'));
      expect(await hosts.during(get(leader.group(), 'name'))).toContain('alice');
      await hosts.agree();
      for (const node of hosts.nodes) expect(staleGet(node.group(), 'name')).toContain('alice');
    });

    it('tell who leads when a follower is asked', async () => {
      const hosts = await threeHosts(options);
      const leader = hosts.leaderOf()!;
      const follower = hosts.nodes.find((node) => node !== leader)!;
      const refusal = {
        reason: ErrorReason.NOT_LEADER,
        leader: { nodeId: `node${leader.number}`, address: `127.0.0.1:${9000 + leader.number}` },
      };
      await expect(set(follower.group(), 'key', 'x')).rejects.toMatchObject(refusal);
      await expect(get(follower.group(), 'key')).rejects.toMatchObject(refusal);
    });
  },
);

describe('a leader that dies', () => {
  it('is replaced within two seconds, with every acknowledged write', async () => {
    const hosts = await threeHosts();
    for (let round = 0; round < 3; round++) {
      const old = await hosts.leader();
      const writes = Array.from({ length: 10 }, (_, i) => set(old.group(), `key-${round}-${i}`, 'x'));
      await hosts.during(Promise.all(writes));
      hosts.crash(old.number);
      const ticks = await hosts.until(() => hosts.leaderOf() !== undefined);
      expect(ticks).toBeLessThanOrEqual(20);
      const next = await hosts.leader();
      for (let i = 0; i < 10; i++) {
        expect(await hosts.during(get(next.group(), `key-${round}-${i}`))).toBeDefined();
      }
      await hosts.restart(old.number);
      await hosts.agree();
    }
    expect(hosts.node(2).dump()).toEqual(hosts.node(1).dump());
    expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
  });

  it('is missed by its role listeners, and the next one is announced', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    const told: string[] = [];
    for (const node of hosts.nodes) {
      node.group().onRoleChange((leads) => told.push(`${node === old ? 'old' : 'other'} ${leads}`));
    }
    hosts.isolate(old.number);
    await hosts.leader(1, old.number);
    await hosts.until(() => told.length === 2);
    expect(told.sort()).toEqual(['old false', 'other true']);
  });
});

describe('a leader that is cut off', () => {
  it('tells its callers who is missing and that the write may still be applied; a retry applies it once', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    expect(await hosts.during(increment(old.group(), 'count', call(1)))).toBe(1n);
    hosts.isolate(old.number);
    const [one, other] = hosts.nodes.filter((node) => node !== old).map(({ number }) => `node${number}`);
    await expect(hosts.during(increment(old.group(), 'count', call(2)))).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
      message: expect.stringMatching(`: ${one} and ${other} do not answer; the write may still be applied`),
    });
    const next = await hosts.leader(1, old.number);
    expect(await hosts.during(increment(next.group(), 'count', call(2, true)))).toBe(2n);
    hosts.heal();
    await hosts.agree();
    expect(await hosts.during(increment(next.group(), 'count', call(3)))).toBe(3n);
    expect(old.dump()).toEqual(next.dump());
  });

  it('answers a write that the next leader commits', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    const other = hosts.nodes.find((node) => node !== old)!;
    await hosts.ticks(5);
    // The entry reaches the others, and no acknowledgement comes back.
    hosts.filter = (to, message) => to !== old.number || message.type !== 'append-response';
    const write = increment(old.group(), 'count', call(1));
    await hosts.settle();
    hosts.isolate(old.number);
    await hosts.leader(1, old.number);
    // The write is still waited for: the old leader has not given up yet.
    hosts.heal();
    hosts.filter = () => true;
    expect(await hosts.during(write)).toBe(1n);
    expect(await hosts.during(increment((await hosts.leader()).group(), 'count', call(1, true)))).toBe(1n);
    expect(other.fatal).toEqual([]);
  });

  it('tells the callers of an entry that lost its place that it was not done', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    hosts.isolate(old.number);
    const lost = set(old.group(), 'key', 'lost');
    lost.catch(() => {});
    await hosts.settle();
    // Stays leader in its own eyes until it notices; the others elect meanwhile.
    const next = await hosts.leader(1, old.number);
    const kept = set(next.group(), 'key', 'kept');
    await hosts.settle();
    hosts.heal();
    await hosts.during(kept);
    await expect(hosts.during(lost)).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
    expect(await hosts.during(get(next.group(), 'key'))).toContain('kept');
  });

  it('tells all of them so with the first entry of the next leader, that has nothing more to write', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    hosts.isolate(old.number);
    const lost: Promise<unknown>[] = [];
    for (let i = 0; i < 3; i++) {
      lost.push(set(old.group(), `key-${i}`, 'lost'));
      // An entry of its own each.
      await hosts.settle();
    }
    const told = Promise.allSettled(lost);
    await hosts.leader(1, old.number);
    hosts.heal();
    expect(await hosts.during(told)).toEqual(
      lost.map(() => ({
        status: 'rejected',
        reason: expect.objectContaining({ reason: ErrorReason.NOT_LEADER }),
      })),
    );
    expect(hosts.leaderOf()!.group().state.appliedIndex).toBe(old.group().status().lastIndex);
  });

  it('answers no linearizable read, since the others may have gone on', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    await hosts.during(set(old.group(), 'key', 'before'));
    hosts.isolate(old.number);
    const read = get(old.group(), 'key');
    await expect(hosts.during(read)).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
    expect(staleGet(old.group(), 'key')).toContain('before');
  });

  it('refuses writes with the names of those that do not answer, until enough of them are back', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    hosts.isolate(old.number);
    await hosts.until(() => !old.group().isLeader);
    const [one, other] = hosts.nodes.filter((node) => node !== old).map(({ number }) => `node${number}`);
    await expect(set(old.group(), 'key', 'x')).rejects.toMatchObject({
      reason: ErrorReason.NOT_LEADER,
      message: expect.stringMatching(`no leader at this moment: ${one} and ${other} do not answer`),
    });
    hosts.heal();
    await hosts.until(() => hosts.leaderOf() !== undefined);
    const leader = await hosts.leader();
    await hosts.during(set(leader.group(), 'key', 'x'));
  });
});

describe('a node that is stopped', () => {
  it('finishes the writes that it leads first, and its state is on disk', async () => {
    const hosts = await threeHosts();
    const leader = hosts.leaderOf()!;
    const write = set(leader.group(), 'key', 'x');
    await hosts.during(Promise.all([write, leader.host.stop()]));
    const checkpoints = leader.storeDisk.checkpoints;
    expect(checkpoints).toBeGreaterThan(0);
    await hosts.restart(leader.number);
    await hosts.agree();
    expect(staleGet(leader.group(), 'key')).toBeDefined();
  });

  it('stops without a majority too, and says of its writes that they are in doubt', async () => {
    const hosts = await threeHosts();
    const leader = hosts.leaderOf()!;
    hosts.isolate(leader.number);
    const write = set(leader.group(), 'key', 'x');
    const refused = expect(write).rejects.toMatchObject({
      message: expect.stringContaining('may still be applied'),
    });
    await hosts.during(leader.host.stop());
    await refused;
  });

  it('stops while a leader keeps sending it entries', async () => {
    const hosts = await threeHosts();
    const leader = hosts.leaderOf()!;
    const follower = hosts.nodes.find((node) => node !== leader)!;
    let stopped = false;
    const stopping = follower.host.stop().then(() => {
      stopped = true;
    });
    for (let i = 0; !stopped; i++) await hosts.during(set(leader.group(), `key-${i}`, 'x'));
    await stopping;
  });
});

describe('a group of three', () => {
  it('hands its leadership over when asked, with nothing lost', async () => {
    const hosts = await threeHosts();
    const old = hosts.leaderOf()!;
    const target = hosts.nodes.find((node) => node !== old)!;
    await hosts.during(set(old.group(), 'key', 'x'));
    await hosts.agree();
    old.group().transferLeadership(target.number);
    await hosts.until(() => target.group().isLeader);
    expect(await hosts.during(get(target.group(), 'key'))).toBeDefined();
  });

  it('goes on after all machines stopped at once', async () => {
    const hosts = await threeHosts();
    const leader = hosts.leaderOf()!;
    for (let i = 0; i < 30; i++) {
      await hosts.during(set(leader.group(), `key-${i}`, 'x'));
      if (i % 10 === 5) await hosts.during(hosts.node((i % 3) + 1).host.checkpoint());
    }
    for (const { number } of hosts.nodes) hosts.crash(number);
    for (const { number } of hosts.nodes) await hosts.startNode(number);
    const next = await hosts.leader();
    for (let i = 0; i < 30; i++) {
      expect(await hosts.during(get(next.group(), `key-${i}`))).toBeDefined();
    }
    await hosts.agree();
    expect(hosts.node(2).dump()).toEqual(hosts.node(1).dump());
    expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
  });

  it('stops a node that gets an entry which it could not apply, before it stores it', async () => {
    const hosts = await threeHosts();
    const leader = hosts.leaderOf()!;
    const follower = hosts.nodes.find((node) => node !== leader)!;
    const { lastIndex, term, commit } = follower.group().status();
    const entry = { index: lastIndex + 1, term, kind: 0 as const, data: Uint8Array.of(0x08, 99) };
    follower.host.receive(1, [
      {
        type: 'append',
        from: leader.number,
        to: follower.number,
        term,
        previousIndex: lastIndex,
        previousTerm: follower.log.term(1, lastIndex)!,
        entries: [entry],
        commit,
      },
    ]);
    await hosts.settle();
    expect(follower.fatal).toMatchObject([{ name: 'LevelTooNewError' }]);
    expect(follower.log.groupState(1).lastIndex).toBe(lastIndex);
  });
});
