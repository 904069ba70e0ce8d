/**
 * The face of the ordered store: applied state as rows ordered by key.
 *
 * Keys are *binary strings*: JavaScript strings whose characters are all U+0000 to U+00FF, one a byte. The engine
 * compares them in byte order, which is also LMDB's, and they are fast Map keys.
 */

/**
 * Longest key in bytes. LMDB's limit with 4 KiB pages is 1978; one byte is kept back so that the successor of every
 * key (`key + '\0'`) is still a bound LMDB can seek to.
 */
export const MAX_KEY_BYTES = 1977;

/** Longest value in bytes: what lmdb-js reads through its shared buffer, so that every read is one plain copy. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/** One row. `value` is empty in a range with `keysOnly`. */
export interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

/** The half-open range `[from, to)`; a bound may be `''` or one byte longer than a key. `from >= to` is empty. */
export interface RangeOptions {
  readonly from: string;
  readonly to: string;
  /** Greatest key first. Default false. */
  readonly reverse?: boolean;
  /** Most rows to yield. Default no limit. */
  readonly limit?: number;
  /** Leave the values out: cheaper. Default false. */
  readonly keysOnly?: boolean;
}

/** Reads. Every value handed out is a private copy: keep it, change it. */
export interface StoreView {
  get(key: string): Uint8Array | undefined;
  has(key: string): boolean;
  /**
   * Rows in order. On a store (not a snapshot) each step yields the next row after the last one *in the store as it is
   * at that step*, so deleting or writing rows while iterating is safe and has the same outcome on every replica.
   */
  range(options: RangeOptions): IterableIterator<Row>;
}

/** Why a store refuses to write its overlay out. */
export interface OutOfSpace {
  readonly where: 'disk space' | 'database map' | 'memory';
  readonly freeBytes: number;
  readonly neededBytes: number;
}

/** A stable view of one moment. Holds memory and disk pages back until `release()`. */
export interface StoreSnapshot extends StoreView {
  /** True once released or expired; reads then throw `SnapshotReleasedError`. */
  readonly released: boolean;
  /** Gives back what the snapshot holds. Calling it again does nothing. */
  release(): void;
}

/** The ordered store. Writes are synchronous and visible to the next read; `checkpoint` makes them survive. */
export interface Store extends StoreView {
  /** Sets a row. Copies `value`: the caller may reuse its buffer at once. */
  put(key: string, value: Uint8Array): void;
  /** `put`, with the caller's promise that the key does not exist: a later delete may then vanish without a trace. */
  insert(key: string, value: Uint8Array): void;
  /** Removes a row; nothing happens when there is none. */
  delete(key: string): void;
  /** Removes every row in `[from, to)`. Costs what the overlay holds of the range, not what LMDB holds. */
  deleteRange(from: string, to: string): void;

  /** Bytes of rows not yet flushed: records and the estimated size of their index. */
  readonly overlayBytes: number;
  /** The overlay is large or old enough to be written out, and nothing stands in the way. */
  readonly shouldCheckpoint: boolean;
  /**
   * Makes everything written so far survive: freezes the overlay at once, writes it to disk in one transaction in the
   * background, resolves when that transaction is flushed. A call while one is under way returns that one's promise.
   * @param sources Awaited before anything reaches the disk: what the rows were made from must be durable first, or a
   *   crash leaves state of which the log knows nothing. Its rejection kills the store. Default: nothing.
   * @throws OutOfSpaceError (as rejection) before anything is frozen, when there is too little room.
   */
  checkpoint(sources?: Promise<void>): Promise<void>;
  /** The overlay is full: writers wait for `onUnblocked`. */
  readonly blocked: boolean;
  /** Set while there is too little room to write the overlay out; the owner refuses writes meanwhile. */
  readonly outOfSpace: OutOfSpace | undefined;

  /** @throws SnapshotLimitError */
  snapshot(): StoreSnapshot;
  /**
   * Waits for a checkpoint under way and closes. What no checkpoint took is gone, as in a crash: only the owner knows
   * when rows belong together, and has to be able to go without writing them.
   */
  close(): Promise<void>;
}

/** What the owner is told. Called synchronously from the store's own work. */
export interface StoreEvents {
  /** The store is dead; the owner ends the process. */
  readonly onFatal: (error: Error) => void;
  /** `blocked` turned false. */
  readonly onUnblocked?: () => void;
  /** `outOfSpace` was set, or (undefined) room is back. */
  readonly onSpaceChange?: (space: OutOfSpace | undefined) => void;
}
