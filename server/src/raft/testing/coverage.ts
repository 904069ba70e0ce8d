/** What a random run did: one that does nothing proves nothing. */

export interface Coverage {
  steps: number;
  /** Highest term. */
  terms: number;
  electionsWon: number;
  /** Of those, won by another than the leader before. */
  leaderChanges: number;
  /** Transfers of leadership that reached their target. */
  transfers: number;
  committed: number;
  answeredReads: number;
  appliedConfigurations: number;
  /** Of those, joint ones. */
  jointConfigurations: number;
  sentSnapshots: number;
  installedSnapshots: number;
  compactions: number;
  messages: number;
  lostMessages: number;
  repeatedMessages: number;
  /** Delivered before one that was sent earlier. */
  reorderedMessages: number;
  /** Links cut in one direction alone. */
  oneWayCuts: number;
  /** Links cut in both directions. */
  pairCuts: number;
  /** Nodes cut off from all others. */
  isolations: number;
  stalledDisks: number;
  crashes: number;
  /** Of those, with writes that had not reached the disk. */
  crashesWithLoss: number;
  /** Of those, in the middle of a write. */
  tornWrites: number;
  restarts: number;
  /** Leaders that had nothing to do, and stopped their clocks. */
  hibernations: number;
}

export function noCoverage(): Coverage {
  return {
    steps: 0,
    terms: 0,
    electionsWon: 0,
    leaderChanges: 0,
    transfers: 0,
    committed: 0,
    answeredReads: 0,
    appliedConfigurations: 0,
    jointConfigurations: 0,
    sentSnapshots: 0,
    installedSnapshots: 0,
    compactions: 0,
    messages: 0,
    lostMessages: 0,
    repeatedMessages: 0,
    reorderedMessages: 0,
    oneWayCuts: 0,
    pairCuts: 0,
    isolations: 0,
    stalledDisks: 0,
    crashes: 0,
    crashesWithLoss: 0,
    tornWrites: 0,
    restarts: 0,
    hibernations: 0,
  };
}

/** A digest of everything that happened, in its order (FNV-1a over whole numbers): equal runs have equal ones. */
export class RunHash {
  #value = 0x811c9dc5;

  get value(): number {
    return this.#value >>> 0;
  }

  add(number: number): void {
    this.#value = Math.imul(this.#value ^ number, 0x01000193);
  }
}
