import { describe, expect, test } from 'vitest';
import type { ConfigurationChange, MemberChange } from './configuration.ts';
import { ConfigurationRefusedError, NotLeaderError } from './errors.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

function change(
  changes: readonly MemberChange[],
  transition: 'automatic' | 'joint-auto-leave' | 'joint-explicit' = 'automatic',
): ConfigurationChange {
  return { kind: 'change', changes, transition };
}

const add = (node: number): MemberChange => ({ type: 'add-voter', node });
const learn = (node: number): MemberChange => ({ type: 'add-learner', node });
const remove = (node: number): MemberChange => ({ type: 'remove', node });

function refusal(attempt: () => void): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ConfigurationRefusedError) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('a learner', () => {
  test('catches up from nothing, learns the membership, and counts for no majority', () => {
    const cluster = new Cluster([1, 2, 3], {}, [4]).elect(1).propose(1, 'a').run();
    cluster.core(1).proposeConfiguration(change([learn(4)]));
    cluster.run();
    expect(cluster.texts(4)).toEqual(['a']);
    expect(cluster.core(4).configuration).toEqual(cluster.core(1).configuration);
    const { commitIndex } = cluster.core(1);
    cluster.isolate(1, 4).propose(1, 'b').run();
    expect(cluster.core(4).lastIndex).toBe(commitIndex + 1);
    expect(cluster.core(1).commitIndex).toBe(commitIndex);
  });

  test('never campaigns, and is promoted in one step', () => {
    const cluster = new Cluster([1], {}, [2]).elect(1);
    cluster.core(1).proposeConfiguration(change([learn(2)]));
    cluster.run().tick(2, 100).run();
    expect(cluster.core(2).role).toBe('follower');
    cluster.core(1).proposeConfiguration(change([add(2)]));
    cluster.run();
    expect(cluster.core(1).configuration).toMatchObject({ voters: [1, 2], learners: [], votersOutgoing: [] });
    cluster.isolate(2).propose(1, 'a').run();
    expect(cluster.texts(1)).toEqual([]);
  });
});

describe('a change of one voter', () => {
  test('takes effect when applied, and then its majority counts', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.slowAppliers.add(1);
    cluster.core(1).proposeConfiguration(change([add(4)]));
    cluster.run();
    expect(cluster.core(1).configuration.voters).toEqual([1, 2, 3]);
    cluster.slowAppliers.clear();
    cluster.run();
    expect(cluster.core(1).configuration.voters).toEqual([1, 2, 3, 4]);
    cluster.isolate(1, 2).propose(1, 'a').run();
    expect(cluster.texts(1)).toEqual([]);
    cluster.heal().pass(2);
    expect(cluster.texts(4)).toEqual(['a']);
  });

  test('is refused while an earlier one is unapplied, also one that a new leader may have inherited', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4, 5]).elect(1);
    cluster.core(1).proposeConfiguration(change([add(4)]));
    expect(refusal(() => cluster.core(1).proposeConfiguration(change([add(5)])))).toBe('pending');
    cluster.run();
    expect(refusal(() => cluster.core(1).proposeConfiguration(change([add(5)])))).toBe('accepted');
    cluster.run();
    cluster.slowAppliers.add(2);
    cluster.propose(1, 'a').run();
    cluster.elect(2);
    expect(refusal(() => cluster.core(2).proposeConfiguration(change([remove(5)])))).toBe('pending');
  });

  test('a removed leader leads until the change is applied, then steps down', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.core(1).proposeConfiguration(change([remove(1)]));
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    expect(() => cluster.core(1).propose(new Uint8Array())).toThrow(NotLeaderError);
    cluster.elect(2).propose(2, 'a').run();
    expect(cluster.texts(3)).toEqual(['a']);
    expect(cluster.core(1).lastIndex).toBe(2);
    cluster.tick(1, 100).run();
    expect(cluster.core(1).term).toBe(1);
  });

  test('a new voter that had no chance to speak does not fail the quorum check', () => {
    const cluster = new Cluster([1], {}, [2]).elect(1).tick(1, 9).run();
    cluster.isolate(2);
    cluster.core(1).proposeConfiguration(change([add(2)]));
    cluster.run().tick(1);
    expect(cluster.leaders()).toEqual([1]);
    cluster.tick(1, 10);
    expect(cluster.leaders()).toEqual([]);
  });

  test('a removed voter no longer holds up commits', () => {
    const cluster = new Cluster([1, 2], CLASSIC).elect(1);
    cluster.core(1).proposeConfiguration(change([remove(2)]));
    cluster.run().isolate(1).propose(1, 'a').run();
    expect(cluster.texts(1)).toEqual(['a']);
  });

  test('reads that waited for the removed voter are answered', () => {
    const cluster = new Cluster([1, 2], CLASSIC).elect(1);
    cluster.loses = ({ type }) => type === 'heartbeat-response';
    cluster.core(1).proposeConfiguration(change([remove(2)]));
    cluster.core(1).readIndex(7);
    cluster.run();
    expect(cluster.reads(1).map(({ context }) => context)).toEqual([7]);
  });
});

describe('a joint configuration', () => {
  test('replaces a whole group, with both majorities in between, and is left automatically', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4, 5, 6]).elect(1).propose(1, 'a').run();
    cluster.core(1).proposeConfiguration(change([add(4), add(5), add(6), remove(2), remove(3)]));
    cluster.run();
    expect(cluster.core(4).configuration).toMatchObject({
      voters: [1, 4, 5, 6],
      votersOutgoing: [],
      autoLeave: false,
    });
    cluster.isolate(2, 3).propose(1, 'b').run();
    expect(cluster.texts(6)).toEqual(['a', 'b']);
  });

  test('commits nothing by the incoming majority alone', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4, 5]).elect(1);
    cluster.core(1).proposeConfiguration(change([add(4), add(5)], 'joint-explicit'));
    cluster.run();
    expect(cluster.core(1).configuration).toMatchObject({
      voters: [1, 2, 3, 4, 5],
      votersOutgoing: [1, 2, 3],
    });
    cluster.isolate(2, 3).propose(1, 'a').run();
    expect(
      cluster
        .core(1)
        .status()
        .peers.filter(({ match }) => match === 3).length,
    ).toBe(2);
    expect(cluster.texts(1)).toEqual([]);
    cluster.heal().pass(2);
    expect(cluster.texts(5)).toEqual(['a']);
  });

  test('elects nobody by the incoming majority alone', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4, 5]).elect(1);
    cluster.core(1).proposeConfiguration(change([add(4), add(5)], 'joint-explicit'));
    cluster.run().isolate(2, 3);
    cluster.core(4).campaign();
    cluster.run();
    expect(cluster.core(4).isLeader).toBe(false);
    cluster.heal().elect(4);
  });

  test('is left explicitly when so asked, and admits no other change before', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    expect(refusal(() => cluster.core(1).proposeConfiguration({ kind: 'leave-joint' }))).toBe('not-joint');
    cluster.core(1).proposeConfiguration(change([add(4)], 'joint-explicit'));
    cluster.run();
    expect(refusal(() => cluster.core(1).proposeConfiguration(change([remove(2)])))).toBe('joint');
    cluster.core(1).proposeConfiguration({ kind: 'leave-joint' });
    cluster.run();
    expect(cluster.core(3).configuration).toMatchObject({ voters: [1, 2, 3, 4], votersOutgoing: [] });
  });

  test('is left by the next leader when the first one is lost in between', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.slowAppliers.add(1);
    cluster.core(1).proposeConfiguration(change([add(4), remove(3)]));
    cluster.run().crash(1);
    expect(cluster.core(2).configuration.votersOutgoing).toEqual([1, 2, 3]);
    cluster.elect(2);
    expect(cluster.core(4).configuration).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [] });
  });

  test('turns a voter into a learner only on the way out', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.core(1).proposeConfiguration(change([learn(3)], 'joint-explicit'));
    cluster.run();
    expect(cluster.core(1).configuration).toMatchObject({ voters: [1, 2], learners: [], learnersNext: [3] });
    cluster.core(1).proposeConfiguration({ kind: 'leave-joint' });
    cluster.run();
    expect(cluster.core(3).configuration).toMatchObject({ voters: [1, 2], learners: [3], learnersNext: [] });
  });

  describe('that one of three voters leaves', () => {
    /** 4 takes the place of 2. @param tells whether the others hear of the commit of the way out */
    function replaced(tells: boolean): Cluster {
      const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
      const wayOut = cluster.core(1).lastIndex + 2;
      cluster.loses = (message) => !tells && 'commit' in message && message.commit >= wayOut;
      cluster.core(1).proposeConfiguration(change([add(4), remove(2)]));
      cluster.run();
      expect(cluster.core(1).configuration).toMatchObject({ voters: [1, 3, 4], votersOutgoing: [] });
      return cluster;
    }

    test('is settled once the others know, who then go on without it and without the leader', () => {
      const cluster = replaced(true);
      expect(cluster.core(1).status().configurationSettled).toBe(true);
      cluster.isolate(2).crash(1).elect(3);
      expect(cluster.core(3).status().configurationSettled).toBe(true);
    });

    test('is not while the leader alone knows, since the others would need its vote', () => {
      const cluster = replaced(false);
      expect(cluster.core(1).status().configurationSettled).toBe(false);
      cluster.crash(1);
      cluster.loses = () => false;
      cluster.isolate(2);
      for (const id of [3, 4]) {
        cluster.core(id).campaign();
        cluster.run();
      }
      expect(cluster.leaders()).toEqual([]);
      cluster.heal().elect(3);
      expect(cluster.core(3).configuration).toMatchObject({ voters: [1, 3, 4], votersOutgoing: [] });
    });
  });

  test('that removes its leader is left by that leader', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.core(1).proposeConfiguration(change([add(4), remove(1)]));
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    expect(cluster.core(2).configuration).toMatchObject({ voters: [2, 3, 4], votersOutgoing: [] });
    cluster.elect(4).propose(4, 'a').run();
    expect(cluster.texts(2)).toEqual(['a']);
  });

  test('that only the nodes it removed know to be left does not strand the one that stays', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.core(1).proposeConfiguration(change([remove(1), remove(2)], 'joint-explicit'));
    cluster.run();
    // 3 acknowledges the way out, which commits it, but hears nothing more, and lacks an entry that 1 and 2 have.
    cluster.loses = (message) => message.to === 3 && message.type === 'append' && message.commit > 2;
    cluster.core(1).proposeConfiguration({ kind: 'leave-joint' });
    cluster.slowAppliers.add(1).add(2);
    cluster.run().propose(1, 'a').run();
    cluster.slowAppliers.clear();
    cluster.run().heal();
    expect([1, 2, 3].map((id) => cluster.core(id).lastIndex)).toEqual([4, 4, 3]);
    expect(cluster.core(1).configuration).toMatchObject({ voters: [3], votersOutgoing: [] });
    expect(cluster.core(3).configuration).toMatchObject({ voters: [3], votersOutgoing: [1, 2, 3] });
    // By the joint configuration it cannot win, its log being shorter. From the refusals it learns what is committed.
    cluster.core(3).campaign();
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    expect(cluster.core(3).configuration).toMatchObject({ voters: [3], votersOutgoing: [] });
    cluster.elect(3);
  });

  test('is not left while leadership is being handed over, but when that was given up', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.slowAppliers.add(1);
    cluster.core(1).proposeConfiguration(change([add(4), remove(3)]));
    cluster.run().isolate(2);
    cluster.core(1).transferLeadership(2);
    cluster.slowAppliers.clear();
    cluster.run().heal();
    expect(cluster.core(1).configuration.votersOutgoing).toEqual([1, 2, 3]);
    expect(cluster.core(1).lastIndex).toBe(2);
    cluster.isolate(2).tick(1, 10).run();
    expect(cluster.core(1).configuration).toMatchObject({ voters: [1, 2, 4], votersOutgoing: [] });
  });
});

describe('a change is refused', () => {
  test('when no voter would remain, or nothing would change', () => {
    const cluster = new Cluster([1], CLASSIC).elect(1);
    expect(refusal(() => cluster.core(1).proposeConfiguration(change([remove(1)])))).toBe('no-voters');
    expect(refusal(() => cluster.core(1).proposeConfiguration(change([add(1)])))).toBe('no-change');
  });

  test('anywhere but at the leader', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    expect(() => cluster.core(2).proposeConfiguration(change([remove(3)]))).toThrow(NotLeaderError);
  });
});

test('nobody campaigns before it applied a committed change', () => {
  const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
  cluster.slowAppliers.add(2);
  cluster.core(1).proposeConfiguration(change([add(4)]));
  cluster.run();
  expect(cluster.core(2).commitIndex).toBeGreaterThanOrEqual(2);
  cluster.core(2).campaign();
  expect(cluster.core(2).role).toBe('follower');
  cluster.slowAppliers.clear();
  cluster.run().elect(2);
});
