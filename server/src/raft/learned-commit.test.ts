/**
 * Commit indexes that come with votes and their requests (`learnCommit`): what they may teach, whoever sends them and
 * however late. That an entry is committed stays true for good, and two logs that hold the same entry are the same up to
 * it (paper §5.3), so the sender's term, vote and standing do not matter for that; they do for the term of the receiver.
 */
import { describe, expect, test } from 'vitest';
import { encodeConfiguration, makeConfiguration } from './configuration.ts';
import { EntryKind } from './entry.ts';
import type { PreVoteMessage, VoteMessage } from './messages.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

/** Three voters; 1 has committed entries 2 and 3 of term 1. 3 holds them, knows of 1 alone, and has voted for 2 in term 3. */
function behind(): Cluster {
  const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
  cluster.loses = (message) => message.to === 3 && 'commit' in message && message.commit > 1;
  cluster.propose(1, 'a').propose(1, 'b').run();
  cluster.isolate(3);
  cluster.deliver({
    ...vote({ from: 2, term: 3, commitIndex: 1, commitTerm: 1 }),
    lastIndex: 3,
    lastTerm: 1,
  });
  cluster.run();
  expect(cluster.core(3).status()).toMatchObject({ term: 3, vote: 2, lastIndex: 3, commit: 1 });
  return cluster;
}

const envelope = { to: 3, lastIndex: 0, lastTerm: 0 };

function vote(parts: Pick<VoteMessage, 'from' | 'term' | 'commitIndex' | 'commitTerm'>): VoteMessage {
  return { type: 'vote', transfer: false, ...envelope, ...parts };
}

function preVote(
  parts: Pick<PreVoteMessage, 'from' | 'term' | 'commitIndex' | 'commitTerm'>,
): PreVoteMessage {
  return { type: 'pre-vote', ...envelope, ...parts };
}

describe('a commit index is learnt', () => {
  test('from a candidate of an older term: it gets no vote, and what it knows is true', () => {
    const { core } = behind()
      .deliver(vote({ from: 1, term: 2, commitIndex: 2, commitTerm: 1 }))
      .replica(3);
    expect(core.status()).toMatchObject({ term: 3, vote: 2, commit: 2 });
  });

  test('with the term of who would campaign, which it has, and not with the one it would enter', () => {
    const { core } = behind()
      .deliver(preVote({ from: 1, term: 9, commitIndex: 3, commitTerm: 1 }))
      .replica(3);
    expect(core.status()).toMatchObject({ term: 8, commit: 3, vote: 0 });
  });

  test('once: what comes late changes nothing, also when the log was cut behind it', () => {
    const cluster = behind()
      .deliver(vote({ from: 1, term: 2, commitIndex: 3, commitTerm: 1 }))
      .run();
    const replica = cluster.replica(3);
    replica.flush();
    replica.compact(3);
    expect(replica.disk.firstIndex()).toBe(4);
    const before = replica.core.status();
    expect(before).toMatchObject({ commit: 3, applied: 3 });
    for (const commitIndex of [2, 3]) {
      cluster.deliver(vote({ from: 1, term: 2, commitIndex, commitTerm: 1 }));
    }
    expect(replica.core.status()).toEqual(before);
  });
});

describe('a commit index is not learnt', () => {
  test('where the logs differ: the entry at that index is another one', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    // 1 writes on alone; the others elect, and commit something else at index 2.
    cluster.isolate(1).propose(1, 'lost').run();
    cluster.elect(2).run();
    expect(cluster.terms(1)).toEqual([1, 1]);
    expect(cluster.terms(3)).toEqual([1, 2]);
    cluster.core(1).step({ ...vote({ from: 3, term: 2, commitIndex: 2, commitTerm: 2 }), to: 1 });
    expect(cluster.core(1).status()).toMatchObject({ term: 2, commit: 1 });
    // What is the same on both can be.
    cluster.heal().run().pass(2);
    expect(cluster.terms(1)).toEqual([1, 2]);
    expect(cluster.core(1).commitIndex).toBe(2);
  });

  test('beyond the end of the log', () => {
    const { core } = behind()
      .deliver(vote({ from: 1, term: 3, commitIndex: 4, commitTerm: 3 }))
      .replica(3);
    expect(core.status()).toMatchObject({ commit: 1, lastIndex: 3 });
  });

  test('by a replica that waits for a snapshot, but for the entry that the snapshot ends with', () => {
    const cluster = behind();
    const { core } = cluster.replica(3);
    const { configuration } = core;
    core.step({
      type: 'snapshot',
      from: 2,
      to: 3,
      term: 3,
      snapshot: { index: 10, term: 3, configuration },
    });
    core.step(vote({ from: 1, term: 3, commitIndex: 2, commitTerm: 1 }));
    core.step(vote({ from: 1, term: 3, commitIndex: 11, commitTerm: 3 }));
    expect(core.commitIndex).toBe(10);
  });

  test('by a leader, who counts for itself', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.slowDisks.add(2).add(3);
    cluster.propose(1, 'a').run();
    cluster.core(1).step({ ...vote({ from: 2, term: 1, commitIndex: 2, commitTerm: 1 }), to: 1 });
    expect(cluster.core(1).commitIndex).toBe(1);
  });

  test('and no term with it, where it is no news', () => {
    const { core } = behind()
      .deliver(preVote({ from: 1, term: 9, commitIndex: 1, commitTerm: 1 }))
      .deliver(preVote({ from: 1, term: 9, commitIndex: 3, commitTerm: 2 }))
      .replica(3);
    expect(core.status()).toMatchObject({ term: 3, vote: 2, commit: 1 });
  });

  test('from a pre-vote that is ignored for the sake of a leader who is heard', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.loses = (message) => message.to === 3 && message.type === 'append' && message.commit > 1;
    cluster.propose(1, 'a').run();
    cluster.deliver(preVote({ from: 2, term: 9, commitIndex: 2, commitTerm: 1 }));
    expect(cluster.core(3).status()).toMatchObject({ term: 1, commit: 1, leader: 1 });
  });
});

test('a voter behind in its term, with the longer log, learns from a pre-vote that it votes, and leads', () => {
  const cluster = new Cluster([1], {}, [2]).elect(1);
  const change = (type: 'add-learner' | 'add-voter') =>
    cluster
      .core(1)
      .proposeConfiguration({ kind: 'change', changes: [{ type, node: 2 }], transition: 'automatic' });
  change('add-learner');
  cluster.run();
  const { lastIndex } = cluster.core(1);
  // 1 makes 2 a voter, alone as it is, and stops. 2 has of this what left before, with an entry of 1's that 1 lost.
  cluster.isolate(1);
  change('add-voter');
  cluster.run().replica(1).flush();
  cluster.crash(1).restart(1);
  const data = encodeConfiguration(makeConfiguration([1, 2]));
  cluster.deliver({
    type: 'append',
    from: 1,
    to: 2,
    term: 1,
    previousIndex: lastIndex,
    previousTerm: 1,
    entries: [
      { index: lastIndex + 1, term: 1, kind: EntryKind.CONFIGURATION, data },
      { index: lastIndex + 2, term: 1, kind: EntryKind.NO_OP, data: new Uint8Array() },
      { index: lastIndex + 3, term: 1, kind: EntryKind.NORMAL, data: new TextEncoder().encode('a') },
    ],
    commit: lastIndex,
  });
  // 1 is a term ahead: an election of which 2 did not hear.
  cluster.core(1).step({ type: 'timeout-now', from: 2, to: 1, term: 1 });
  cluster.run().heal();
  expect(cluster.core(1).status()).toMatchObject({
    term: 2,
    lastIndex: lastIndex + 2,
    commit: lastIndex + 1,
  });
  expect(cluster.core(2).status()).toMatchObject({ term: 1, lastIndex: lastIndex + 3, commit: lastIndex });
  expect(cluster.core(2).configuration).toMatchObject({ voters: [1], learners: [2] });

  cluster.pass(100);
  expect(cluster.leaders()).toEqual([2]);
  expect(cluster.texts(1)).toEqual(['a']);
  expect(cluster.core(1).configuration.voters).toEqual([1, 2]);
});
