/**
 * Removes old messages, whole rows at a time, so that it costs a few key reads and one range deletion however much goes.
 *
 * Age removes every row published longer ago than the limit, the last one too. Bytes and messages remove the oldest
 * rows as long as what remains is still at least the limit: so they keep at least the newest messages up to the limit,
 * never remove the last row, and keep less than one row too much.
 */
import type { StateStore } from '../machine.ts';
import type { Appender } from './appender.ts';
import { type RowPlace, rowBound } from './layout.ts';
import { MAX_EXPIRIES_PER_RUN } from './limits.ts';
import { firstRow, rowAt } from './rows.ts';
import type { Partition } from './topic.ts';
import type { TopicTable } from './topic-table.ts';

export class Retention {
  readonly #store: StateStore;
  readonly #table: TopicTable;
  readonly #appender: Appender;

  constructor(store: StateStore, table: TopicTable, appender: Appender) {
    this.#store = store;
    this.#table = table;
    this.#appender = appender;
  }

  /** Applies the limits on bytes and messages. */
  trimToSize(partition: Partition): void {
    this.#appender.flush(partition);
    const { retentionMessages, retentionBytes } = partition.topic.settings;
    if (retentionMessages > 0 && partition.endOffset - partition.startOffset > retentionMessages) {
      this.#removeBefore(partition, rowAt(this.#store, partition, partition.endOffset - retentionMessages));
    }
    if (retentionBytes > 0 && partition.bytes > retentionBytes) {
      const position = partition.endPosition - retentionBytes;
      // The last row at or before the position is kept; of equal ones there is only one, since no row is empty.
      const behind = firstRow(this.#store, partition, (row) => row.position > position);
      const kept = behind ? behind.base - 1 : partition.endOffset - 1;
      if (kept >= partition.startOffset) this.#removeBefore(partition, rowAt(this.#store, partition, kept));
    }
  }

  /**
   * Applies the limit on age to the partitions that are due, the longest due first, about MAX_EXPIRIES_PER_RUN of
   * them: those due at the same moment as the last one are done too, since their order in the heap depends on history.
   * Returns true when more are due.
   */
  removeExpired(stamp_ms: number): boolean {
    const { due } = this.#table;
    let done = 0;
    let lastDue_ms = 0;
    for (;;) {
      const partition = due.first;
      if (partition === undefined || partition.heapDue_ms > stamp_ms) return false;
      if (done >= MAX_EXPIRIES_PER_RUN && partition.heapDue_ms > lastDue_ms) return true;
      lastDue_ms = partition.heapDue_ms;
      this.#trimToAge(partition, stamp_ms);
      done++;
    }
  }

  /** Removes the messages below `offset`, rows and parts of a row; returns how many. */
  purge(partition: Partition, offset: number): number {
    this.#appender.flush(partition);
    const before = partition.startOffset;
    if (offset <= before) return 0;
    if (offset >= partition.endOffset) {
      this.#removeAll(partition);
    } else {
      this.#removeBefore(partition, rowAt(this.#store, partition, offset));
      // The rest of its row goes with the row; until then readers pass over it.
      partition.startOffset = offset;
      this.#table.touch(partition.topic);
    }
    return partition.startOffset - before;
  }

  #trimToAge(partition: Partition, stamp_ms: number): void {
    this.#appender.flush(partition);
    const oldest_ms = stamp_ms - partition.topic.settings.retentionAge_ms;
    const kept = firstRow(this.#store, partition, (row) => row.stamp_ms > oldest_ms);
    if (kept) this.#removeBefore(partition, kept);
    else this.#removeAll(partition);
  }

  #removeBefore(partition: Partition, row: RowPlace): void {
    if (row.base <= partition.startOffset) return;
    this.#store.deleteRange(partition.rows, row.key);
    partition.startOffset = row.base;
    partition.startPosition = row.position;
    partition.firstStamp_ms = row.stamp_ms;
    this.#changed(partition);
  }

  #removeAll(partition: Partition): void {
    this.#store.deleteRange(partition.rows, rowBound(partition.rows, partition.endOffset));
    partition.startOffset = partition.endOffset;
    partition.startPosition = partition.endPosition;
    this.#changed(partition);
  }

  #changed(partition: Partition): void {
    this.#table.touch(partition.topic);
    this.#table.schedule(partition);
  }
}
