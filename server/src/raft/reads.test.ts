import { describe, expect, test } from 'vitest';
import { NotLeaderError, ReadRefusedError } from './errors.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

describe('a linearizable read', () => {
  test('is answered with the commit index once a majority confirmed the leader', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).propose(1, 'a').run();
    cluster.core(1).readIndex(7);
    cluster.work(1);
    expect(cluster.reads(1)).toEqual([]);
    cluster.run();
    expect(cluster.reads(1)).toEqual([{ index: 2, context: 7 }]);
  });

  test('shares one round of heartbeats with all others of its turn', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.sent = [];
    for (let context = 1; context <= 100; context++) cluster.core(1).readIndex(context);
    cluster.run();
    expect(cluster.reads(1).length).toBe(100);
    expect(cluster.sent.filter(({ type }) => type === 'heartbeat').length).toBe(2);
  });

  test('is not confirmed by an answer to a heartbeat that was sent before it', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.core(1).readIndex(1);
    cluster.work(1);
    cluster.core(1).readIndex(2);
    cluster.loses = (message) => message.type === 'heartbeat' && message.context === 2;
    cluster.run();
    expect(cluster.reads(1).map(({ context }) => context)).toEqual([1]);
  });

  test('whose round was lost is confirmed by the next heartbeat', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.loses = ({ type }) => type === 'heartbeat';
    cluster.core(1).readIndex(7);
    cluster.run();
    expect(cluster.reads(1)).toEqual([]);
    cluster.heal().pass(1);
    expect(cluster.reads(1).length).toBe(1);
  });

  test('is refused before the leader committed in its own term, whatever is committed', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).propose(1, 'a').run();
    cluster.loses = (message) => message.type === 'append-response' && message.to === 2;
    cluster.core(2).campaign();
    cluster.run();
    expect(cluster.core(2).isLeader).toBe(true);
    expect(() => cluster.core(2).readIndex(7)).toThrow(ReadRefusedError);
    cluster.heal().pass(2);
    cluster.core(2).readIndex(8);
    cluster.run();
    expect(cluster.reads(2)).toEqual([{ index: 3, context: 8 }]);
  });

  test('is never answered by a leader that was replaced without knowing it', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(1).elect(2).propose(2, 'new').run();
    expect(cluster.core(1).isLeader).toBe(true);
    cluster.core(1).readIndex(7);
    cluster.run().pass(5);
    expect(cluster.reads(1)).toEqual([]);
    cluster.heal().pass(2);
    expect(cluster.core(1).isLeader).toBe(false);
    expect(cluster.reads(1)).toEqual([]);
  });

  test('takes both majorities of a joint configuration', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4, 5]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [
        { type: 'add-voter', node: 4 },
        { type: 'add-voter', node: 5 },
      ],
      transition: 'joint-explicit',
    });
    cluster.run().isolate(2, 3);
    cluster.core(1).readIndex(7);
    cluster.run();
    expect(cluster.reads(1)).toEqual([]);
    cluster.heal().pass(1);
    expect(cluster.reads(1).length).toBe(1);
  });

  test('does not ask learners, and is not confirmed by them', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-learner', node: 4 }],
      transition: 'automatic',
    });
    cluster.run().isolate(1, 4);
    cluster.sent = [];
    cluster.core(1).readIndex(7);
    cluster.run();
    expect(cluster.sent.map(({ to }) => to)).toEqual([2, 3]);
    cluster.pass(3);
    expect(cluster.reads(1)).toEqual([]);
  });

  test('is refused at a follower, which names the leader', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    expect(() => cluster.core(2).readIndex(7)).toThrow(new NotLeaderError(1));
  });

  test('is refused when too many wait', () => {
    const cluster = new Cluster([1, 2, 3], { maxPendingReads: 2 }).elect(1);
    cluster.core(1).readIndex(1);
    cluster.core(1).readIndex(2);
    expect(() => cluster.core(1).readIndex(3)).toThrow(ReadRefusedError);
    cluster.run();
    cluster.core(1).readIndex(3);
    cluster.run();
    expect(cluster.reads(1).length).toBe(3);
  });
});
