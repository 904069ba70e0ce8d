/**
 * As many replicas as there should be, on nodes that stay: raises replication when nodes have joined, and replaces
 * what is on nodes that leave, left or are down for good.
 *
 * A replica goes only when another comes or too many are there: a group never has fewer than before for a move's sake.
 */
import { nodeOf } from '../replica-id.ts';
import { type Board, type BoardGroup, type BoardNode, sharing } from './board.ts';
import type { MoveReason } from './picture.ts';

/** True when every group that can be repaired is, or is on its way. */
export function repair(board: Board): boolean {
  let isComplete = true;
  // Replicas that a node has when all groups have theirs: below it, it may be given more in any order.
  const fairShare = Math.ceil(
    (board.groups.length * wantedReplicas(board, undefined)) / Math.max(1, board.takers.length),
  );
  for (const group of board.groups) {
    if (group.isSettled) {
      if (!repairSettled(board, group, fairShare)) isComplete = false;
    } else if (group.leader !== undefined) giveUpLostTargets(board, group, fairShare);
  }
  return isComplete;
}

/** Replicas that a group is to have: on every node, or every node that can have one, up to the replication. */
function wantedReplicas({ nodes, replication }: Board, group: BoardGroup | undefined): number {
  let homes = 0;
  for (const node of nodes) {
    if (node.isActive && (!node.isLost || group?.holds(node))) homes++;
  }
  return Math.max(1, Math.min(replication, homes));
}

/** False when more would have to be done and cannot be done now. */
function repairSettled(board: Board, group: BoardGroup, fairShare: number): boolean {
  const wanted = wantedReplicas(board, group);
  const staying = group.nodes.filter((node) => node.isActive && !node.isLost);
  if (staying.length === group.nodes.length && staying.length === wanted) return true;

  const kept = withoutSurplus(group, staying, wanted);
  const added = board.canSend(group) ? choose(board, kept, wanted - kept.length, fairShare) : [];
  const owed = Math.min(group.nodes.length, wanted) - kept.length - added.length;
  const goers = group.nodes.filter((node) => !staying.includes(node)).sort(lastToGoFirst);
  const next = [...kept, ...added, ...goers.slice(0, Math.max(0, owed))];
  const isChanged = next.length !== group.nodes.length || added.length > 0;
  if (isChanged && !board.place(group, next, reasonFor(group, next))) return true;
  return kept.length + added.length >= wanted || !hasCandidate(board, next);
}

/** Of those that are not to stay, the ones that are kept longest: they answer, or may again. */
function lastToGoFirst(a: BoardNode, b: BoardNode): number {
  return Number(b.isUp) - Number(a.isUp) || Number(b.isActive) - Number(a.isActive) || a.node - b.node;
}

/** Drops what is too much: where labels are shared, then from the nodes that have most. */
function withoutSurplus(
  group: BoardGroup,
  staying: readonly BoardNode[],
  wanted: number,
): readonly BoardNode[] {
  let kept = staying;
  while (kept.length > wanted) {
    const rank = (node: BoardNode) => [
      Number(!node.isUp),
      sharing(kept, node.label),
      node.replicas,
      Number(node !== group.leader),
      node.node,
    ];
    const worst = best(kept, (a, b) => compareRanks(rank(b), rank(a)))!;
    kept = kept.filter((node) => node !== worst);
  }
  return kept;
}

/** Up to `count` takers beside `kept`, each on the least crowded label that there is, then where fewest replicas are. */
function choose(board: Board, kept: readonly BoardNode[], count: number, fairShare: number): BoardNode[] {
  const chosen: BoardNode[] = [];
  while (chosen.length < count) {
    const taken = [...kept, ...chosen];
    const target = bestTaker(board, taken, fairShare);
    if (target === undefined) break;
    chosen.push(target);
  }
  return chosen;
}

/**
 * The least crowded label and an even count come before speed: a taker that is worse in either is not taken only because
 * a better one is busy at the moment.
 */
function bestTaker(board: Board, taken: readonly BoardNode[], fairShare: number): BoardNode | undefined {
  let crowd = Number.POSITIVE_INFINITY;
  let fewest = Number.POSITIVE_INFINITY;
  let candidates: BoardNode[] = [];
  for (const node of board.takers) {
    if (taken.includes(node)) continue;
    const shared = sharing(taken, node.label);
    if (shared > crowd) continue;
    if (shared < crowd) {
      crowd = shared;
      fewest = Number.POSITIVE_INFINITY;
      candidates = [];
    }
    fewest = Math.min(fewest, node.replicas);
    candidates.push(node);
  }
  const ready = candidates.filter(
    (node) => board.hasRoom(node) && (node.replicas < fairShare || node.replicas === fewest),
  );
  return best(ready, (a, b) => a.replicas - b.replicas || a.weight - b.weight || a.node - b.node);
}

function hasCandidate(board: Board, taken: readonly BoardNode[]): boolean {
  return board.takers.some((node) => !taken.includes(node));
}

/**
 * A group on its way to a node that went down for good would wait for ever: another node takes its place. A node that
 * the group still has a replica on is no candidate: two replicas of a group on one node cannot be told apart there.
 */
function giveUpLostTargets(board: Board, group: BoardGroup, fairShare: number): void {
  const { desired, report } = group.picture;
  const members = [...report!.voters, ...report!.votersOutgoing, ...report!.learners];
  const lost = group.nodes.filter(
    (node, position) => node.isLost && !report!.voters.includes(desired[position]!),
  );
  if (lost.length === 0) return;
  const kept = group.nodes.filter((node) => !lost.includes(node));
  const occupied = board.nodes.filter((node) => members.some((replica) => nodeOf(replica) === node.node));
  const others = occupied.filter((node) => !kept.includes(node));
  const added = board.canSend(group) ? choose(board, [...kept, ...others], lost.length, fairShare) : [];
  // A node that is down may come back; one that left or is to leave is not waited for where no other can take over.
  const waited = hasCandidate(board, [...kept, ...others, ...added])
    ? lost
    : lost.filter(({ isActive }) => isActive);
  const next = [...kept, ...added, ...waited.slice(0, Math.max(0, lost.length - added.length))];
  if (next.length < group.nodes.length || added.length > 0) board.place(group, next, 'down');
}

function reasonFor(group: BoardGroup, next: readonly BoardNode[]): MoveReason {
  const gone = group.nodes.filter((node) => !next.includes(node));
  if (gone.some((node) => !node.isActive)) return 'leaving';
  return gone.some((node) => node.isLost) ? 'down' : 'replication';
}

/** The first in the order of `compare`; undefined when there is none. */
export function best<T>(items: readonly T[], compare: (a: T, b: T) => number): T | undefined {
  let found: T | undefined;
  for (const item of items) if (found === undefined || compare(item, found) < 0) found = item;
  return found;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [position, rank] of a.entries()) {
    const other = b[position]!;
    if (rank !== other) return rank - other;
  }
  return 0;
}
