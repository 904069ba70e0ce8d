/** The log as the groups use it. The write-ahead log implements it on disk, `MemoryLog` in memory. */
import type { Entry, HardState } from '../raft/index.ts';

export interface StoredGroup {
  readonly hardState: HardState;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Index and term of the entry just before `firstIndex`. */
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
}

/** An entry as it reads back: the log keeps the kind without knowing what kinds there are. */
export interface StoredEntry extends Omit<Entry, 'kind'> {
  readonly kind: number;
}

export interface NodeLog {
  /** False while the disk is full: new proposals are refused, what was taken goes on. */
  readonly writable: boolean;
  readonly pendingBytes: number;
  /** The groups of which the log has something. */
  groups(): Iterable<number>;
  groupState(group: number): StoredGroup;
  /** Buffers entries; one at or below the last index replaces that and all behind it. */
  append(group: number, entries: readonly Entry[]): void;
  saveHardState(group: number, state: HardState): void;
  /** Buffers that a snapshot took the place of the group's log, which restarts, empty, after `index`. */
  resetGroup(group: number, index: number, term: number): void;
  /** Buffers that the group is no longer here: its entries and its hard state are forgotten. */
  removeGroup(group: number): void;
  /** Makes everything buffered durable, then calls back; in the order of the calls, never before it returns. */
  flush(callback: (error?: Error) => void): void;
  /** Resolves when all that was flushed would survive a crash of the machine. A relaxed log flushes before that. */
  sync(): Promise<void>;
  entries(group: number, from: number, toExclusive: number, maxBytes: number): readonly StoredEntry[];
  term(group: number, index: number): number | undefined;
  /**
   * Entries up to `index` are in flushed state and may be dropped. The log drops them later, and keeps a bounded tail of
   * them for followers that lag.
   */
  release(group: number, index: number): void;
  close(): Promise<void>;
}
