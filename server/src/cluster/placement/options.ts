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
  readonly loadFloor: {
    readonly bytes: number;
    readonly writesPerSecond: number;
    /** Of writes and reads together. */
    readonly callsPerSecond: number;
  };
  /** Replicas that one plan moves for load. */
  readonly loadMoves: number;
  /** How long nothing moves for load after something did: until averages show what it brought. */
  readonly loadRest_ms: number;
}

export const defaultPlacementOptions: PlacementOptions = {
  downAfter_ms: 5 * 60_000,
  movesPerNode: 2,
  transfers: 8,
  countTolerance: 0.1,
  loadTolerance: 0.25,
  loadFloor: { bytes: 256 * 1024 * 1024, writesPerSecond: 100, callsPerSecond: 200 },
  loadMoves: 4,
  loadRest_ms: 60_000,
};
