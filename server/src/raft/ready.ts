/** What the core asks of its owner: one `Ready` is everything that has become due since the one before. */
import type { Entry, HardState } from './entry.ts';
import type { Message, SnapshotMeta } from './messages.ts';

/** `pre-candidate` asks whether an election could be won before it disturbs anyone (thesis §9.6). */
export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Volatile state worth telling clients about. */
export interface SoftState {
  readonly role: Role;
  /** The leader of the current term as far as known; 0 when unknown. */
  readonly leader: number;
}

/** The answer to `readIndex(context)`: the read may be served once `index` is applied here. */
export interface ReadState {
  readonly index: number;
  readonly context: number;
}

/**
 * One batch of work. Obligations, in the order of the fields:
 *
 * 1. `snapshot`: replace the whole log and state by the snapshot whose data was received with the message, durably,
 *    together with `hardState`; then call `snapshotInstalled(index)`. Entries to write or apply and messages that wait
 *    for writes are held back until then. A snapshot message after which no Ready carries the snapshot was not needed:
 *    its data can go.
 * 2. `entries` and `hardState`: write them as one unit, after those of every earlier Ready. When `entries[0].index` is
 *    not past the end of the log, the log is first cut from there. Once durable, call `persisted()` with the id of the
 *    last entry.
 * 3. `messages`: send now, before or while writing.
 * 4. `messagesAfterPersist`: send once this Ready's and every earlier Ready's writes are durable, at once when there
 *    are none outstanding.
 * 5. `committed`: apply in order, then `applied(index)`. May be done before this Ready's writes finish: a committed
 *    entry is only handed out once it is durable here. But the applied state must not become durable before this
 *    Ready's writes: a restart would know what a term decided without knowing the term.
 * 6. `readStates`: serve these reads once `index` is applied.
 *
 * The arrays belong to the owner; the entries in them are shared and immutable.
 */
export interface Ready {
  /** Present when role or leader changed. A leader that ceases to lead fails every proposal and read still waiting. */
  readonly softState: SoftState | undefined;
  readonly snapshot: SnapshotMeta | undefined;
  readonly entries: readonly Entry[];
  /** Present when term or vote changed, or when there are entries and the commit index moved since last written. */
  readonly hardState: HardState | undefined;
  /** Something is to be written, and it must be durable before `messagesAfterPersist` and `persisted()`. */
  readonly mustSync: boolean;
  readonly messages: readonly Message[];
  readonly messagesAfterPersist: readonly Message[];
  /** Contiguous, each index exactly once per run, every kind included: the owner skips what is not `NORMAL`. */
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
}

/** Shared empty list: a `Ready` without answered reads allocates none. */
export const NO_READ_STATES: readonly ReadState[] = Object.freeze([]);
