/** The small parts against simple models. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Configuration,
  changedConfiguration,
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  type MemberChange,
  makeConfiguration,
} from './configuration.ts';
import { ConfigurationRefusedError, RaftInvariantError } from './errors.ts';
import { InFlight } from './in-flight.ts';
import { Progress } from './progress.ts';
import { majority, reachedByMajority, tally } from './quorum.ts';

const someNodes = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 });
const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 5 });
const memberChanges: fc.Arbitrary<MemberChange[]> = fc.array(
  fc.record({
    type: fc.constantFrom('add-voter' as const, 'add-learner' as const, 'remove' as const),
    node: fc.integer({ min: 1, max: 8 }),
  }),
  { minLength: 1, maxLength: 4 },
);
const transitions = fc.constantFrom(
  'automatic' as const,
  'joint-auto-leave' as const,
  'joint-explicit' as const,
);

describe('a majority', () => {
  test('has reached the largest value that more than half have', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }), (values) => {
        const having = (value: number): number => values.filter((other) => other >= value).length;
        const expected = Math.max(...values.filter((value) => having(value) * 2 > values.length));
        expect(reachedByMajority([...values])).toBe(expected);
      }),
    );
  });

  test('of nobody agrees to everything', () => {
    expect(reachedByMajority([])).toBe(Number.POSITIVE_INFINITY);
    expect(tally([], new Map())).toBe('won');
  });

  test('wins or loses a vote as soon as the rest cannot change it', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.boolean()), { minLength: 1, maxLength: 7 }), (answers) => {
        const voters = answers.map((_, position) => position + 1);
        const votes = new Map<number, boolean>();
        answers.forEach((answer, position) => {
          if (answer !== null) votes.set(position + 1, answer);
        });
        const granted = answers.filter((answer) => answer === true).length;
        const open = answers.filter((answer) => answer === null).length;
        const needed = majority(voters.length);
        const expected = granted >= needed ? 'won' : granted + open < needed ? 'lost' : 'pending';
        expect(tally(voters, votes)).toBe(expected);
      }),
    );
  });
});

describe('a configuration', () => {
  /** Where a change leads; the start itself when it is refused. */
  function reached(
    voters: number[],
    learners: number[],
    changes: MemberChange[],
    transition: 'automatic' | 'joint-auto-leave' | 'joint-explicit',
  ): Configuration {
    const start = makeConfiguration(
      voters,
      learners.filter((node) => !voters.includes(node)),
    );
    try {
      return changedConfiguration(start, { kind: 'change', changes, transition });
    } catch (error) {
      if (error instanceof ConfigurationRefusedError) return start;
      throw error;
    }
  }

  test('survives its bytes', () => {
    fc.assert(
      fc.property(someNodes, nodes, memberChanges, transitions, (voters, learners, changes, transition) => {
        const configuration = reached(voters, learners, changes, transition);
        expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration);
      }),
    );
  });

  test('that changes more than one voter at once is joint, and so keeps overlapping majorities', () => {
    fc.assert(
      fc.property(someNodes, nodes, memberChanges, (voters, learners, changes) => {
        const next = reached(voters, learners, changes, 'automatic');
        const changed =
          voters.filter((node) => !next.voters.includes(node)).length +
          next.voters.filter((node) => !voters.includes(node)).length;
        expect(isJoint(next)).toBe(changed > 1);
      }),
    );
  });

  test('ends the same, jointly or not', () => {
    fc.assert(
      fc.property(someNodes, nodes, memberChanges, (voters, learners, changes) => {
        const leave = (configuration: Configuration): Configuration =>
          isJoint(configuration)
            ? changedConfiguration(configuration, { kind: 'leave-joint' })
            : configuration;
        const direct = leave(reached(voters, learners, changes, 'automatic'));
        const joint = leave(reached(voters, learners, changes, 'joint-explicit'));
        expect(joint).toEqual(direct);
      }),
    );
  });

  test('never counts one node twice', () => {
    fc.assert(
      fc.property(someNodes, nodes, memberChanges, transitions, (voters, learners, changes, transition) => {
        const next = reached(voters, learners, changes, transition);
        for (const learner of next.learners) {
          expect(next.voters).not.toContain(learner);
          expect(next.votersOutgoing).not.toContain(learner);
        }
        for (const learner of next.learnersNext) expect(next.votersOutgoing).toContain(learner);
      }),
    );
  });

  test('is not read from bytes that are not one', () => {
    const bytes = encodeConfiguration(makeConfiguration([1, 2, 3], [4]));
    for (const broken of [bytes.slice(0, -1), Uint8Array.of(9, ...bytes.slice(1)), new Uint8Array(0)]) {
      expect(() => decodeConfiguration(broken)).toThrow(RaftInvariantError);
    }
  });
});

describe('the progress of a follower', () => {
  const progress = (): Progress => {
    const fresh = new Progress(2, 10, false, new InFlight(4, 1_000));
    fresh.acknowledge(5);
    return fresh;
  };

  test('ignores a late refusal of what it has matched since', () => {
    const replicating = progress();
    replicating.becomeReplicate();
    replicating.sent(3, 100, 5);
    expect(replicating.reject(5, 1)).toBe(false);
    expect(replicating.next).toBe(9);
    expect(replicating.reject(8, 1)).toBe(true);
    expect(replicating.next).toBe(6);
  });

  test('ignores a late refusal of a probe that is not the open one', () => {
    const probing = progress();
    expect(probing.reject(8, 6)).toBe(false);
    expect(probing.next).toBe(10);
    expect(probing.reject(9, 6)).toBe(true);
    expect(probing.next).toBe(7);
  });

  test('never probes below what is matched', () => {
    const probing = progress();
    expect(probing.reject(9, 0)).toBe(true);
    expect(probing.next).toBe(6);
  });
});

describe('the window of appends under way', () => {
  test('counts what is not answered', () => {
    const operations = fc.array(
      fc.oneof(
        fc.record({ send: fc.integer({ min: 1, max: 50 }) }),
        fc.record({ answer: fc.integer({ min: 0, max: 60 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(operations, (steps) => {
        const window = new InFlight(4, 100);
        let model: { last: number; bytes: number }[] = [];
        let last = 0;
        for (const step of steps) {
          if ('send' in step) {
            if (window.full) continue;
            last++;
            window.add(last, step.send);
            model.push({ last, bytes: step.send });
          } else {
            window.freeUpTo(step.answer);
            model = model.filter((message) => message.last > step.answer);
          }
          const bytes = model.reduce((sum, message) => sum + message.bytes, 0);
          expect([window.count, window.bytes]).toEqual([model.length, bytes]);
          expect(window.full).toBe(model.length >= 4 || bytes >= 100);
        }
      }),
    );
  });
});
