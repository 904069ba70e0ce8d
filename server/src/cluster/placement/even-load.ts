/**
 * Evens out load once counts are even: a replica goes from the most loaded node to a less loaded one, alone where the
 * counts allow it, else in exchange for a lighter one.
 */
import type { Board, BoardGroup, BoardNode } from './board.ts';
import type { CountRange } from './even.ts';
import { movable, replicaRange } from './even-counts.ts';
import type { PlacementOptions } from './options.ts';

/** What a move has to gain at least, as a part of the mean load. It keeps moves from following every swing. */
const GAIN_MIN = 0.1;

/** The lightest nodes that are looked at for a loaded one: the others gain less, and a plan is to be quick. */
const TARGETS_MAX = 8;

interface Exchange {
  readonly given: BoardGroup;
  /** What comes back; undefined = nothing. */
  readonly returned: BoardGroup | undefined;
  /** How far it brings the two nodes together. */
  readonly gain: number;
}

export function evenOutLoad(board: Board, options: PlacementOptions): void {
  const homes = board.nodes.filter((node) => node.isActive && !node.isLost);
  const mean = homes.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, homes.length);
  if (mean === 0) return;
  const range = replicaRange(board, options);
  const sources = homes
    .filter((node) => node.isUp && node.weight > mean * (1 + options.loadTolerance))
    .sort((a, b) => b.weight - a.weight || a.node - b.node);
  let left = options.loadMoves;
  for (const from of sources) {
    const targets = board.takers
      .filter((node) => board.hasRoom(node) && node.weight < mean)
      .sort((a, b) => a.weight - b.weight || a.node - b.node)
      .slice(0, TARGETS_MAX);
    for (const to of targets) {
      const exchange = bestExchange(board, from, to, range);
      if (exchange === undefined || exchange.gain < GAIN_MIN * mean) continue;
      const { given, returned } = exchange;
      left -= returned ? 2 : 1;
      if (left < 0) return;
      board.replace(given, from, to, 'load');
      if (returned) board.replace(returned, to, from, 'load');
      break;
    }
  }
}

function bestExchange(board: Board, from: BoardNode, to: BoardNode, range: CountRange): Exchange | undefined {
  const apart = from.weight - to.weight;
  const returnable = board.hasRoom(from) ? movable(board, to, from) : [];
  const isMovable = from.replicas - 1 >= range.low && to.replicas + 1 <= range.high;
  let found: Exchange | undefined;
  const consider = (given: BoardGroup, returned: BoardGroup | undefined): void => {
    const moved = given.weight - (returned?.weight ?? 0);
    // The more loaded of the two afterwards, against before.
    const gain = Math.min(moved, apart - moved);
    if (gain > (found?.gain ?? 0)) found = { given, returned, gain };
  };
  for (const given of movable(board, from, to)) {
    if (isMovable) consider(given, undefined);
    for (const returned of returnable) consider(given, returned);
  }
  return found;
}
