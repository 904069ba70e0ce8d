/**
 * What the state machines of a group have in common.
 *
 * Apply is deterministic: the same entries give the same bytes in the store and the same outcomes on every replica
 * and in every replay. So it sees no clock but the entry's stamp, no random numbers, no settings of the node, no
 * iteration order that depends on history.
 */
import type { Message } from '@bufbuild/protobuf';
import type { Outcome } from './failure.ts';

/** The part of the ordered store that machines use; `storage/` implements it. Keys are binary strings. */
export interface StateStore {
  /** A value that is safe to keep; undefined when absent. */
  get(key: string): Uint8Array | undefined;
  has(key: string): boolean;
  /** Rows with `from <= key < to` in key order, or from the last to the first with `reverse`. */
  range(options: StateRange): Iterable<StateRow>;
  /** Copies the value: the caller may reuse its buffer at once. */
  put(key: string, value: Uint8Array): void;
  /** A put of a key that the caller knows to be absent: cheaper to delete again. */
  insert(key: string, value: Uint8Array): void;
  delete(key: string): void;
  deleteRange(from: string, to: string): void;
}

export interface StateRange {
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Values of the rows are then empty. */
  readonly keysOnly?: boolean;
}

export interface StateRow {
  readonly key: string;
  readonly value: Uint8Array;
}

/** A command as it reaches apply. */
export interface Command {
  /** Number of the rpc, or of a command of `gomsg.internal.v1`. */
  readonly method: number;
  /** The encoded request. */
  readonly payload: Uint8Array;
  /** The decoded request where this node decoded it already (the leader); otherwise apply decodes the payload. */
  readonly request: Message | undefined;
}

/** What apply may know beside the command. */
export interface ApplyContext {
  /** Raft index of the entry. */
  readonly index: number;
  /** The leader's time, in Unix milliseconds; never decreases from entry to entry. */
  readonly stamp_ms: number;
}

export interface Machine {
  /** Numbers of the methods that this machine applies. */
  readonly methods: readonly number[];
  /** Does one command. Throws only on states that cannot be (a bug or damage): the node then stops. */
  apply(command: Command, context: ApplyContext): Outcome;
  /** Called once after the last command of an entry: the place to write what gathers per entry. */
  endEntry(context: ApplyContext): void;
  /**
   * Does a bounded amount of what has fallen due by the stamp.
   * Returns true when more is due already, so that another run should follow at once.
   */
  expireDue(context: ApplyContext): boolean;
  /** Earliest stamp at which something falls due; undefined when nothing is pending. May be early, never late. */
  nextDue_ms(): number | undefined;
  /** Writes what is kept in memory (counters) into the store: called before every checkpoint and snapshot. */
  save(): void;
  /** Reads what `save` wrote, and rebuilds caches from the store. Called before the first apply. */
  load(): void;
}
