/** Reads several partitions as one sequence: by time, then by partition, then by offset. */
import type { StateStore } from '../machine.ts';
import type { MessageChunks } from './partition-reader.ts';
import { PartitionReader } from './partition-reader.ts';
import { rowAt } from './rows.ts';
import type { PartitionView } from './topic.ts';

/** Where reading is in one partition; `offset` moves on as messages are taken. */
export interface MergeCursor {
  readonly partition: PartitionView;
  offset: number;
}

interface Head extends MergeCursor {
  /** Stamp and end of the row at the cursor. */
  stamp_ms: number;
  rowEnd: number;
}

/** Adds messages to `into` until it is full or all partitions are at their end. Messages of a row share their time. */
export function readMerged(store: StateStore, cursors: readonly MergeCursor[], into: MessageChunks): void {
  const reader = new PartitionReader(store);
  const heads = cursors
    .filter(({ partition, offset }) => offset < partition.endOffset)
    .map((cursor): Head => Object.assign(cursor, { stamp_ms: 0, rowEnd: 0 }));
  for (const head of heads) findRow(store, head);
  while (heads.length > 0 && !into.full) {
    let first = heads[0]!;
    for (const head of heads) if (comesBefore(head, first)) first = head;
    const before = first.offset;
    first.offset = reader.read(first.partition, first.offset, into, first.rowEnd);
    if (first.offset === before) return; // the next message does not fit
    if (first.offset < first.rowEnd) continue;
    if (first.offset < first.partition.endOffset) findRow(store, first);
    else heads.splice(heads.indexOf(first), 1);
  }
}

function findRow(store: StateStore, head: Head): void {
  const row = rowAt(store, head.partition, head.offset);
  head.stamp_ms = row.stamp_ms;
  head.rowEnd = row.base + row.count;
}

function comesBefore(a: Head, b: Head): boolean {
  return a.stamp_ms < b.stamp_ms || (a.stamp_ms === b.stamp_ms && a.partition.number < b.partition.number);
}
