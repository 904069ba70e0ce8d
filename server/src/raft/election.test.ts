import { describe, expect, test } from 'vitest';
import { CLASSIC, Cluster } from './testing/cluster.ts';
import { Random } from './testing/random.ts';

describe('an election', () => {
  test('is won by whoever times out first, and everyone follows', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC);
    cluster.tick(2, 10).run();
    expect(cluster.leaders()).toEqual([2]);
    expect([1, 2, 3].map((id) => cluster.core(id).leader)).toEqual([2, 2, 2]);
    expect(cluster.core(1).term).toBe(1);
  });

  test('does not start while heartbeats arrive', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).pass(100);
    expect(cluster.leaders()).toEqual([1]);
    expect(cluster.core(2).term).toBe(1);
  });

  test('may be split; the next one decides', () => {
    const cluster = new Cluster([1, 2, 3, 4], CLASSIC);
    cluster.core(1).campaign();
    cluster.core(2).campaign();
    // 3 hears 1 first, 4 hears 2 first: two votes each, three are needed.
    cluster.loses = ({ type, from, to }) =>
      type === 'vote' && ((from === 1 && to === 4) || (from === 2 && to === 3));
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    expect([1, 2, 3, 4].map((id) => cluster.replica(id).disk.hardState.vote)).toEqual([1, 2, 1, 2]);
    cluster.heal().elect(3);
    expect(cluster.core(3).term).toBe(2);
  });

  test('is not won with a log that lacks what a majority has', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.isolate(3).propose(1, 'a').run().heal();
    cluster.core(3).campaign();
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    expect(cluster.core(3).term).toBe(2);
    cluster.elect(2);
    expect(cluster.texts(3)).toEqual(['a']);
  });

  test('votes for nobody else in a term, even after a restart', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC);
    cluster.core(1).campaign();
    cluster.loses = ({ to }) => to === 2;
    cluster.run();
    expect(cluster.core(3).status().vote).toBe(1);
    cluster.crash(3).restart(3).heal();
    cluster.core(2).campaign();
    cluster.loses = ({ to }) => to === 1;
    cluster.run();
    expect(cluster.core(2).term).toBe(1);
    expect(cluster.core(2).isLeader).toBe(false);
  });

  test('a vote is said only once it is durable', () => {
    const cluster = new Cluster([1, 2], CLASSIC);
    cluster.slowDisks.add(2);
    cluster.core(1).campaign();
    cluster.run();
    expect(cluster.leaders()).toEqual([]);
    cluster.replica(2).completeWrites();
    cluster.run();
    expect(cluster.leaders()).toEqual([1]);
  });

  test('a vote is asked for only once the candidate has stored its term', () => {
    const cluster = new Cluster([1, 2], CLASSIC);
    cluster.slowDisks.add(1);
    cluster.core(1).campaign();
    cluster.run();
    expect(cluster.sent).toEqual([]);
    cluster.replica(1).completeWrites();
    expect(cluster.sent.map(({ type }) => type)).toEqual(['vote']);
  });

  test('a candidate of an old term learns the new one from the refusal', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).isolate(3);
    cluster.elect(1).elect(2).elect(1).heal();
    cluster.core(3).campaign();
    cluster.run();
    expect(cluster.core(3).term).toBe(3);
    expect(cluster.leaders()).toEqual([1]);
  });

  test('a pre-vote of an old term is refused with the new one', () => {
    const cluster = new Cluster([1, 2, 3]).isolate(3).elect(1).heal();
    cluster.core(3).campaign();
    expect(cluster.core(3).term).toBe(0);
    cluster.tick(1, 10).tick(2, 10).run();
    const refusal = cluster.sent.find((m) => m.type === 'pre-vote-response' && m.to === 3 && !m.granted);
    expect(refusal?.term).toBe(1);
    expect(cluster.core(3).term).toBe(1);
  });

  test('whoever voted waits a whole timeout before campaigning', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).tick(2, 9);
    cluster.core(1).campaign();
    cluster.loses = ({ type }) => type === 'vote-response' || type === 'append';
    cluster.run().tick(2, 9);
    expect(cluster.core(2).status()).toMatchObject({ role: 'follower', vote: 1 });
    cluster.tick(2);
    expect(cluster.core(2).role).toBe('candidate');
  });

  test('a vote of an old term is not granted', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).isolate(3).elect(1).heal();
    // 3 is in term 5 and has not voted there.
    cluster.deliver({ type: 'heartbeat-response', from: 1, to: 3, term: 5, context: 0 });
    cluster.deliver({
      type: 'vote',
      from: 2,
      to: 3,
      term: 4,
      lastIndex: 9,
      lastTerm: 3,
      transfer: false,
      commitIndex: 0,
      commitTerm: 0,
    });
    expect(cluster.core(3).status()).toMatchObject({ term: 5, vote: 0 });
    const answer = cluster.core(3).ready().messagesAfterPersist[0];
    expect(answer).toMatchObject({ type: 'vote-response', to: 2, term: 5, granted: false });
  });

  test('a leader that hears of a higher term steps down', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(1).elect(2);
    expect(cluster.leaders()).toEqual([1, 2]);
    cluster.heal().pass(1);
    expect(cluster.leaders()).toEqual([2]);
    expect(cluster.core(1).leader).toBe(2);
  });
});

describe('the pre-vote', () => {
  test('keeps a node that was cut off from raising its term and from disturbing the group', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3).pass(100);
    expect(cluster.core(3).role).toBe('pre-candidate');
    expect(cluster.core(3).term).toBe(1);
    cluster.heal().pass(20);
    expect(cluster.leaders()).toEqual([1]);
    expect([1, 2, 3].map((id) => cluster.core(id).term)).toEqual([1, 1, 1]);
  });

  test('without it the same node comes back with a higher term and deposes the leader', () => {
    const cluster = new Cluster([1, 2, 3], { preVote: false }).elect(1).isolate(3).pass(100);
    expect(cluster.core(3).term).toBeGreaterThan(1);
    cluster.heal().pass(1);
    expect(cluster.core(1).isLeader).toBe(false);
  });

  test('is granted once the leader is silent', () => {
    const cluster = new Cluster([1, 2, 3], { random: new Random(1).next }).elect(1).crash(1);
    cluster.pass(60);
    expect(cluster.leaders().length).toBe(1);
    expect(cluster.leaders()).not.toContain(1);
  });

  test('a late grant for an earlier attempt does not count', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.isolate(3);
    cluster.core(3).campaign();
    cluster.run();
    cluster.deliver({
      type: 'pre-vote-response',
      from: 2,
      to: 3,
      term: cluster.core(3).term,
      granted: true,
      commitIndex: 0,
      commitTerm: 0,
    });
    expect(cluster.core(3).role).toBe('pre-candidate');
  });
});

describe('what an election teaches of the commit index', () => {
  const told = {
    type: 'vote-response',
    from: 2,
    to: 3,
    granted: false,
    commitIndex: 2,
    commitTerm: 1,
  } as const;

  /** 3 holds entry 2 and does not know that it is committed. */
  function unaware(): Cluster {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.loses = (message) => message.to === 3 && message.type === 'append' && message.commit > 1;
    cluster.propose(1, 'a').run();
    expect(cluster.core(3).status()).toMatchObject({ lastIndex: 2, commit: 1, term: 1 });
    return cluster;
  }

  test('holds whatever the message was, as long as the entry is the same', () => {
    const cluster = unaware().deliver({ ...told, term: 1, commitTerm: 7 });
    expect(cluster.core(3).commitIndex).toBe(1);
    cluster.deliver({ ...told, term: 1 });
    expect(cluster.core(3).commitIndex).toBe(2);
  });

  test('makes a candidate give up when it is a membership that it has not applied', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.loses = (message) => message.to === 3 && message.type === 'append' && message.commit > 1;
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'remove', node: 1 }],
      transition: 'automatic',
    });
    cluster.run();
    cluster.core(3).campaign();
    expect(cluster.core(3).status()).toMatchObject({ role: 'candidate', commit: 1, lastIndex: 2 });
    cluster.deliver({ ...told, term: 2 });
    expect(cluster.core(3).status()).toMatchObject({ role: 'follower', commit: 2 });
  });

  test('comes with the term of the sender, which for a pre-vote is the one before', () => {
    const { core } = unaware().replica(3);
    core.step({ ...told, type: 'pre-vote', term: 4, lastIndex: 0, lastTerm: 0 });
    expect(core.status()).toMatchObject({ term: 3, commit: 2 });
  });

  test('costs no term when there is nothing to learn', () => {
    const { core } = unaware().replica(3);
    core.step({ ...told, type: 'pre-vote', term: 4, lastIndex: 0, lastTerm: 0, commitIndex: 1 });
    core.step({ ...told, type: 'pre-vote', term: 4, lastIndex: 0, lastTerm: 0, commitTerm: 7 });
    expect(core.status()).toMatchObject({ term: 1, commit: 1 });
  });
});

describe('the quorum check', () => {
  test('a leader that no majority answers steps down', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(1).pass(20);
    expect(cluster.core(1).isLeader).toBe(false);
    expect(cluster.core(1).term).toBe(1);
  });

  test('is an option', () => {
    const cluster = new Cluster([1, 2, 3], { checkQuorum: false }).elect(1).isolate(1).pass(20);
    expect(cluster.core(1).isLeader).toBe(true);
  });

  test('a leader stays while one of two followers answers', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3).pass(50);
    expect(cluster.leaders()).toEqual([1]);
  });

  test('a voter that hears its leader ignores candidates', () => {
    const cluster = new Cluster([1, 2, 3], { preVote: false }).elect(1).isolate(3).pass(11);
    const term = cluster.core(3).term;
    expect(term).toBeGreaterThan(1);
    cluster.heal().cut(1, 3).cut(3, 1);
    cluster.pass(5);
    expect(cluster.core(2).term).toBe(1);
    expect(cluster.leaders()).toEqual([1]);
  });
});
