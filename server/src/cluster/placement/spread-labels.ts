/** Keeps what fails together from holding two replicas of a group, where the labels allow it. */
import { type Board, type BoardGroup, type BoardNode, sharing } from './board.ts';
import { best } from './repair.ts';

/** Moves replicas from labels that hold several of a group to labels that hold fewer. */
export function spreadLabels(board: Board): void {
  for (const group of board.groups) {
    if (group.isFree && board.canSend(group)) spread(board, group);
  }
}

function spread(board: Board, group: BoardGroup): void {
  const crowd = (node: BoardNode) => sharing(group.nodes, node.label);
  const from = best(
    group.nodes.filter((node) => node.isUp && crowd(node) > 1),
    (a, b) =>
      crowd(b) - crowd(a) ||
      Number(a === group.leader) - Number(b === group.leader) ||
      b.replicas - a.replicas ||
      a.node - b.node,
  );
  if (from === undefined) return;
  const least = Math.min(...board.takers.filter((node) => !group.holds(node)).map(crowd));
  // Fewer by two: else the move only changes which label it is.
  if (!(least <= crowd(from) - 2)) return;
  const to = best(
    board.takers.filter((node) => !group.holds(node) && crowd(node) === least && board.hasRoom(node)),
    (a, b) => a.replicas - b.replicas || a.weight - b.weight || a.node - b.node,
  );
  if (to !== undefined) board.replace(group, from, to, 'labels');
}

/** Whether `to` may hold the group instead of `from` without sharing its label with more of the others. */
export function keepsSpread(group: BoardGroup, from: BoardNode, to: BoardNode): boolean {
  if (from.label === to.label) return true;
  return sharing(group.nodes, to.label) <= sharing(group.nodes, from.label) - 1;
}
