/**
 * The past changes of a group's keys, so that a watch can begin at a revision, also after a restart or on another
 * replica. Every log entry that changes keys adds one row with all its events; the oldest rows go once the rows
 * together are over a limit.
 *
 * A row lies under its first revision: events, then their number (u32). Rows are contiguous, so the row behind one of
 * n events at revision r is at r + n.
 */
import { readU64Key, u64Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import { ByteWriter, readU32 } from '../wire.ts';
import { type EventBatch, type WatchEventType, writeEvent } from './events.ts';

/** Bytes of history that a group keeps: keys and values of its rows. */
export const HISTORY_BYTES = 64 * 1024 * 1024;

/** Events of one entry beyond this begin another row, so that reading a row stays a small step. */
const ROW_BYTES = 1024 * 1024;

/** Room kept for the events of an entry; a larger entry takes more for its time. */
const KEPT_BYTES = 64 * 1024;

const COUNT_BYTES = 4;

/** What `save` keeps of a history. */
export interface HistoryCounters {
  /** Revision of the latest change; 0 before the first. */
  readonly revision: number;
  /** First revision that is kept; one above `revision` when none is. */
  readonly oldestRevision: number;
  /** Bytes of all rows. */
  readonly bytes: number;
}

export class KvHistory {
  readonly #store: StateStore;
  readonly #prefix: string;
  readonly #maxBytes: number;
  readonly #pending = new ByteWriter(KEPT_BYTES);
  #pendingCount = 0;
  #revision = 0;
  #oldestRevision = 1;
  #bytes = 0;
  /** Told of every batch when it is written; the batch's bytes are only good during the call. */
  onBatch: ((batch: EventBatch) => void) | undefined;

  /** `prefix`: store key of the history's table. */
  constructor(store: StateStore, prefix: string, maxBytes: number) {
    this.#store = store;
    this.#prefix = prefix;
    this.#maxBytes = maxBytes;
  }

  get counters(): HistoryCounters {
    return { revision: this.#revision, oldestRevision: this.#oldestRevision, bytes: this.#bytes };
  }

  /** Takes over what was saved, and forgets what is not written. */
  restore(counters: HistoryCounters): void {
    this.#revision = counters.revision;
    this.#oldestRevision = counters.oldestRevision;
    this.#bytes = counters.bytes;
    this.#pending.reset();
    this.#pendingCount = 0;
  }

  /** Counts a change and returns its revision. */
  append(type: WatchEventType, key: string, value: Uint8Array, expiresAt_ms: number): number {
    if (this.#pendingCount > 0 && this.#pending.length + value.length > ROW_BYTES) this.#writeRow();
    writeEvent(this.#pending, type, key, value, expiresAt_ms);
    this.#pendingCount++;
    return ++this.#revision;
  }

  /** Writes the events since the last call and drops the oldest rows that are too many. */
  endEntry(): void {
    if (this.#pendingCount === 0) return;
    this.#writeRow();
    // Deleting row by row, each entry about as much as it added, has no burst that a waiting write would feel.
    while (this.#bytes > this.#maxBytes) this.#dropOldestRow();
  }

  /** The row that holds a revision; undefined when it is not kept or not written yet. */
  batchAt(revision: number): EventBatch | undefined {
    if (revision < this.#oldestRevision || revision > this.#revision) return undefined;
    const exact = this.#store.get(this.#prefix + u64Key(revision));
    if (exact !== undefined) return toBatch(revision, exact);
    const range = {
      from: this.#prefix + u64Key(this.#oldestRevision),
      to: this.#prefix + u64Key(revision),
      reverse: true,
      limit: 1,
    };
    for (const { key, value } of this.#store.range(range)) {
      const batch = toBatch(readU64Key(key, this.#prefix.length), value);
      return revision < batch.firstRevision + batch.count ? batch : undefined;
    }
    return undefined;
  }

  #writeRow(): void {
    const batch: EventBatch = {
      firstRevision: this.#revision - this.#pendingCount + 1,
      count: this.#pendingCount,
      bytes: this.#pending.view(),
    };
    this.onBatch?.(batch);
    const key = this.#prefix + u64Key(batch.firstRevision);
    const row = this.#pending.u32(batch.count).view();
    this.#store.insert(key, row);
    this.#bytes += key.length + row.length;
    this.#pending.reset();
    this.#pendingCount = 0;
  }

  #dropOldestRow(): void {
    const key = this.#prefix + u64Key(this.#oldestRevision);
    const row = this.#store.get(key);
    if (row === undefined) throw new Error(`history row of revision ${this.#oldestRevision} is missing`);
    this.#store.delete(key);
    this.#bytes -= key.length + row.length;
    this.#oldestRevision += toBatch(this.#oldestRevision, row).count;
  }
}

function toBatch(firstRevision: number, row: Uint8Array): EventBatch {
  const end = row.length - COUNT_BYTES;
  return { firstRevision, count: readU32(row, end), bytes: row.subarray(0, end) };
}
