import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { LedGroupSchema } from '../gen/gomsg/internal/v1/report_pb.js';
import { MovePhase, MoveReason } from '../gen/gomsg/v1/cluster_pb.js';
import { moveMessage, moveOf } from './moves.ts';
import { replicaId } from './replica-id.ts';

interface Members {
  readonly voters: readonly number[];
  readonly votersOutgoing?: readonly number[];
  readonly learners?: readonly number[];
  readonly caughtUp?: readonly number[];
  readonly percents?: Readonly<Record<number, number>>;
}

/** The move of a group to the desired replicas from those that its leader tells of. */
function moveTo(desired: readonly number[], told: Members | undefined, holders: readonly number[] = []) {
  const led =
    told &&
    create(LedGroupSchema, {
      group: 7,
      voters: told.voters.map(BigInt),
      votersOutgoing: (told.votersOutgoing ?? []).map(BigInt),
      learners: (told.learners ?? []).map(BigInt),
      caughtUp: (told.caughtUp ?? told.voters).map(BigInt),
      catchingUp: Object.entries(told.percents ?? {}).map(([replica, percent]) => ({
        replica: BigInt(replica),
        percent,
      })),
    });
  const placement = {
    group: 7,
    slots: [],
    epoch: 3,
    desired: { voters: desired, learners: [] },
    reason: MoveReason.COUNT,
    preferredLeader: undefined,
  };
  return moveOf(placement, led, holders);
}

describe('a group that moves from node 3 to node 4', () => {
  const desired = [1, 2, 4];
  const before = [1, 2, 3];
  it.each<[string, Members, number[], MovePhase, number]>([
    ['waits until its leader has begun', { voters: before }, before, MovePhase.WAITING, 0],
    [
      'catches up',
      { voters: before, learners: [4], percents: { 4: 37 } },
      [1, 2, 3, 4],
      MovePhase.CATCHING_UP,
      37,
    ],
    [
      'is about to change once it has caught up',
      { voters: before, learners: [4], caughtUp: [1, 2, 3, 4] },
      [1, 2, 3, 4],
      MovePhase.CHANGING,
      100,
    ],
    [
      'changes',
      { voters: [1, 2, 4], votersOutgoing: before, caughtUp: [1, 2, 4] },
      [1, 2, 3, 4],
      MovePhase.CHANGING,
      100,
    ],
    ['removes the old replica', { voters: [1, 2, 4] }, [1, 2, 3, 4], MovePhase.REMOVING, 100],
  ])('%s', (_what, told, holders, phase, percent) => {
    const move = moveTo(desired, told, holders);
    expect(move).toMatchObject({ group: 7, from: [3], phase, percent, reason: MoveReason.COUNT });
    expect(move?.to).toEqual(told.voters.includes(4) ? [] : [4]);
  });

  it('has arrived when node 3 holds nothing any more', () => {
    expect(moveTo(desired, { voters: [1, 2, 4] }, [1, 2, 4])).toBeUndefined();
  });
});

it('the new replica that is furthest behind tells how far a move is', () => {
  const told = { voters: [1], learners: [2, 3], caughtUp: [1], percents: { 2: 80, 3: 15 } };
  expect(moveTo([1, 2, 3], told)).toMatchObject({
    from: [],
    to: [2, 3],
    phase: MovePhase.CATCHING_UP,
    percent: 15,
  });
});

it('a new replica on a node that still holds the old one comes and goes there', () => {
  const again = replicaId(3, 1);
  expect(moveTo([1, 2, again], { voters: [1, 2, 3] }, [1, 2, 3])).toMatchObject({ from: [3], to: [3] });
});

it('nothing is told of a group whose leader nobody knows, or that is where it is to be', () => {
  expect(moveTo([1, 2, 4], undefined, [1, 2, 3])).toBeUndefined();
  expect(moveTo([1, 2, 3], { voters: [1, 2, 3] }, [1, 2])).toBeUndefined();
});

it('people are told the names of nodes', () => {
  const move = moveTo([1, 2, 4], { voters: [1, 2, 3] })!;
  expect(moveMessage(move, (node) => `node${node}`)).toEqual({
    group: 7,
    fromNodeIds: ['node3'],
    toNodeIds: ['node4'],
    phase: MovePhase.WAITING,
    percent: 0,
    reason: MoveReason.COUNT,
  });
});
