/**
 * Where the replicas of every group are to be: the next few changes from where they are.
 *
 * A plan is made anew from what is true at the moment, so it needs no memory, and one that was carried out in part or
 * not at all does no harm. What presses most comes first and uses up what nodes can take: replicas that are missing,
 * then those that share a label, then counts, then load. When everything is as it should be, the plan is empty.
 */
import { Board } from './board.ts';
import { evenOutCounts } from './even-counts.ts';
import { evenOutLoad } from './even-load.ts';
import { isLoadKnown } from './loads.ts';
import { defaultPlacementOptions, type PlacementOptions } from './options.ts';
import type { ClusterPicture, PlacementChange } from './picture.ts';
import { repair } from './repair.ts';
import { spreadLabels } from './spread-labels.ts';

/** By group. */
export function planReplicas(
  picture: ClusterPicture,
  options: PlacementOptions = defaultPlacementOptions,
): PlacementChange[] {
  const board = new Board(picture, options);
  const isComplete = repair(board);
  spreadLabels(board);
  // Counts are not what they will be before every group has its replicas.
  if (isComplete) {
    evenOutCounts(board, options);
    const isQuiet = board.groups.every(({ isFree, leader }) => isFree || leader === undefined);
    if (isQuiet && isLoadKnown(picture)) evenOutLoad(board, options);
  }
  return board.changes();
}
