/** Appends messages: gathers those of one entry and writes them as rows, one a partition unless they are many. */
import type { StateStore } from '../machine.ts';
import { varintSize } from '../wire.ts';
import { rowKey } from './layout.ts';
import { MAX_ROW_BYTES } from './limits.ts';
import { messageBytes, PendingRow, stampField } from './pending-row.ts';
import type { PublishScan } from './publish-scan.ts';
import type { Partition } from './topic.ts';
import type { TopicTable } from './topic-table.ts';

/** Buffers kept for the partitions of the next entry. */
const KEPT_ROWS = 32;

export class Appender {
  readonly #store: StateStore;
  readonly #table: TopicTable;
  readonly #free: PendingRow[] = [];
  /** Partitions that the entry under way appended to, in the order of their first message. */
  readonly #touched: Partition[] = [];
  #stamp_ms = -1;
  #stampField: Uint8Array = new Uint8Array();

  constructor(store: StateStore, table: TopicTable) {
    this.#store = store;
    this.#table = table;
  }

  /** Appends publication `index` of the scan; returns its offset. */
  append(partition: Partition, scan: PublishScan, index: number, stamp_ms: number): number {
    if (stamp_ms !== this.#stamp_ms) {
      this.#stamp_ms = stamp_ms;
      this.#stampField = stampField(stamp_ms);
    }
    const offset = partition.endOffset;
    const bytes = messageBytes(scan, index, partition.number, offset, this.#stampField);
    let row = partition.pending;
    if (row !== undefined && row.length + 1 + varintSize(bytes) + bytes > MAX_ROW_BYTES) {
      this.flush(partition);
      row = undefined;
    }
    row ??= this.#begin(partition);
    row.append(scan, index, partition.number, offset, this.#stampField, bytes);
    partition.endOffset = offset + 1;
    partition.lastStamp_ms = stamp_ms;
    return offset;
  }

  /** Writes what the entry under way appended to the partition, so that it can be found or removed. */
  flush(partition: Partition): void {
    const row = partition.pending;
    if (row === undefined) return;
    partition.pending = undefined;
    const position = partition.endPosition;
    // All of its messages have this stamp: a row never outlives its entry.
    const stamp_ms = partition.lastStamp_ms;
    this.#store.insert(rowKey(partition.rows, row.base, stamp_ms, position, row.count), row.view());
    partition.endPosition += row.length;
    if (partition.startOffset === row.base) {
      partition.firstStamp_ms = stamp_ms;
      this.#table.schedule(partition);
    }
    if (this.#free.length < KEPT_ROWS) this.#free.push(row);
  }

  /** Writes everything, and hands the partitions that got messages to `each`. */
  endEntry(each: (partition: Partition) => void): void {
    if (this.#touched.length === 0) return;
    for (const partition of this.#touched) {
      partition.touched = false;
      const { topic } = partition;
      if (this.#table.byId(topic.id) !== topic) continue; // deleted by a later command of the entry
      this.flush(partition);
      each(partition);
    }
    this.#touched.length = 0;
  }

  #begin(partition: Partition): PendingRow {
    const row = this.#free.pop() ?? new PendingRow();
    row.begin(partition.endOffset);
    partition.pending = row;
    if (!partition.touched) {
      partition.touched = true;
      this.#touched.push(partition);
      this.#table.touch(partition.topic);
    }
    return row;
  }
}
