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

describe('the quorum check', () => {
  test('a leader that no majority answers steps down', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(1).pass(20);
    expect(cluster.core(1).isLeader).toBe(false);
    expect(cluster.core(1).term).toBe(1);
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
