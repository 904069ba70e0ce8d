import { create } from '@bufbuild/protobuf';
import { GroupMoveSchema, MovePhase, MoveReason, NodeSchema } from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { expect, it } from 'vitest';
import { describeMoves } from './members.ts';
import { moveLines } from './state.ts';

it('what moves has a line for each group, with how far it is and why', () => {
  const moves = [
    create(GroupMoveSchema, {
      group: 3,
      fromNodeIds: ['node1'],
      toNodeIds: ['node4'],
      phase: MovePhase.CATCHING_UP,
      percent: 74,
      reason: MoveReason.COUNT,
    }),
    create(GroupMoveSchema, {
      group: 12,
      toNodeIds: ['node2', 'node3'],
      phase: MovePhase.WAITING,
      reason: MoveReason.REPLICATION,
    }),
  ];
  expect(moveLines(moves)).toEqual([
    '',
    'MOVING  FROM   TO           PHASE             BECAUSE',
    '     3  node1  node4        catching up 74 %  nodes hold uneven numbers',
    '    12  -      node2 node3  waiting           of the number of replicas',
  ]);
  expect(moveLines([])).toEqual([]);
});

it('every reason is told in words', () => {
  for (const reason of Object.values(MoveReason)) {
    if (typeof reason !== 'number') continue;
    expect(moveLines([create(GroupMoveSchema, { reason })]).at(-1)).not.toContain('undefined');
  }
});

it('a node shows what comes to it and what goes', () => {
  const shown = (replicasArriving: number, replicasDeparting: number) =>
    describeMoves(create(NodeSchema, { replicasArriving, replicasDeparting }));
  expect([shown(0, 0), shown(2, 0), shown(0, 3), shown(2, 3)]).toEqual(['', '+2', '-3', '+2 -3']);
});
