/**
 * Brings every node to about the same number of replicas, one move from a node that has more than its share to one that
 * has less at a time. Each move takes from an excess or fills a lack, so their number is near the least there can be.
 */
import type { Board, BoardGroup, BoardNode } from './board.ts';
import { type CountRange, evenCounts, evensOut } from './even.ts';
import type { PlacementOptions } from './options.ts';
import { best } from './repair.ts';
import { keepsSpread } from './spread-labels.ts';

export function evenOutCounts(board: Board, options: PlacementOptions): void {
  const range = replicaRange(board, options);
  while (moveOne(board, range));
}

/** The even numbers of replicas, over the nodes that are to keep what they have. */
export function replicaRange({ nodes }: Board, { countTolerance }: PlacementOptions): CountRange {
  const homes = nodes.filter((node) => node.isActive && !node.isLost);
  const total = homes.reduce((sum, { replicas }) => sum + replicas, 0);
  return evenCounts(total, homes.length, countTolerance);
}

function moveOne(board: Board, range: CountRange): boolean {
  // What is on a node that is down cannot be known to be worth moving: it may be back in a moment.
  const sources = board.nodes.filter((node) => node.isActive && node.isUp);
  sources.sort((a, b) => b.replicas - a.replicas || b.weight - a.weight || a.node - b.node);
  const targets = board.takers.filter((node) => board.hasRoom(node));
  targets.sort((a, b) => a.replicas - b.replicas || a.weight - b.weight || a.node - b.node);
  for (const from of sources) {
    for (const to of targets) {
      if (!evensOut(from.replicas, to.replicas, range)) break;
      const group = groupToMove(board, from, to);
      if (group !== undefined && board.replace(group, from, to, 'count')) return true;
    }
  }
  return false;
}

/** The group whose move evens out the load best. */
function groupToMove(board: Board, from: BoardNode, to: BoardNode): BoardGroup | undefined {
  const ideal = (from.weight - to.weight) / 2;
  const miss = (group: BoardGroup) => Math.abs(group.weight - ideal);
  return best(
    movable(board, from, to),
    (a, b) => miss(a) - miss(b) || Number(a.leader === from) - Number(b.leader === from),
  );
}

/** The groups that may go from one node to another now, by id. */
export function movable(board: Board, from: BoardNode, to: BoardNode): BoardGroup[] {
  return [...from.groups]
    .filter(
      (group) => group.isFree && !group.holds(to) && board.canSend(group) && keepsSpread(group, from, to),
    )
    .sort((a, b) => a.picture.group - b.picture.group);
}
