/**
 * The bytes of a segment. Everything is little-endian and starts on a multiple of 8 bytes.
 *
 *     segment  header, then batches back to back, then zeros or the leftovers of the file's earlier life
 *     header   magic 8 · crc u32 · version u32 · length u32 · groups u32 · sequence u64 · firstBatch u64 ·
 *              session u32 · 0 u32 · per group {group u32 · 0 u32 · term · vote · commit · lastIndex · lastTerm u64}
 *     batch    magic u32 · crc u32 · sequence u64 · durable u64 · position u32 · length u32 · session u32 ·
 *              records u32 · flags u32 · segment u32, then its records
 *     record   crc u32 · length u32 · group u32 · batch u32 · kind u8 · entryKind u8 · 0 u16 · 0 u32 ·
 *              a u64 · b u64 · c u64 · data[length] · zeros up to a multiple of 8
 *
 * Every crc is CRC-32C over what follows it in its own structure; every byte is covered.
 *
 * A batch is what one flush wrote to one segment. What the fields buy:
 *
 * - `segment`, `position` and `sequence` say where a batch belongs, so a recycled file's old batches, or batches
 *   copied into some entry's data, never pass for current ones. Batch sequences are never reused for a durable
 *   batch.
 * - `session` is drawn at every start of the log. A batch continues the chain only in the session of the batch
 *   before, or by opening a new one, so bytes beyond a cut tail can never join a later chain.
 * - `batch` in a record ties it to its batch: a page that never reached the disk may still show an older batch's
 *   valid record at the right place.
 * - `durable` is the last batch that was known to be on disk when this one was written: see recovery.ts.
 * - The header repeats the state of every group, so that older segments can go. It is durable, and the segment
 *   before it completely durable, before the file gets its `.wal` name.
 */
import { crc32c } from './checksum.ts';
import { WalVersionError } from './errors.ts';

export const FORMAT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 48;
export const GROUP_STATE_BYTES = 48;
export const BATCH_HEADER_BYTES = 48;
export const RECORD_HEADER_BYTES = 48;

/** Largest entry, in bytes: positions inside a segment are 32 bits wide. */
export const MAX_ENTRY_BYTES = 2 ** 30;

/** What a record says; `a`, `b`, `c` are its three numbers. */
export const RecordKind = {
  /** a = index, b = term, c = term of the entry before it; data = the entry. */
  entry: 1,
  /** a = term, b = vote, c = commit. */
  hardState: 2,
  /** a = index, b = term of the snapshot that replaced the group's log. */
  reset: 3,
  /** The group left this node. */
  remove: 4,
} as const;

/** Flag of the first batch a started log writes: it opens a new session. */
export const BATCH_OPENS_SESSION = 1;

export interface GroupStateRecord {
  group: number;
  term: number;
  vote: number;
  commit: number;
  lastIndex: number;
  lastTerm: number;
}

export interface SegmentHeader {
  /** Bytes of the header itself: where the first batch starts. */
  length: number;
  sequence: number;
  firstBatch: number;
  session: number;
  groups: GroupStateRecord[];
}

export interface BatchHeader {
  sequence: number;
  durable: number;
  length: number;
  session: number;
  records: number;
  flags: number;
}

const SEGMENT_MAGIC_LOW = 0x534d4f47; // "GOMS"
const SEGMENT_MAGIC_HIGH = 0x4c415747; // "GWAL"
export const BATCH_MAGIC = 0x48544142; // "BATH"

/** Bytes a record with `dataBytes` of data takes in the segment. */
export function recordBytes(dataBytes: number): number {
  return RECORD_HEADER_BYTES + ((dataBytes + 7) & ~7);
}

/** Name of the segment file with this sequence number. */
export function segmentName(sequence: number): string {
  return `${String(sequence).padStart(20, '0')}.wal`;
}

/** Sequence number in a segment's file name, or undefined for any other file. */
export function segmentSequence(name: string): number | undefined {
  return /^\d{20}\.wal$/.test(name) ? Number.parseInt(name, 10) : undefined;
}

/** Writes an integer below 2^53 as u64. */
export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true); // takes the value modulo 2^32
  view.setUint32(offset + 4, value / 4294967296, true);
}

export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 4294967296 + view.getUint32(offset, true);
}

/** Bytes of a segment header that lists this many groups. */
export function segmentHeaderBytes(groups: number): number {
  return SEGMENT_HEADER_BYTES + groups * GROUP_STATE_BYTES;
}

/** Encodes a segment header; `length` follows from the groups. */
export function encodeSegmentHeader(header: Omit<SegmentHeader, 'length'>): Uint8Array {
  const length = segmentHeaderBytes(header.groups.length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEGMENT_MAGIC_LOW, true);
  view.setUint32(4, SEGMENT_MAGIC_HIGH, true);
  view.setUint32(12, FORMAT_VERSION, true);
  view.setUint32(16, length, true);
  view.setUint32(20, header.groups.length, true);
  setU64(view, 24, header.sequence);
  setU64(view, 32, header.firstBatch);
  view.setUint32(40, header.session, true);
  let at = SEGMENT_HEADER_BYTES;
  for (const state of header.groups) {
    view.setUint32(at, state.group, true);
    setU64(view, at + 8, state.term);
    setU64(view, at + 16, state.vote);
    setU64(view, at + 24, state.commit);
    setU64(view, at + 32, state.lastIndex);
    setU64(view, at + 40, state.lastTerm);
    at += GROUP_STATE_BYTES;
  }
  view.setUint32(8, crc32c(bytes, 12, length), true);
  return bytes;
}

/**
 * Length a segment header claims in its first `SEGMENT_HEADER_BYTES`, or undefined when they are no such header.
 */
export function segmentHeaderLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== SEGMENT_MAGIC_LOW || view.getUint32(4, true) !== SEGMENT_MAGIC_HIGH) {
    return undefined;
  }
  const length = view.getUint32(16, true);
  return length === segmentHeaderBytes(view.getUint32(20, true)) ? length : undefined;
}

/**
 * Decodes the header at the start of `bytes`, or undefined when it is not intact.
 * @throws WalVersionError when it is intact but of another format version
 */
export function decodeSegmentHeader(bytes: Uint8Array, file: string): SegmentHeader | undefined {
  const length = segmentHeaderLength(bytes);
  if (length === undefined || length > bytes.length) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(8, true) !== crc32c(bytes, 12, length)) return undefined;
  const version = view.getUint32(12, true);
  if (version !== FORMAT_VERSION) throw new WalVersionError(file, version);
  const groups: GroupStateRecord[] = [];
  for (let at = SEGMENT_HEADER_BYTES; at < length; at += GROUP_STATE_BYTES) {
    groups.push({
      group: view.getUint32(at, true),
      term: getU64(view, at + 8),
      vote: getU64(view, at + 16),
      commit: getU64(view, at + 24),
      lastIndex: getU64(view, at + 32),
      lastTerm: getU64(view, at + 40),
    });
  }
  return {
    length,
    sequence: getU64(view, 24),
    firstBatch: getU64(view, 32),
    session: view.getUint32(40, true),
    groups,
  };
}

/** Writes a batch header at `at` of a buffer whose records are already in place. */
export function writeBatchHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  header: BatchHeader,
  segment: number,
  position: number,
): void {
  view.setUint32(at, BATCH_MAGIC, true);
  setU64(view, at + 8, header.sequence);
  setU64(view, at + 16, header.durable);
  view.setUint32(at + 24, position, true);
  view.setUint32(at + 28, header.length, true);
  view.setUint32(at + 32, header.session, true);
  view.setUint32(at + 36, header.records, true);
  view.setUint32(at + 40, header.flags, true);
  view.setUint32(at + 44, segment, true); // modulo 2^32
  view.setUint32(at + 4, crc32c(bytes, at + 8, at + BATCH_HEADER_BYTES), true);
}

/** Reads the batch header at `at` if it is intact and belongs at this position of this segment. */
export function readBatchHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  segment: number,
  position: number,
): BatchHeader | undefined {
  if (
    view.getUint32(at, true) !== BATCH_MAGIC ||
    view.getUint32(at + 24, true) !== position ||
    view.getUint32(at + 44, true) !== segment >>> 0 ||
    view.getUint32(at + 4, true) !== crc32c(bytes, at + 8, at + BATCH_HEADER_BYTES)
  ) {
    return undefined;
  }
  return {
    sequence: getU64(view, at + 8),
    durable: getU64(view, at + 16),
    length: view.getUint32(at + 28, true),
    session: view.getUint32(at + 32, true),
    records: view.getUint32(at + 36, true),
    flags: view.getUint32(at + 40, true),
  };
}

/** Whether the record at `at`, `length` bytes long with its padding, reads back as it was written. */
export function recordIsIntact(bytes: Uint8Array, view: DataView, at: number, length: number): boolean {
  return view.getUint32(at, true) === crc32c(bytes, at + 4, at + length);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
