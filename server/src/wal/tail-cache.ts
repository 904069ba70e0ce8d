import type { GroupLog } from './group-log.ts';

/**
 * Bounds the bytes of entries that all groups keep in memory, without work per entry.
 *
 * Entries join the young generation, by group and last index, when their batch is written. When the young ones fill
 * half of the bound they become the old generation, and the old one before that is evicted.
 */
export class TailCache {
  readonly #halfBytes: number;
  #young = new Map<GroupLog, number>();
  #youngBytes = 0;
  #old = new Map<GroupLog, number>();

  constructor(bytes: number) {
    this.#halfBytes = bytes / 2;
  }

  /**
   * Takes in what a written batch holds.
   * @param unwrittenFrom lowest index of a group that is not written yet, and so must stay
   */
  add(logs: Iterable<GroupLog>, bytes: number, unwrittenFrom: (log: GroupLog) => number): void {
    for (const log of logs) this.#young.set(log, log.lastIndex);
    this.#youngBytes += bytes;
    if (this.#youngBytes < this.#halfBytes) return;
    for (const [log, index] of this.#old) log.evict(Math.min(index, unwrittenFrom(log) - 1));
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
