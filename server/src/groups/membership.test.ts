/** Groups that grow, shrink and move: learners, joint changes, replicas that are made, destroyed and made again. */
import { describe, expect, it } from 'vitest';
import { nodeOf, replicaId } from '../cluster/replica-id.ts';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { type ConfigurationChange, type Message, makeConfiguration, members } from '../raft/index.ts';
import { groupRange } from '../state/keys.ts';
import type { Group } from './group.ts';
import { MemoryLog } from './memory-log.ts';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import { get, increment, set } from './testing/host-fixture.ts';

function change(
  changes: readonly [type: 'add-voter' | 'add-learner' | 'remove', node: number][],
): ConfigurationChange {
  return {
    kind: 'change',
    changes: changes.map(([type, node]) => ({ type, node })),
    transition: 'automatic',
  };
}

async function inForce(
  hosts: ConnectedHosts,
  group: Group,
  voters: readonly number[],
  learners: readonly number[] = [],
) {
  await hosts.until(
    () => {
      const { configuration } = group;
      return (
        configuration.votersOutgoing.length === 0 &&
        configuration.voters.join() === voters.join() &&
        configuration.learners.join() === learners.join()
      );
    },
    `the members ${voters.join(', ')} and ${learners.join(', ')}`,
  );
}

async function caughtUp(hosts: ConnectedHosts, group: Group, ids: readonly number[]): Promise<void> {
  await hosts.until(
    () => ids.every((id) => group.progress().some((member) => member.replicaId === id && member.caughtUp)),
    `replicas ${ids.join(', ')} to catch up`,
  );
}

/** A group on node 1 alone, with some writes. */
async function alone(options: ConstructorParameters<typeof ConnectedHosts>[0] = {}): Promise<ConnectedHosts> {
  const hosts = await new ConnectedHosts(options).start();
  await hosts.found([1]);
  await hosts.leader();
  for (let i = 0; i < 10; i++) await hosts.during(set(hosts.node(1).group(), `key-${i}`, 'x'));
  return hosts;
}

/** That group with three voters. */
async function grown(options: ConstructorParameters<typeof ConnectedHosts>[0] = {}): Promise<ConnectedHosts> {
  const hosts = await alone(options);
  const group = hosts.node(1).group();
  group.changeMembers(
    change([
      ['add-learner', 2],
      ['add-learner', 3],
    ]),
  );
  await caughtUp(hosts, group, [2, 3]);
  group.changeMembers(
    change([
      ['add-voter', 2],
      ['add-voter', 3],
    ]),
  );
  await inForce(hosts, group, [1, 2, 3]);
  await hosts.agree();
  return hosts;
}

describe.each([{ inMemory: false }, { inMemory: true }])(
  'a group that grows, in memory: $inMemory',
  (options) => {
    it('makes replicas on the nodes of its learners, brings them up to date and lets them vote', async () => {
      const hosts = await grown(options);
      expect(hosts.node(2).dump()).toEqual(hosts.node(1).dump());
      expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
      hosts.isolate(1);
      const next = await hosts.leader(1, 1);
      await hosts.during(set(next.group(), 'later', 'x'));
    });

    it('answers reads at once only while it is alone', async () => {
      const hosts = await alone(options);
      const group = hosts.node(1).group();
      group.changeMembers(change([['add-learner', 2]]));
      await caughtUp(hosts, group, [2]);
      group.changeMembers(change([['add-voter', 2]]));
      await inForce(hosts, group, [1, 2]);
      hosts.isolate(1);
      await expect(hosts.during(get(group, 'key-1'))).rejects.toMatchObject({
        reason: ErrorReason.NOT_LEADER,
      });
    });
  },
);

describe('a group that moves', () => {
  it('goes from three nodes to three others with all its data', async () => {
    const hosts = await grown({ nodes: 6 });
    const group = hosts.node(1).group();
    group.changeMembers(
      change([
        ['add-learner', 4],
        ['add-learner', 5],
        ['add-learner', 6],
      ]),
    );
    await caughtUp(hosts, group, [4, 5, 6]);
    group.changeMembers(
      change([
        ['add-voter', 4],
        ['add-voter', 5],
        ['add-voter', 6],
        ['remove', 1],
        ['remove', 2],
        ['remove', 3],
      ]),
    );
    await hosts.until(() => !group.isLeader, 'the old leader to step down');
    const next = await hosts.leader();
    expect(next.number).toBeGreaterThan(3);
    await inForce(hosts, next.group(), [4, 5, 6]);
    for (const old of [1, 2, 3]) await hosts.during(hosts.node(old).host.destroy(1));
    await hosts.during(set(next.group(), 'later', 'x'));
    await hosts.agree(1, [4, 5, 6]);
    expect(await hosts.during(get(next.group(), 'key-3'))).toBeDefined();
    expect(hosts.node(5).dump()).toEqual(hosts.node(4).dump());
    expect(hosts.node(6).dump()).toEqual(hosts.node(4).dump());
  });

  it('keeps its members over a restart of all, from log and from checkpoint', async () => {
    const hosts = await grown();
    await hosts.during(hosts.node(2).host.checkpoint());
    for (const { number } of hosts.nodes) hosts.crash(number);
    for (const { number } of hosts.nodes) await hosts.startNode(number);
    await hosts.leader();
    await hosts.agree();
    for (const node of hosts.nodes) expect(members(node.group().configuration)).toEqual([1, 2, 3]);
    expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
  });

  it('leads again after a restart when the members that came and went are only in its log', async () => {
    const hosts = await alone();
    const group = hosts.node(1).group();
    group.changeMembers(change([['add-learner', 2]]));
    await inForce(hosts, group, [1], [2]);
    group.changeMembers(change([['remove', 2]]));
    await inForce(hosts, group, [1]);
    await hosts.during(set(group, 'later', 'x'));
    await hosts.restart(1);
    const leader = await hosts.leader();
    expect(leader.number).toBe(1);
    expect(await hosts.during(get(leader.group(), 'later'))).toBeDefined();
  });

  it('refuses a second change while one is under way', async () => {
    const hosts = await alone();
    const group = hosts.node(1).group();
    group.changeMembers(change([['add-learner', 2]]));
    expect(() => group.changeMembers(change([['add-learner', 3]]))).toThrow(
      expect.objectContaining({ name: 'ConfigurationRefusedError', reason: 'pending' }),
    );
  });
});

describe('a replica that is destroyed', () => {
  it('is gone after a restart too, with its rows and its log', async () => {
    const hosts = await grown();
    const group = hosts.node(1).group();
    group.changeMembers(change([['remove', 3]]));
    await inForce(hosts, group, [1, 2]);
    await hosts.during(hosts.node(3).host.destroy(1));
    await hosts.restart(3);
    expect(hosts.node(3).host.group(1)).toBeUndefined();
    expect([...hosts.node(3).store.range({ from: '', to: '\xff\xff\xff' })]).toEqual([]);
    expect([...hosts.node(3).log.groups()]).toEqual([]);
  });

  it('is not brought back by a message that was long on its way', async () => {
    const hosts = await grown();
    const late: Message[] = [];
    hosts.filter = (to, message) => {
      if (to === 3) late.push(message);
      return true;
    };
    const group = hosts.node(1).group();
    await hosts.during(set(group, 'key', 'x'));
    await hosts.ticks(3);
    group.changeMembers(change([['remove', 3]]));
    await inForce(hosts, group, [1, 2]);
    await hosts.during(hosts.node(3).host.destroy(1));
    expect(late.length).toBeGreaterThan(0);
    for (const message of late) hosts.node(3).host.receive(1, [message]);
    await hosts.ticks(3);
    expect(hosts.node(3).host.group(1)).toBeUndefined();
    await hosts.restart(3);
    hosts.node(3).host.receive(1, late);
    await hosts.ticks(3);
    expect(hosts.node(3).host.group(1)).toBeUndefined();
  });

  it('comes again under a higher id, with nothing of the one before', async () => {
    const hosts = await grown();
    const group = hosts.node(1).group();
    group.changeMembers(change([['remove', 3]]));
    await inForce(hosts, group, [1, 2]);
    await hosts.during(hosts.node(3).host.destroy(1));
    const again = replicaId(3, 1);
    expect(hosts.node(3).host.highestReplicaId(1)).toBeLessThan(again);
    group.changeMembers(change([['add-learner', again]]));
    await caughtUp(hosts, group, [again]);
    group.changeMembers(change([['add-voter', again]]));
    await inForce(hosts, group, [1, 2, again]);
    await hosts.agree();
    expect(hosts.node(3).group().replicaId).toBe(again);
    expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
    await hosts.restart(3);
    await hosts.agree();
    expect(hosts.node(3).group().replicaId).toBe(again);
  });

  it('gives way to a higher one of which only a message tells', async () => {
    const hosts = await grown();
    const group = hosts.node(1).group();
    const again = replicaId(3, 1);
    group.changeMembers(
      change([
        ['remove', 3],
        ['add-learner', again],
      ]),
    );
    await caughtUp(hosts, group, [again]);
    expect(hosts.node(3).group().replicaId).toBe(again);
    await hosts.agree();
    expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
  });

  it('fails the calls that wait for it, and tells who listens', async () => {
    const hosts = await grown();
    hosts.isolate(1);
    const write = increment(hosts.node(1).group(), 'count');
    write.catch(() => {});
    await hosts.settle();
    const told: Group[] = [];
    hosts.node(1).host.onReplicaChange((group) => told.push(group));
    const group = hosts.node(1).group();
    await hosts.during(hosts.node(1).host.destroy(1));
    await expect(write).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
      message: expect.stringContaining('may still be applied'),
    });
    expect(told).toEqual([group]);
    await expect(get(group, 'key-1')).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
  });

  it.each([0, 1, 2, 3, 5, 8, 13, 21])(
    'leaves a node that starts, when its machine stops %i turns into it',
    async (turns) => {
      const hosts = await grown();
      const group = hosts.node(1).group();
      group.changeMembers(change([['remove', 3]]));
      await inForce(hosts, group, [1, 2]);
      void hosts
        .node(3)
        .host.destroy(1)
        .catch(() => {});
      await hosts.settle(turns);
      await hosts.restart(3);
      await hosts.during(hosts.node(3).host.destroy(1));
      const again = replicaId(3, 1);
      group.changeMembers(change([['add-learner', again]]));
      await caughtUp(hosts, group, [again]);
      await hosts.agree();
      expect(hosts.node(3).dump()).toEqual(hosts.node(1).dump());
    },
  );
});

describe('a replica that is made', () => {
  it.each([0, 1, 2, 3, 5, 8, 13])(
    'is whole or not there, when its machine stops %i turns into it',
    async (turns) => {
      const hosts = await alone();
      const group = hosts.node(1).group();
      group.changeMembers(change([['add-learner', 2]]));
      await hosts.settle(turns);
      await hosts.restart(2);
      await caughtUp(hosts, group, [2]);
      await hosts.agree(1, [1, 2]);
      expect(hosts.node(2).dump()).toEqual(hosts.node(1).dump());
    },
  );

  it('is refused under an id that is not above all before, or of another node', async () => {
    const hosts = await grown();
    const { host } = hosts.node(3);
    const configuration = makeConfiguration();
    await expect(host.create(1, { replicaId: replicaId(3, 4), configuration })).rejects.toMatchObject({
      name: 'ReplicaRefusedError',
    });
    await expect(host.create(2, { replicaId: 2, configuration })).rejects.toMatchObject({
      name: 'ReplicaRefusedError',
    });
    await hosts.during(host.destroy(1));
    await expect(host.create(1, { replicaId: 3, configuration })).rejects.toMatchObject({
      name: 'ReplicaRefusedError',
    });
  });

  it('is the same one when it is asked for twice', async () => {
    const hosts = await alone();
    const { host } = hosts.node(1);
    const again = await host.create(1, { replicaId: 1, configuration: makeConfiguration([1]) });
    expect(again).toBe(hosts.node(1).group());
  });

  it('is not made by a message of anyone but a leader, nor for another node', async () => {
    const hosts = await alone();
    const { host } = hosts.node(2);
    const envelope = { from: 1, term: 1, commit: 0, context: 0 };
    host.receive(5, [
      {
        ...envelope,
        type: 'vote',
        to: 2,
        lastIndex: 0,
        lastTerm: 0,
        transfer: false,
        commitIndex: 0,
        commitTerm: 0,
      },
    ]);
    host.receive(5, [{ ...envelope, type: 'heartbeat', to: 3 }]);
    await hosts.settle();
    expect(host.group(5)).toBeUndefined();
    host.receive(5, [{ ...envelope, type: 'heartbeat', to: 2 }]);
    await hosts.settle();
    expect(host.group(5)?.replicaId).toBe(2);
    expect(nodeOf(host.group(5)!.replicaId)).toBe(2);
  });
});

describe('the data of a node that ran alone', () => {
  it('is that of the first replica of the cluster that it founds', async () => {
    const hosts = await new ConnectedHosts().start();
    const node = hosts.node(1);
    // As a lone node leaves it: a log and rows, and no record of a replica.
    await hosts.found([1]);
    await hosts.leader();
    await hosts.during(set(node.group(), 'old', 'x'));
    await hosts.during(node.host.checkpoint());
    node.filesDisk.remove('replicas');
    await hosts.restart(1);
    expect(node.host.group(1)).toBeUndefined();
    await hosts.found([1]);
    await hosts.leader();
    expect(await hosts.during(get(node.group(), 'old'))).toBeDefined();
  });

  it('is not taken for that of a replica that joins', async () => {
    const hosts = await new ConnectedHosts().start();
    const node = hosts.node(1);
    await hosts.found([1]);
    await hosts.leader();
    node.filesDisk.remove('replicas');
    await hosts.restart(1);
    const joining = { replicaId: replicaId(1, 1), configuration: makeConfiguration() };
    await expect(node.host.create(1, joining)).rejects.toMatchObject({ name: 'ReplicaRefusedError' });
  });
});

describe('a log in memory', () => {
  it('keeps a tail of what was released, bounded in bytes', () => {
    const log = new MemoryLog({ tailBytes: 1000 });
    const data = new Uint8Array(100);
    for (let index = 1; index <= 100; index++) log.append(1, [{ index, term: 1, kind: 0, data }]);
    log.release(1, 100);
    expect(log.groupState(1).firstIndex).toBe(91);
  });
});

describe('a replica that cannot be made', () => {
  it('costs its messages, and not the node', async () => {
    const hosts = await alone();
    const { store } = hosts.node(2);
    // What a node has of a group without a record is from the time when it ran alone: no other replica may go on from it.
    store.put(`${groupRange(1).from}k`, Uint8Array.of(1));
    const group = hosts.node(1).group();
    group.changeMembers(change([['add-learner', replicaId(2, 1)]]));
    await hosts.until(() => hosts.node(2).bugs.length > 1, 'the leader to ask twice');
    expect(hosts.node(2).bugs[0]).toContain('has data here that is not of replica');
    expect(hosts.node(2).host.group(1)).toBeUndefined();
    await hosts.during(set(group, 'key', 'written meanwhile'));
  });
});

describe('a replica that is to be destroyed', () => {
  it('is not mistaken for the next one, which takes its place meanwhile', async () => {
    const hosts = await grown();
    const group = hosts.node(1).group();
    group.changeMembers(change([['remove', 3]]));
    await inForce(hosts, group, [1, 2]);
    const next = replicaId(3, 1);
    const { host } = hosts.node(3);
    const { term } = group;
    host.receive(1, [{ type: 'heartbeat', from: 1, to: next, term, commit: 0, context: 0 }]);
    await hosts.during(host.destroy(1, 3));
    expect(hosts.node(3).group().replicaId).toBe(next);
  });
});
