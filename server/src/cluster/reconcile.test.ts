import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Configuration, changedConfiguration, makeConfiguration } from '../raft/index.ts';
import type { DesiredReplicas } from '../state/control/group-placement.ts';
import { nextStep } from './reconcile.ts';

const everybody = (_replica: number) => true;
const nobody = (_replica: number) => false;

function step(configuration: Configuration, voters: number[], isCaughtUp = everybody, self = 1) {
  return nextStep({ self, configuration, isCaughtUp, mayLead: everybody }, { voters, learners: [] });
}

describe('replicas that a group should have', () => {
  test('come in as learners first', () => {
    expect(step(makeConfiguration([1]), [1, 2, 3], nobody)).toEqual({
      kind: 'change',
      changes: [
        { type: 'add-learner', node: 2 },
        { type: 'add-learner', node: 3 },
      ],
    });
  });

  test('do not vote before all of them have caught up', () => {
    expect(step(makeConfiguration([1], [2, 3]), [1, 2, 3], (id) => id === 2)).toBeUndefined();
    expect(step(makeConfiguration([1], [2, 3]), [1, 2, 3])).toMatchObject({
      changes: [
        { type: 'add-voter', node: 2 },
        { type: 'add-voter', node: 3 },
      ],
    });
  });

  test('take the place of others in one joint change', () => {
    expect(step(makeConfiguration([1, 2, 3], [4]), [1, 2, 4])).toEqual({
      kind: 'change',
      changes: [
        { type: 'add-voter', node: 4 },
        { type: 'remove', node: 3 },
      ],
    });
  });
});

test('a leader that is to go hands over to one who stays', () => {
  expect(step(makeConfiguration([1, 2, 3], [4]), [2, 3, 4])).toEqual({ kind: 'transfer', to: 2 });
});

test('a sole voter that is to go lets its heirs vote first', () => {
  expect(step(makeConfiguration([1], [2]), [2])).toEqual({
    kind: 'change',
    changes: [{ type: 'add-voter', node: 2 }],
  });
  expect(step(makeConfiguration([1, 2]), [2])).toEqual({ kind: 'transfer', to: 2 });
});

test('nothing is done on the way out of a joint configuration, nor when all is as it should be', () => {
  const joint = changedConfiguration(makeConfiguration([1, 2, 3]), {
    kind: 'change',
    changes: [{ type: 'add-voter', node: 4 }],
    transition: 'joint-auto-leave',
  });
  expect(step(joint, [1, 2, 3])).toBeUndefined();
  expect(step(makeConfiguration([1, 2, 3]), [3, 2, 1])).toBeUndefined();
});

test('learners that nobody wants go', () => {
  expect(step(makeConfiguration([1, 2, 3], [9]), [1, 2, 3])).toEqual({
    kind: 'change',
    changes: [{ type: 'remove', node: 9 }],
  });
});

test('from any membership every desired one is reached, without a moment of fewer voters than both ends have', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
  const learners = fc.uniqueArray(fc.integer({ min: 10, max: 14 }), { maxLength: 3 });
  fc.assert(
    fc.property(ids, learners, ids, learners, (voters, oldLearners, wanted, newLearners) => {
      const desired: DesiredReplicas = { voters: wanted, learners: newLearners };
      let configuration = makeConfiguration(voters, oldLearners);
      let self = voters[0]!;
      const fewest = Math.min(voters.length, wanted.length);
      for (let steps = 0; ; steps++) {
        expect(steps).toBeLessThan(12);
        const next = nextStep({ self, configuration, isCaughtUp: everybody, mayLead: everybody }, desired);
        if (next === undefined) break;
        if (next.kind === 'transfer') {
          expect(configuration.voters).toContain(next.to);
          self = next.to;
          continue;
        }
        configuration = changedConfiguration(configuration, {
          kind: 'change',
          changes: next.changes,
          transition: 'automatic',
        });
        if (configuration.votersOutgoing.length > 0) {
          configuration = changedConfiguration(configuration, { kind: 'leave-joint' });
        }
        expect(configuration.voters.length).toBeGreaterThanOrEqual(fewest);
        expect(configuration.voters).toContain(self);
      }
      expect([...configuration.voters].sort()).toEqual([...wanted].sort());
      expect([...configuration.learners].sort()).toEqual([...newLearners].sort());
    }),
  );
});
