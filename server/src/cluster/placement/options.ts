/** How eagerly data and leaders move. */
export interface PlacementOptions {
  /** How long a node is down before its replicas are made anew elsewhere: data moves only then. */
  readonly downAfter_ms: number;
  /** Replicas that are brought to a node or sent from it at a time, over all groups. */
  readonly movesPerNode: number;
  /** Leaders on their way to another node at a time. */
  readonly transfers: number;
  /** How far a node's count may be from the even share, as a part of it; less than one replica never counts. */
  readonly countTolerance: number;
  /** How far a node's load may exceed the mean, as a part of it, before load alone moves something. */
  readonly loadTolerance: number;
  /** Load below these means per node is not worth a move. */
  readonly loadFloor: { readonly bytes: number; readonly callsPerSecond: number };
}

export const defaultPlacementOptions: PlacementOptions = {
  downAfter_ms: 10 * 60_000,
  movesPerNode: 2,
  transfers: 8,
  countTolerance: 0.1,
  loadTolerance: 0.25,
  loadFloor: { bytes: 256 * 1024 * 1024, callsPerSecond: 200 },
};
