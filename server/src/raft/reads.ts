/**
 * Linearizable reads without a log entry (ReadIndex, thesis §6.4).
 *
 * Every read gets a position in one sequence. A heartbeat carries the newest position; a majority that answers it
 * confirms that nobody else led when the heartbeat was sent, and with it every read up to that position. All reads of
 * one turn share a round, and rounds overlap.
 */
import type { ReadState } from './ready.ts';

export class ReadQueue {
  readonly #limit: number;
  /** Reads that wait, oldest first; the first one has position `#confirmed + 1`. */
  #waiting: ReadState[] = [];
  #confirmed = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get full(): boolean {
    return this.#waiting.length >= this.#limit;
  }

  /** Position of the newest waiting read: the context of a heartbeat; 0 when none waits. */
  get position(): number {
    return this.#waiting.length === 0 ? 0 : this.#confirmed + this.#waiting.length;
  }

  /** `commit` is the commit index at the moment of the call: what the read must at least see. */
  add(commit: number, context: number): void {
    this.#waiting.push({ index: commit, context });
  }

  /** Moves every read up to `position` to `answered`. */
  confirm(position: number, answered: ReadState[]): void {
    const count = Math.min(position - this.#confirmed, this.#waiting.length);
    if (count <= 0) return;
    for (let i = 0; i < count; i++) answered.push(this.#waiting[i]!);
    this.#waiting = this.#waiting.slice(count);
    this.#confirmed += count;
  }
}
