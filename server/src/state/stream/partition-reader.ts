/** Reads stored messages as they are: whole rows where possible, otherwise cut between messages. */
import type { StateStore } from '../machine.ts';
import { readRowKey, rowBound } from './layout.ts';
import type { PartitionView } from './topic.ts';

/** A row and the place in it where reading goes on. */
interface OpenRow {
  readonly rows: string;
  readonly bytes: Uint8Array;
  /** Offset behind its last message. */
  readonly end: number;
  /** The next message: its offset, and where its bytes begin. */
  offset: number;
  at: number;
}

/** Collects encoded `messages` fields up to a number of messages and bytes. */
export class MessageChunks {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly chunks: Uint8Array[] = [];
  messages = 0;
  bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.maxMessages = maxMessages;
    this.maxBytes = maxBytes;
  }

  get full(): boolean {
    return this.messages >= this.maxMessages || this.bytes >= this.maxBytes;
  }

  /** All chunks as one; without a copy when there is one. */
  joined(): Uint8Array {
    if (this.chunks.length === 1) return this.chunks[0]!;
    const joined = new Uint8Array(this.bytes);
    let at = 0;
    for (const chunk of this.chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }
}

/**
 * A reader of partitions. It keeps the row that it last read a part of, so that reading on a few messages at a time
 * does not fetch the row again; one row at a time, so that it costs at most one row of memory.
 */
export class PartitionReader {
  readonly #store: StateStore;
  #open: OpenRow | undefined;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Key prefix of the rows among which is the one that it keeps; undefined when it keeps none. */
  get openRows(): string | undefined {
    return this.#open?.rows;
  }

  /** Gives back the row that it keeps. */
  forget(): void {
    this.#open = undefined;
  }

  /**
   * Adds messages from `offset` on to `into`, as many as fit, but at least one when it is empty and there is one.
   * Stops before `end` (default: the end of the partition).
   * @param offset a kept offset, or the end
   * @returns the offset to read next
   */
  read(partition: PartitionView, offset: number, into: MessageChunks, end = partition.endOffset): number {
    let next = offset;
    if (next >= end || into.full) return next;
    const open = this.#open;
    if (open?.rows === partition.rows) {
      if (next >= open.offset && next < open.end) {
        next = take(open, next, into, end);
        if (open.offset < open.end) return next;
      }
      this.#open = undefined;
      if (next >= end || into.full) return next;
    }
    for (const row of this.#rowsFrom(partition, next)) {
      next = take(row, next, into, end);
      if (row.offset < row.end) {
        this.#open = row;
        break;
      }
      if (next >= end || into.full) break;
    }
    return next;
  }

  *#rowsFrom(partition: PartitionView, offset: number): Iterable<OpenRow> {
    const { rows, endOffset } = partition;
    const to = rowBound(rows, endOffset);
    const from = rowBound(rows, offset);
    let first = true;
    for (const { key, value } of this.#store.range({ from, to })) {
      if (first) {
        first = false;
        // Readers mostly read on where a row begins; only otherwise is the offset inside of a row before.
        if (readRowKey(key, rows).base !== offset) yield this.#rowAround(partition, offset);
      }
      yield openRow(rows, key, value);
    }
    if (first) yield this.#rowAround(partition, offset);
  }

  #rowAround(partition: PartitionView, offset: number): OpenRow {
    const { rows } = partition;
    for (const { key, value } of this.#store.range({
      from: rows,
      to: rowBound(rows, offset),
      reverse: true,
      limit: 1,
    })) {
      const row = openRow(rows, key, value);
      if (offset < row.end) return row;
    }
    throw new Error(`offset ${offset} of partition ${partition.number} is kept but in no row`);
  }
}

function openRow(rows: string, key: string, bytes: Uint8Array): OpenRow {
  const { base, count } = readRowKey(key, rows);
  return { rows, bytes, end: base + count, offset: base, at: 0 };
}

/** Moves messages of `row` from `offset` on into `into`; returns the offset behind them. */
function take(row: OpenRow, offset: number, into: MessageChunks, end: number): number {
  const { bytes } = row;
  while (row.offset < offset) {
    row.at = messageEnd(bytes, row.at);
    row.offset++;
  }
  const from = row.at;
  const first = row.offset;
  const last = Math.min(row.end, end, first + into.maxMessages - into.messages);
  const room = into.maxBytes - into.bytes;
  if (last === row.end && bytes.length - from <= room) {
    row.at = bytes.length;
    row.offset = row.end;
  } else {
    while (row.offset < last) {
      const next = messageEnd(bytes, row.at);
      const fits = next - from <= room || (into.messages === 0 && row.offset === first);
      if (!fits) break;
      row.at = next;
      row.offset++;
    }
  }
  if (row.offset > first) {
    into.chunks.push(from === 0 && row.at === bytes.length ? bytes : bytes.subarray(from, row.at));
    into.messages += row.offset - first;
    into.bytes += row.at - from;
  }
  return row.offset;
}

/** Where the message that begins at `at` ends: behind its tag (one byte), length and body. */
function messageEnd(bytes: Uint8Array, at: number): number {
  let length = 0;
  let shift = 0;
  for (let next = at + 1; ; next++) {
    const byte = bytes[next]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return next + 1 + length;
    shift += 7;
  }
}
