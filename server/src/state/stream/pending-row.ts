/**
 * The messages that the entry under way appends to one partition, in the wire format of `repeated StreamMessage
 * messages = 1`: the field number that Read, ReadFrom and Subscribe share, so that stored bytes are an answer.
 */
import { fieldTag, varintSize, wireType, writeVarint } from '../wire.ts';
import { MAX_ROW_BYTES } from './limits.ts';
import type { PublishScan } from './publish-scan.ts';

/** Field of the messages in every response that has them. */
export const MESSAGES_TAG = fieldTag(1, wireType.bytes);

/** Fields of StreamMessage. The topic is left out: it is plain from every request that returns messages. */
const tag = {
  partition: fieldTag(2, wireType.varint),
  offset: fieldTag(3, wireType.varint),
  key: fieldTag(4, wireType.bytes),
  payload: fieldTag(5, wireType.bytes),
  header: fieldTag(6, wireType.bytes),
  publishedAt: fieldTag(7, wireType.bytes),
} as const;

const INITIAL_BYTES = 8 * 1024;
/** Below this, a loop beats the call of a native copy. */
const LOOP_COPY_BYTES = 32;

export class PendingRow {
  /** Offset of the first message. */
  base = 0;
  count = 0;
  length = 0;
  #buffer = new Uint8Array(new ArrayBuffer(INITIAL_BYTES));

  begin(base: number): void {
    this.base = base;
    this.count = 0;
    this.length = 0;
    // What one very large message needed is not kept.
    if (this.#buffer.length > 2 * MAX_ROW_BYTES)
      this.#buffer = new Uint8Array(new ArrayBuffer(INITIAL_BYTES));
  }

  /** The messages; valid until the next `append` or `begin`. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  /** Appends a message of `bodyBytes`, as `messageBytes` gave them. `stamp` is from `stampField`. */
  append(
    scan: PublishScan,
    index: number,
    partition: number,
    offset: number,
    stamp: Uint8Array,
    bodyBytes: number,
  ): void {
    this.#reserve(bodyBytes + 1 + varintSize(bodyBytes));
    const { source, headers } = scan;
    const place = scan.place(index);
    const buffer = this.#buffer;
    let at = this.length;
    buffer[at++] = MESSAGES_TAG;
    at = writeVarint(buffer, at, bodyBytes);
    if (partition !== 0) {
      buffer[at++] = tag.partition;
      at = writeVarint(buffer, at, partition);
    }
    if (offset !== 0) {
      buffer[at++] = tag.offset;
      at = writeVarint(buffer, at, offset);
    }
    if (place.keyTo > place.keyFrom) {
      at = writeBytes(buffer, at, tag.key, source, place.keyFrom, place.keyTo);
    }
    if (place.payloadTo > place.payloadFrom) {
      at = writeBytes(buffer, at, tag.payload, source, place.payloadFrom, place.payloadTo);
    }
    for (let i = place.headersFrom; i < place.headersTo; i += 2) {
      at = writeBytes(buffer, at, tag.header, source, headers[i]!, headers[i + 1]!);
    }
    this.length = copy(stamp, 0, stamp.length, buffer, at);
    this.count++;
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(needed, this.#buffer.length * 2)));
    grown.set(this.view());
    this.#buffer = grown;
  }
}

/** Bytes of a message behind its tag and length. */
export function messageBytes(
  scan: PublishScan,
  index: number,
  partition: number,
  offset: number,
  stamp: Uint8Array,
): number {
  const place = scan.place(index);
  let bytes = stamp.length;
  if (partition !== 0) bytes += 1 + varintSize(partition);
  if (offset !== 0) bytes += 1 + varintSize(offset);
  if (place.keyTo > place.keyFrom) bytes += delimitedBytes(place.keyTo - place.keyFrom);
  if (place.payloadTo > place.payloadFrom) bytes += delimitedBytes(place.payloadTo - place.payloadFrom);
  for (let i = place.headersFrom; i < place.headersTo; i += 2) {
    bytes += delimitedBytes(scan.headers[i + 1]! - scan.headers[i]!);
  }
  return bytes;
}

/** The field `published_at` of a stamp, encoded. */
export function stampField(stamp_ms: number): Uint8Array {
  const seconds = Math.floor(stamp_ms / 1000);
  const nanos = (stamp_ms % 1000) * 1_000_000;
  const body = 1 + varintSize(seconds) + (nanos === 0 ? 0 : 1 + varintSize(nanos));
  const field = new Uint8Array(2 + body);
  field[0] = tag.publishedAt;
  field[1] = body;
  field[2] = fieldTag(1, wireType.varint);
  const at = writeVarint(field, 3, seconds);
  if (nanos !== 0) {
    field[at] = fieldTag(2, wireType.varint);
    writeVarint(field, at + 1, nanos);
  }
  return field;
}

function delimitedBytes(length: number): number {
  return 1 + varintSize(length) + length;
}

function writeBytes(
  target: Uint8Array,
  at: number,
  fieldOf: number,
  source: Uint8Array,
  from: number,
  to: number,
): number {
  target[at] = fieldOf;
  return copy(source, from, to, target, writeVarint(target, at + 1, to - from));
}

function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  if (to - from <= LOOP_COPY_BYTES) {
    for (let i = from; i < to; i++) target[at++] = source[i]!;
    return at;
  }
  target.set(source.subarray(from, to), at);
  return at + to - from;
}
