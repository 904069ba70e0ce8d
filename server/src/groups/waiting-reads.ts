/**
 * Linearizable reads of one group: they wait until the node is confirmed as the leader, and then until everything that
 * was committed by then is applied (ReadIndex, thesis §6.4). All reads that wait are confirmed together.
 */
import { type RaftCore, ReadRefusedError, type ReadState } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';

/** Reads that may wait for leadership to be confirmed. */
const WAITING_READS_MAX = 65_536;

export interface WaitingRead {
  readonly query: (state: GroupState, now_ms: number) => void;
  readonly fail: (failure: Failure) => void;
}

/** Reads that may be served once an entry is applied. */
interface ConfirmedReads {
  readonly index: number;
  readonly reads: readonly WaitingRead[];
}

export class WaitingReads {
  #waiting: WaitingRead[] = [];
  /** By the number under which the core was asked. */
  readonly #confirming = new Map<number, readonly WaitingRead[]>();
  #round = 0;
  /** By rising index. */
  #confirmed: ConfirmedReads[] = [];

  /** Reads about which the core was not asked. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get full(): boolean {
    return this.#waiting.length >= WAITING_READS_MAX;
  }

  push(read: WaitingRead): void {
    this.#waiting.push(read);
  }

  /** Asks the core about all that wait. Hands out those that it refused, with its error. */
  confirm(core: RaftCore, refused: (reads: readonly WaitingRead[], error: unknown) => void): void {
    const reads = this.#waiting;
    this.#waiting = [];
    const round = ++this.#round;
    try {
      core.readIndex(round);
      this.#confirming.set(round, reads);
    } catch (error) {
      // Until the first entry of the term is applied nothing is known to be committed: the reads wait for it.
      if (error instanceof ReadRefusedError && error.reason === 'no-commit-in-term') this.#waiting = reads;
      else refused(reads, error);
    }
  }

  /** Takes the core's answers. */
  confirmed(states: readonly ReadState[]): void {
    for (const { index, context } of states) {
      const reads = this.#confirming.get(context);
      this.#confirming.delete(context);
      if (reads !== undefined) this.#confirmed.push({ index, reads });
    }
  }

  /** Hands each read out that may be served, once. */
  serve(appliedIndex: number, serve: (read: WaitingRead) => void): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= appliedIndex) {
      for (const read of this.#confirmed.shift()!.reads) serve(read);
    }
  }

  /** Gives up the reads that are not confirmed: this node does not lead any more. */
  takeUnconfirmed(): readonly WaitingRead[] {
    const reads = [...this.#confirming.values(), this.#waiting].flat();
    this.#confirming.clear();
    this.#waiting = [];
    return reads;
  }

  /** Gives up all reads. */
  takeAll(): readonly WaitingRead[] {
    const confirmed = this.#confirmed.flatMap(({ reads }) => reads);
    this.#confirmed = [];
    return [...confirmed, ...this.takeUnconfirmed()];
  }
}
