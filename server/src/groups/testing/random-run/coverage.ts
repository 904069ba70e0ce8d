/** What a random run of whole hosts did. */

export interface Coverage {
  ticks: number;
  terms: number;
  electionsWon: number;
  leaderChanges: number;
  transfersAsked: number;
  /** Entries applied by the leader at the end. */
  committed: number;
  /** Writes in sessions that were answered. */
  countedWrites: number;
  /** Calls that were made again. */
  callsRepeated: number;
  /** Writes without a session, by what their callers were told. */
  plainWritesDone: number;
  plainWritesRefused: number;
  plainWritesInDoubt: number;
  readsChecked: number;
  memberChanges: number;
  replicasDestroyed: number;
  snapshotsSent: number;
  snapshotsInstalled: number;
  checkpoints: number;
  messages: number;
  lostMessages: number;
  isolations: number;
  oneWayCuts: number;
  pairCuts: number;
  crashes: number;
  /** All machines at once. */
  powerCuts: number;
  restarts: number;
  heldSyncs: number;
  failedSyncs: number;
  heldStores: number;
  /** Members that were told that their group rests. */
  hibernations: number;
}

export function noCoverage(): Coverage {
  return {
    ticks: 0,
    terms: 0,
    electionsWon: 0,
    leaderChanges: 0,
    transfersAsked: 0,
    committed: 0,
    countedWrites: 0,
    callsRepeated: 0,
    plainWritesDone: 0,
    plainWritesRefused: 0,
    plainWritesInDoubt: 0,
    readsChecked: 0,
    memberChanges: 0,
    replicasDestroyed: 0,
    snapshotsSent: 0,
    snapshotsInstalled: 0,
    checkpoints: 0,
    messages: 0,
    lostMessages: 0,
    isolations: 0,
    oneWayCuts: 0,
    pairCuts: 0,
    crashes: 0,
    powerCuts: 0,
    restarts: 0,
    heldSyncs: 0,
    failedSyncs: 0,
    heldStores: 0,
    hibernations: 0,
  };
}
