/**
 * Finds rows of a partition by offset, time or size. Searches read keys alone.
 *
 * Offsets, stamps and positions all rise from row to row, and rows follow each other without gaps, so that one binary
 * search serves all three. Rows of the entry under way are not there yet: callers flush them first.
 */
import type { StateStore } from '../machine.ts';
import { type RowPlace, readRowKey, rowBound } from './layout.ts';
import type { PartitionView } from './topic.ts';

/** Rows looked at from the front before a search jumps: retention nearly always ends within them. */
const PROBED_ROWS = 8;

/** The row that holds `offset`, which must be one that is kept. */
export function rowAt(store: StateStore, partition: PartitionView, offset: number): RowPlace {
  const { rows } = partition;
  const found = store.range({
    from: rows,
    to: rowBound(rows, offset + 1),
    reverse: true,
    limit: 1,
    keysOnly: true,
  });
  for (const { key } of found) {
    const row = readRowKey(key, rows);
    if (offset < row.base + row.count) return row;
  }
  throw new Error(`offset ${offset} of partition ${partition.number} is kept but in no row`);
}

/** The first row that is `wanted`, where every row behind a wanted one is wanted too; undefined when none is. */
export function firstRow(
  store: StateStore,
  partition: PartitionView,
  wanted: (row: RowPlace) => boolean,
): RowPlace | undefined {
  const { rows, endOffset } = partition;
  if (partition.startOffset === endOffset) return undefined;
  let unwantedEnd = 0;
  const front = store.range({
    from: rows,
    to: rowBound(rows, endOffset),
    limit: PROBED_ROWS,
    keysOnly: true,
  });
  for (const { key } of front) {
    const row = readRowKey(key, rows);
    if (wanted(row)) return row;
    unwantedEnd = row.base + row.count;
  }
  let found: RowPlace | undefined;
  for (let end = endOffset; unwantedEnd < end; ) {
    const row = rowAt(store, partition, unwantedEnd + Math.floor((end - unwantedEnd) / 2));
    if (wanted(row)) {
      found = row;
      end = row.base;
    } else {
      unwantedEnd = row.base + row.count;
    }
  }
  return found;
}

/** Offset of the first message that is kept and was published at or after `time_ms`; the end when there is none. */
export function offsetAtTime(store: StateStore, partition: PartitionView, time_ms: number): number {
  const { startOffset, endOffset } = partition;
  if (startOffset === endOffset || time_ms > partition.lastStamp_ms) return endOffset;
  if (time_ms <= partition.firstStamp_ms) return startOffset;
  const row = firstRow(store, partition, ({ stamp_ms }) => stamp_ms >= time_ms);
  return row ? Math.max(startOffset, row.base) : endOffset;
}
