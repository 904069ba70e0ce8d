/** What moves and how far it is, told from where a group is to be and what its leader says of it. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type GroupMoveSchema, MovePhase } from '../gen/gomsg/v1/cluster_pb.js';
import type { GroupPlacementView } from '../state/control/group-placement.ts';
import { nodeOf } from './replica-id.ts';
import type { LedGroup } from './reports.ts';

export interface Move {
  readonly group: number;
  /** Numbers of the nodes, ascending. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly phase: MovePhase;
  /** Of the new replica that is furthest behind. */
  readonly percent: number;
  readonly reason: GroupPlacementView['reason'];
}

/**
 * Undefined for a group that is where it is to be, and for one whose leader nobody knows: only a leader can say.
 *
 * @param holders numbers of the nodes that say that they hold a replica
 */
export function moveOf(
  { group, desired, reason }: GroupPlacementView,
  led: LedGroup | undefined,
  holders: readonly number[],
): Move | undefined {
  if (led === undefined) return undefined;
  const [voters, outgoing, learners] = [led.voters, led.votersOutgoing, led.learners].map((replicas) =>
    replicas.map(Number),
  ) as [number[], number[], number[]];
  const members = [...voters, ...outgoing, ...learners];
  const isWanted = (replica: number): boolean => desired.voters.includes(replica);
  const coming = desired.voters.filter((replica) => !voters.includes(replica));
  const going = members.filter((replica) => !isWanted(replica));
  const isHeldOn = (node: number): boolean =>
    [...members, ...desired.voters].some((replica) => nodeOf(replica) === node);
  const from = ascending([...going.map(nodeOf), ...holders.filter((node) => !isHeldOn(node))]);
  const to = ascending(coming.map(nodeOf));
  if (from.length === 0 && to.length === 0 && outgoing.length === 0) return undefined;

  const move = { group, from, to, reason };
  const at = (phase: MovePhase, percent: number): Move => ({ ...move, phase, percent });
  if (outgoing.length > 0) return at(MovePhase.CHANGING, 100);
  if (coming.some((replica) => !members.includes(replica))) return at(MovePhase.WAITING, 0);
  const percent = Math.min(100, ...coming.map((replica) => percentOf(replica, led)));
  if (percent < 100) return at(MovePhase.CATCHING_UP, percent);
  return at(voters.every(isWanted) && coming.length === 0 ? MovePhase.REMOVING : MovePhase.CHANGING, percent);
}

/** As ClusterService tells it. */
export function moveMessage(
  move: Move,
  nameOf: (node: number) => string,
): MessageInitShape<typeof GroupMoveSchema> {
  const { from, to, ...rest } = move;
  return { ...rest, fromNodeIds: from.map(nameOf), toNodeIds: to.map(nameOf) };
}

function percentOf(replica: number, { caughtUp, catchingUp }: LedGroup): number {
  if (caughtUp.includes(BigInt(replica))) return 100;
  return catchingUp.find((member) => member.replica === BigInt(replica))?.percent ?? 0;
}

function ascending(nodes: readonly number[]): number[] {
  return [...new Set(nodes)].sort((a, b) => a - b);
}
