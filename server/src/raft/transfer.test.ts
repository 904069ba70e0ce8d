import { describe, expect, test } from 'vitest';
import { NotLeaderError, ProposalDroppedError, TransferRefusedError } from './errors.ts';
import { Cluster } from './testing/cluster.ts';

describe('a leadership transfer', () => {
  test('makes the target lead at once, although everybody hears the leader', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.core(1).transferLeadership(3);
    cluster.run();
    expect(cluster.leaders()).toEqual([3]);
    expect(cluster.core(1).leader).toBe(3);
  });

  test('brings the target up to date first', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3).propose(1, 'a').run().heal();
    cluster.core(1).transferLeadership(3);
    expect(cluster.leaders()).toEqual([1]);
    cluster.run().pass(1);
    expect(cluster.leaders()).toEqual([3]);
    expect(cluster.texts(3)).toEqual(['a']);
  });

  test('drops proposals meanwhile, and is given up after an election timeout', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3);
    cluster.core(1).transferLeadership(3);
    expect(() => cluster.propose(1, 'a')).toThrow(new ProposalDroppedError('transferring'));
    cluster.pass(10);
    expect(cluster.core(1).status().transferTarget).toBe(0);
    cluster.propose(1, 'b').run();
    expect(cluster.texts(2)).toEqual(['b']);
  });

  test('has a whole election timeout to succeed', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).pass(9).isolate(3);
    cluster.core(1).transferLeadership(3);
    cluster.pass(9);
    expect(cluster.core(1).status().transferTarget).toBe(3);
    cluster.pass(1);
    expect(cluster.core(1).status().transferTarget).toBe(0);
  });

  test('to another target replaces the one under way', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3);
    cluster.core(1).transferLeadership(3);
    cluster.run();
    cluster.core(1).transferLeadership(2);
    cluster.run();
    expect(cluster.leaders()).toEqual([2]);
  });

  test('goes to no learner, no stranger and not to the leader itself', () => {
    const cluster = new Cluster([1, 2, 3], {}, [4]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-learner', node: 4 }],
      transition: 'automatic',
    });
    cluster.run();
    for (const target of [1, 4, 9]) {
      expect(() => cluster.core(1).transferLeadership(target)).toThrow(new TransferRefusedError(target));
    }
    expect(() => cluster.core(2).transferLeadership(3)).toThrow(NotLeaderError);
  });

  test('ends when its target is removed', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1);
    cluster.slowAppliers.add(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'remove', node: 3 }],
      transition: 'automatic',
    });
    cluster.run().isolate(3);
    cluster.core(1).transferLeadership(3);
    cluster.slowAppliers.clear();
    cluster.run();
    expect(cluster.core(1).status().transferTarget).toBe(0);
  });
});
