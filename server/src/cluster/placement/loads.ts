/** The weight of each group: its part of all bytes and of all calls, where there is enough of them to matter. */
import type { PlacementOptions } from './options.ts';
import { type ClusterPicture, NO_LOAD } from './picture.ts';

/** By group id. A group's weight is 0 to 1; all weights together are 1, or 0 when nothing matters. */
export type Weights = ReadonlyMap<number, number>;

/** What a replica costs the node that holds it: room and writes. */
export function replicaWeights({ groups, nodes }: ClusterPicture, { loadFloor }: PlacementOptions): Weights {
  const loads = groups.map(({ load }) => load ?? NO_LOAD);
  const parts = [
    partsOf(
      loads.map(({ bytes }) => bytes),
      loadFloor.bytes * nodes.length,
    ),
    partsOf(
      loads.map(({ writesPerSecond }) => writesPerSecond),
      loadFloor.writesPerSecond * nodes.length,
    ),
  ].filter((part) => part !== undefined);
  return weights(groups, parts);
}

/** What leading costs the node that leads: calls of both kinds. */
export function leaderWeights({ groups, nodes }: ClusterPicture, { loadFloor }: PlacementOptions): Weights {
  const calls = groups.map(({ load = NO_LOAD }) => load.writesPerSecond + load.readsPerSecond);
  const part = partsOf(calls, loadFloor.callsPerSecond * nodes.length);
  return weights(groups, part === undefined ? [] : [part]);
}

/** Whether load may move anything now: every group that is led has been measured, and the last such move has shown. */
export function isLoadKnown({ groups, mayMoveForLoad }: ClusterPicture): boolean {
  return mayMoveForLoad && groups.every(({ load, report }) => load !== undefined || report === undefined);
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
