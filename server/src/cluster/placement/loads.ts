/** The weight of each group: its part of all bytes and of all calls, where there is enough of them to matter. */
import type { PlacementOptions } from './options.ts';
import type { ClusterPicture } from './picture.ts';

/** By group id. A group's weight is 0 to 1; all weights together are 1, or 0 when nothing matters. */
export type Weights = ReadonlyMap<number, number>;

/** What a replica costs the node that holds it. */
export function replicaWeights({ groups, nodes }: ClusterPicture, { loadFloor }: PlacementOptions): Weights {
  const bytes = groups.map(({ load }) => load.bytes);
  const calls = groups.map(({ load }) => load.callsPerSecond);
  const parts = [
    partsOf(bytes, loadFloor.bytes * nodes.length),
    partsOf(calls, loadFloor.callsPerSecond * nodes.length),
  ].filter((part) => part !== undefined);
  return weights(groups, parts);
}

/** What leading costs the node that leads: calls. */
export function leaderWeights({ groups, nodes }: ClusterPicture, { loadFloor }: PlacementOptions): Weights {
  const calls = groups.map(({ load }) => load.callsPerSecond);
  const part = partsOf(calls, loadFloor.callsPerSecond * nodes.length);
  return weights(groups, part === undefined ? [] : [part]);
}

function partsOf(figures: readonly number[], floor: number): number[] | undefined {
  const total = figures.reduce((sum, figure) => sum + figure, 0);
  return total > 0 && total >= floor ? figures.map((figure) => figure / total) : undefined;
}

function weights(groups: ClusterPicture['groups'], parts: readonly number[][]): Weights {
  return new Map(
    groups.map(({ group }, position) => [
      group,
      parts.reduce((sum, part) => sum + part[position]! / parts.length, 0),
    ]),
  );
}
