import { crc32c } from './checksum.ts';
import {
  BATCH_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordBytes,
  setU64,
  writeBatchHeader,
} from './format.ts';
import type { GroupLog, LogEntry } from './group-log.ts';
import type { Segment } from './segment.ts';

/** First size of a batch's buffer, in bytes. */
const INITIAL_BUFFER_BYTES = 64 * 1024;

/** A buffer that grew past this many bytes in a burst is given back when the batch is done. */
const RETAINED_BUFFER_BYTES = 4 * 1024 * 1024;

/** Up to this many bytes a loop is faster than `TypedArray.set`. */
const SMALL_COPY_BYTES = 48;

/**
 * Gathers the records of one flush to one segment in a buffer that is reused from batch to batch, so that the flush
 * is one contiguous write. Where the batch goes is fixed when it starts; a record's place in the file is known at
 * once.
 */
export class Batch {
  segment!: Segment;
  sequence = 0;
  records = 0;
  flags = 0;
  /** Worth writing even without records. */
  isMarker = false;
  /** The batch carries the header of its segment: writing it creates the segment. */
  opensSegment = false;
  /** Lowest index of each group that has entries in this batch. */
  readonly firstIndexes = new Map<GroupLog, number>();
  /** Bytes of entry data in this batch. */
  entryBytes = 0;
  /** Position of the buffer's first byte in the segment. */
  position = 0;
  #length = 0;
  #lastLog: GroupLog | undefined;
  #lastFirstIndex = 0;
  #headerAt = 0;
  #bytes = new Uint8Array(INITIAL_BUFFER_BYTES);
  #view = new DataView(this.#bytes.buffer);

  /** Starts an empty batch at `position`; with a segment header, at the start of a new segment. */
  start(segment: Segment, position: number, sequence: number, segmentHeader?: Uint8Array): void {
    this.segment = segment;
    this.sequence = sequence;
    this.position = position;
    this.records = 0;
    this.flags = 0;
    this.isMarker = false;
    this.entryBytes = 0;
    this.firstIndexes.clear();
    this.#lastLog = undefined;
    this.opensSegment = segmentHeader !== undefined;
    this.#headerAt = segmentHeader?.length ?? 0;
    this.#length = this.#headerAt + BATCH_HEADER_BYTES;
    if (this.#bytes.length > RETAINED_BUFFER_BYTES) this.#resize(INITIAL_BUFFER_BYTES, 0);
    if (this.#length > this.#bytes.length) this.#resize(this.#length, 0);
    if (segmentHeader !== undefined) this.#bytes.set(segmentHeader);
  }

  /** Position in the segment just after what the batch holds now. */
  get end(): number {
    return this.position + this.#length;
  }

  /** Bytes of the batch, with its headers. */
  get length(): number {
    return this.#length;
  }

  /** Adds a record and returns its position in the segment. `data` is copied. */
  add(
    kind: number,
    group: number,
    a: number,
    b: number,
    c: number,
    entryKind = 0,
    data?: Uint8Array,
  ): number {
    const at = this.#length;
    const dataBytes = data === undefined ? 0 : data.length;
    const next = at + recordBytes(dataBytes);
    if (next > this.#bytes.length) this.#resize(Math.max(next, this.#bytes.length * 2), at);
    const bytes = this.#bytes;
    const view = this.#view;
    view.setUint32(at + 4, dataBytes, true);
    view.setUint32(at + 8, group, true);
    view.setUint32(at + 12, this.sequence, true); // modulo 2^32
    view.setUint32(at + 16, kind | (entryKind << 8), true);
    view.setUint32(at + 20, 0, true);
    setU64(view, at + 24, a);
    setU64(view, at + 32, b);
    setU64(view, at + 40, c);
    const dataAt = at + RECORD_HEADER_BYTES;
    const dataEnd = dataAt + dataBytes;
    if (data !== undefined) {
      if (dataBytes > SMALL_COPY_BYTES) bytes.set(data, dataAt);
      else for (let i = 0; i < dataBytes; i++) bytes[dataAt + i] = data[i]!;
    }
    for (let i = dataEnd; i < next; i++) bytes[i] = 0;
    view.setUint32(at, crc32c(bytes, at + 4, next), true);
    this.#length = next;
    this.records++;
    return this.position + at;
  }

  /** Adds an entry, and notes that the group's entries from here on are not written yet. */
  addEntry(log: GroupLog, entry: LogEntry, previousTerm: number): number {
    const { index, term, kind, data } = entry;
    if (log !== this.#lastLog || index < this.#lastFirstIndex) {
      const first = Math.min(index, this.firstIndexes.get(log) ?? index);
      this.firstIndexes.set(log, first);
      this.#lastLog = log;
      this.#lastFirstIndex = first;
    }
    this.entryBytes += data.length;
    return this.add(RecordKind.entry, log.group, index, term, previousTerm, kind, data);
  }

  /** Completes the batch header and returns what to write; valid until the batch starts again. */
  seal(durable: number, session: number): Uint8Array {
    const { sequence, records, flags } = this;
    writeBatchHeader(
      this.#bytes,
      this.#view,
      this.#headerAt,
      { sequence, durable, length: this.#length - this.#headerAt, session, records, flags },
      this.segment.sequence,
      this.position + this.#headerAt,
    );
    return this.#bytes.subarray(0, this.#length);
  }

  #resize(bytes: number, keep: number): void {
    const previous = this.#bytes;
    this.#bytes = new Uint8Array(bytes);
    this.#bytes.set(previous.subarray(0, keep));
    this.#view = new DataView(this.#bytes.buffer);
  }
}
