/**
 * The replicated log's unit and the few values a node must never forget.
 *
 * Terms, indexes and node ids are safe integers (below 2^53). Index 0 and term 0 mean "before the first entry";
 * node id 0 means "nobody".
 */

/** What an entry's `data` holds. Stored in the log, so a value is never reused for another meaning. */
export const EntryKind = {
  /** The owner's own bytes, applied to its state machine. */
  NORMAL: 0,
  /** An encoded `Configuration`, see `configuration.ts`. The core applies it; the owner may record it. */
  CONFIGURATION: 1,
  /** The empty entry a new leader writes to commit what it inherited (thesis §6.4, paper §8). Nothing to apply. */
  NO_OP: 2,
} as const;

export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** One log entry. Immutable once made: the core, the log and messages share the same object and bytes. */
export interface Entry {
  readonly index: number;
  /** The term of the leader that created the entry. */
  readonly term: number;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

/** Names an entry: two logs that hold the same id are identical up to it (Log Matching, paper §5.3). */
export interface EntryId {
  readonly index: number;
  readonly term: number;
}

/** What must survive a restart beside the log itself (paper figure 2, "persistent state"). */
export interface HardState {
  readonly term: number;
  /** The candidate voted for in `term`; 0 when none. */
  readonly vote: number;
  /**
   * A commit index that is certain. It may lag behind the real one: it is written along with the next entries or the
   * next term, never on its own (see `Ready.hardState`).
   */
  readonly commit: number;
}

/** The hard state of a replica that has never run. */
export const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

/** "Nobody": the value of `vote` and `leader` when there is none. */
export const NO_NODE = 0;

/** What an entry costs beside its data when messages and windows are measured: index, term, kind and framing. */
export const ENTRY_OVERHEAD_BYTES = 24;

/** Size of an entry for every limit that is about memory or network. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/** Empty payload, shared: no-op entries carry it. */
export const NO_DATA = new Uint8Array(0);

/** Shared empty list: a `Ready` without entries allocates none. */
export const NO_ENTRIES: readonly Entry[] = Object.freeze([]);
