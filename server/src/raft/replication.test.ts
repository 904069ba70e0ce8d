import { describe, expect, test } from 'vitest';
import { EntryKind, NO_DATA } from './entry.ts';
import { RaftInvariantError } from './errors.ts';
import type { AppendMessage } from './messages.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

describe('replication', () => {
  test('an entry is applied everywhere, in order', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.propose(1, 'a').propose(1, 'b').run().propose(1, 'c').run();
    for (const id of [1, 2, 3]) expect(cluster.texts(id)).toEqual(['a', 'b', 'c']);
  });

  test('all entries of one turn travel in one message to each follower', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.sent = [];
    cluster.propose(1, 'a').propose(1, 'b').propose(1, 'c').run();
    const carrying = cluster.sent.filter(
      (message) => message.type === 'append' && message.entries.length > 0,
    );
    expect(carrying.map(({ to }) => to)).toEqual([2, 3]);
  });

  test('followers learn of a commit without waiting for a heartbeat', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).propose(1, 'a').run();
    expect(cluster.core(3).commitIndex).toBe(2);
  });

  describe('with sparse commits', () => {
    const commitsTold = ({ sent }: Cluster, to: number) =>
      sent.filter((message) => message.type === 'append' && message.to === to && message.entries.length === 0)
        .length;

    test('a follower is told of one commit by itself at once, of further ones by the next tick', () => {
      const cluster = new Cluster([1, 2, 3], { sparseCommits: true }).elect(1).pass(1);
      cluster.sent = [];
      for (const text of ['a', 'b', 'c']) cluster.propose(1, text).run();
      expect(cluster.texts(1)).toEqual(['a', 'b', 'c']);
      expect(commitsTold(cluster, 3)).toBe(1);
      expect(cluster.texts(3)).toEqual(['a', 'b']);
      cluster.pass(1);
      expect(cluster.texts(3)).toEqual(['a', 'b', 'c']);
      cluster.pass(5);
      expect(commitsTold(cluster, 3)).toBe(1);
    });

    test('entries that follow tell it along', () => {
      const cluster = new Cluster([1, 2, 3], { sparseCommits: true }).elect(1).pass(1);
      cluster.sent = [];
      for (let i = 0; i < 20; i++) cluster.propose(1, `${i}`).run();
      expect(cluster.texts(2)).toHaveLength(19);
      expect(commitsTold(cluster, 2)).toBe(1);
    });
  });

  test('nothing commits without a majority', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(1).propose(1, 'a').run();
    expect(cluster.core(1).commitIndex).toBe(1);
    cluster.heal().pass(2);
    expect(cluster.texts(2)).toEqual(['a']);
  });

  test('a new leader commits what it inherited through its own empty entry', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    // The entry reaches 2; the news of its commit reaches nobody.
    cluster.loses = ({ type, to }) => type === 'append-response' || to === 3;
    cluster.propose(1, 'a').run();
    expect(cluster.core(1).commitIndex).toBe(1);
    cluster.crash(1).heal().elect(2);
    expect(cluster.terms(2)).toEqual([1, 1, 2]);
    expect(cluster.texts(3)).toEqual(['a']);
  });

  test('an entry of an older term is not committed by counting (figure 8)', () => {
    const cluster = new Cluster([1, 2, 3, 4, 5], CLASSIC);
    // (a) 1 leads and writes an entry that reaches 2 alone.
    cluster.elect(1).isolate(1, 2).propose(1, 'old').run();
    // (b) 1 is gone; 5 leads with the votes of 3 and 4 and writes another entry at that index, which reaches nobody.
    cluster.crash(1).heal().isolate(3, 4, 5);
    cluster.loses = ({ type, from }) => type === 'append' && from === 5;
    cluster.core(5).campaign();
    cluster.run();
    expect(cluster.core(5).isLeader).toBe(true);
    // (c) 5 is gone, 1 leads again; its old entry reaches a majority, its own of this term only itself.
    cluster.crash(5).heal().restart(1);
    cluster.core(1).campaign();
    cluster.run();
    cluster.core(1).campaign();
    cluster.loses = (message) => message.type === 'append' && message.entries.some(({ term }) => term === 3);
    cluster.run();
    expect(cluster.core(1).isLeader).toBe(true);
    const old = cluster.replica(1).disk.entries(2, 3, 1_000);
    for (const id of [3, 4]) {
      cluster.deliver({
        type: 'append',
        from: 1,
        to: id,
        term: cluster.core(1).term,
        previousIndex: 1,
        previousTerm: 1,
        entries: old,
        commit: 1,
      });
    }
    cluster.run();
    expect([1, 2, 3, 4].map((id) => cluster.core(id).termAt(2))).toEqual([1, 1, 1, 1]);
    expect(cluster.core(1).commitIndex).toBe(1);
    // (d) so 5 may still replace it.
    cluster.crash(1).heal().restart(5);
    cluster.core(5).campaign();
    cluster.run();
    cluster.elect(5);
    expect(cluster.core(3).termAt(2)).toBe(2);
    expect(cluster.texts(3)).toEqual([]);
  });

  test('a diverged follower is repaired in one round per term, not one per entry', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.isolate(1);
    for (let i = 0; i < 50; i++) cluster.propose(1, `lost ${i}`);
    cluster.run().elect(2);
    for (let i = 0; i < 50; i++) cluster.propose(2, `kept ${i}`);
    cluster.run();
    cluster.heal();
    cluster.sent = [];
    cluster.pass(2);
    expect(cluster.terms(1)).toEqual(cluster.terms(2));
    expect(cluster.texts(1)).toEqual(cluster.texts(2));
    const rejections = cluster.sent.filter((m) => m.type === 'append-response' && m.rejected);
    expect(rejections.length).toBeLessThanOrEqual(3);
  });

  // The two examples of the comments in etcd's raft: the leader, or the follower, can skip whole terms.
  test.for([
    ['the leader skips terms the follower cannot have', [1, 3, 3, 3, 5, 5, 5, 5, 5], [1, 1, 1, 1, 2, 2]],
    [
      'the follower skips terms the leader cannot have',
      [1, 3, 3, 3, 3, 3, 3, 3, 7],
      [1, 3, 3, 4, 4, 5, 5, 5, 6],
    ],
  ] as const)('where logs diverged, %s', ([, leader, follower]) => {
    const cluster = new Cluster([1, 2, 3], CLASSIC);
    for (const [id, terms] of [
      [1, leader],
      [2, follower],
      [3, leader],
    ] as const) {
      const entries = terms.map((term, position) => ({
        index: position + 1,
        term,
        kind: EntryKind.NORMAL,
        data: NO_DATA,
      }));
      const hardState = { term: 7, vote: 0, commit: 0 };
      cluster.replica(id).disk.store({ entries, hardState, snapshot: undefined });
      cluster.crash(id).restart(id);
    }
    cluster.elect(1).pass(2);
    expect(cluster.terms(2)).toEqual([...leader, 8]);
    const rejections = cluster.sent.filter((m) => m.type === 'append-response' && m.rejected);
    expect(rejections.length).toBeLessThanOrEqual(2);
  });

  test('a commit index says nothing about entries past those the append speaks of', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(1).propose(1, 'a').propose(1, 'b').run();
    cluster.deliver({
      type: 'append',
      from: 2,
      to: 1,
      term: 2,
      previousIndex: 1,
      previousTerm: 1,
      entries: [],
      commit: 3,
    });
    expect(cluster.core(1).commitIndex).toBe(1);
  });

  test('a late append does not cut off what a newer one brought', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.sent = [];
    cluster.propose(1, 'a').run().propose(1, 'b').run();
    const first = cluster.sent.find(
      (m): m is AppendMessage => m.type === 'append' && m.to === 2 && m.entries.length > 0,
    )!;
    cluster.deliver(first).run();
    expect(cluster.core(2).lastIndex).toBe(3);
    expect(cluster.texts(2)).toEqual(['a', 'b']);
  });

  test('a heartbeat commits nothing the follower may hold differently', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(3).propose(1, 'a').run();
    cluster.heal();
    cluster.loses = ({ type }) => type === 'append';
    cluster.pass(2);
    expect(cluster.core(1).commitIndex).toBe(2);
    expect(cluster.core(3).commitIndex).toBe(1);
  });

  test('a lost append is noticed and sent again', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.loses = ({ type, to }) => type === 'append' && to === 3;
    cluster.propose(1, 'a').run();
    cluster.heal().pass(3);
    expect(cluster.texts(3)).toEqual(['a']);
  });

  test('a node that lost what it had acknowledged stops instead of going on', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).propose(1, 'a').run();
    expect(() =>
      cluster.deliver({ type: 'heartbeat', from: 1, to: 2, term: 1, commit: 3, context: 0 }),
    ).toThrow(RaftInvariantError);
  });
});
