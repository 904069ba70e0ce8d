/**
 * Reading a log back, and telling a torn tail from damage.
 *
 * The writer keeps three rules:
 *
 * 1. A batch is written only after everything in *earlier segments* is durable, and a segment gets its `.wal` name
 *    only once its header is durable.
 * 2. Every batch header says up to which batch the log was durable when it was written. With an fdatasync before
 *    every answer that is always the batch before, because one is not written while the other is being synced.
 * 3. Nothing is acknowledged before the fdatasync that covers it.
 *
 * So when a batch does not read back:
 *
 * - It may be the last one. A crash may leave any subset of its pages on disk, in any order: the first lost and
 *   the last there. It was not acknowledged; it is cut as a whole, and so is whatever follows it. A torn tail.
 * - If an intact batch further on in the same segment says that the bad one was durable, then bytes that were once
 *   on disk have changed. So they have in any segment but the last (rule 1). Acknowledged writes are lost: damage.
 * - The leftovers of a recycled file and of a cut tail are neither. They carry another segment, position or
 *   session (format.ts), do not count as intact batches and prove nothing.
 *
 * What this cannot tell: damage to the very last durable batch, which looks as if it had never been finished. To
 * keep that window small, a start and a clean close each append an empty batch, which vouches for all before it.
 * The first one also overwrites the head of a cut tail, so the tail cannot come back.
 *
 * What is read may be in the page cache only: the process was killed before its fdatasync, or the fdatasync failed,
 * after which Linux takes the pages for clean and a second one has nothing to do. So before the log is used, the
 * batches that nothing vouches for are written once more, and synced.
 */
import { WalCorruptionError } from './errors.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_OPENS_SESSION,
  type BatchHeader,
  decodeSegmentHeader,
  type GroupStateRecord,
  getU64,
  MAX_ENTRY_BYTES,
  RECORD_HEADER_BYTES,
  RecordKind,
  readBatchHeader,
  recordBytes,
  recordIsIntact,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentHeaderLength,
  segmentSequence,
} from './format.ts';
import { GroupLog, unpin } from './group-log.ts';
import { type LogFiles, promised } from './log-files.ts';
import { Segment } from './segment.ts';
import { SegmentWindow } from './segment-window.ts';

const REWRITE_CHUNK_BYTES = 1024 * 1024;

/** A cut tail: a batch that a crash left incomplete. */
export interface TornTail {
  file: string;
  offset: number;
  reason: string;
}

/** What is on disk. `segments` is empty for a new log. */
export interface Recovered {
  segments: Segment[];
  groups: Map<number, GroupLog>;
  /** Where the next batch goes in the last segment. */
  end: number;
  /** Sequence of the last batch. */
  lastBatch: number;
  session: number;
  /** Where the batches of the last segment start that no later one vouches for; `end` when there are none. */
  unprovenFrom: number;
  tornTail: TornTail | undefined;
}

/** @throws WalCorruptionError, WalVersionError */
export function recover(files: LogFiles): Recovered {
  const sequences = files
    .list()
    .map(segmentSequence)
    .filter((sequence) => sequence !== undefined)
    .sort((a, b) => a - b);
  const recovery = new Recovery(files);
  try {
    sequences.forEach((sequence, i) => {
      recovery.segment(sequence, i === sequences.length - 1);
    });
  } catch (error) {
    for (const segment of recovery.state.segments) segment.file?.close();
    throw error;
  }
  return recovery.state;
}

/** Writes the batches that nothing vouches for once more, so that the next fdatasync really covers them. */
export async function rewriteUnproven(recovered: Recovered): Promise<void> {
  const file = recovered.segments.at(-1)?.file;
  if (file === undefined) return;
  for (let position = recovered.unprovenFrom; position < recovered.end; position += REWRITE_CHUNK_BYTES) {
    const chunk = new Uint8Array(Math.min(REWRITE_CHUNK_BYTES, recovered.end - position));
    file.readSync(chunk, position);
    await promised((done) => file.write(chunk, position, done));
  }
}

/** A record that was checked and waits for the rest of its batch. */
interface CheckedRecord {
  kind: number;
  group: number;
  a: number;
  b: number;
  c: number;
  position: number;
}

/** Something at `offset` that does not read back. */
interface Bad {
  offset: number;
  reason: string;
  /** It is certain that a batch was being written here. */
  torn: boolean;
}

class Recovery {
  readonly state: Recovered = {
    segments: [],
    groups: new Map(),
    end: 0,
    lastBatch: 0,
    session: 0,
    unprovenFrom: 0,
    tornTail: undefined,
  };
  readonly #files: LogFiles;
  #bad: Bad | undefined;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  segment(sequence: number, isLast: boolean): void {
    const { state } = this;
    const file = this.#files.open(segmentNameOf(sequence), false);
    const segment = new Segment(sequence, file.size(), file);
    const previous = state.segments.at(-1);
    state.segments.push(segment);
    const header = readHeader(segment);
    if (previous === undefined) {
      for (const group of header.groups) state.groups.set(group.group, restore(group));
    } else {
      if (sequence !== previous.sequence + 1) {
        throw new WalCorruptionError(segment.name, 0, `the segment before it is missing`);
      }
      this.#checkContinues(segment, previous, header);
    }
    state.lastBatch = header.firstBatch - 1;
    state.session = header.session;
    const bad = this.#batches(segment, header.length);
    this.#bad = bad;
    if (bad === undefined || !isLast) return; // the next segment's header tells whether anything is missing
    const proof = provenDurable(segment, state.end, state.lastBatch + 1);
    if (proof !== undefined) {
      throw new WalCorruptionError(
        segment.name,
        bad.offset,
        `${bad.reason}, though the batch at byte ${proof} proves that it was durable`,
      );
    }
    if (bad.torn) state.tornTail = { file: segment.name, offset: state.end, reason: bad.reason };
  }

  /** Applies the batches from `from` on; returns why it stopped. Sets `end` behind the last good one. */
  #batches(segment: Segment, from: number): Bad | undefined {
    const { state } = this;
    const window = new SegmentWindow(segment);
    state.end = from;
    let unproven: { sequence: number; position: number }[] = [];
    for (;;) {
      state.unprovenFrom = unproven[0]?.position ?? state.end;
      const start = state.end;
      if (start + BATCH_HEADER_BYTES > segment.capacity) return undefined;
      const at = window.load(start, BATCH_HEADER_BYTES);
      const header = readBatchHeader(window.bytes, window.view, at, segment.sequence, start);
      if (header === undefined || !this.#continues(header)) {
        // A magic number without the rest may be the start of a torn batch; an intact batch of another life is not.
        const torn = header === undefined && window.view.getUint32(at, true) === BATCH_MAGIC;
        return { offset: start, reason: 'the batch header is not intact', torn };
      }
      const records = checkBatch(segment, window, start, header);
      if (!Array.isArray(records)) return records;
      state.lastBatch = header.sequence;
      state.session = header.session;
      state.end = start + header.length;
      unproven = unproven.filter((batch) => batch.sequence > header.durable);
      unproven.push({ sequence: header.sequence, position: start });
      for (const record of records) this.#apply(segment, record);
    }
  }

  #continues(header: BatchHeader): boolean {
    return (
      header.sequence === this.state.lastBatch + 1 &&
      (header.session === this.state.session || (header.flags & BATCH_OPENS_SESSION) !== 0)
    );
  }

  #apply(segment: Segment, record: CheckedRecord): void {
    const { groups } = this.state;
    let log = groups.get(record.group);
    if (log === undefined) {
      log = new GroupLog(record.group);
      groups.set(record.group, log);
    }
    switch (record.kind) {
      case RecordKind.entry:
        applyEntry(segment, log, record);
        return;
      case RecordKind.hardState:
        log.hardState = { term: record.a, vote: record.b, commit: record.c };
        return;
      // What is read here is made durable before the log is used, so an unpin has nothing to wait for.
      case RecordKind.reset:
        unpin(log.reset(record.a, record.b));
        return;
      case RecordKind.remove:
        unpin(log.reset(0, 0));
        groups.delete(record.group);
        return;
      default:
        throw new WalCorruptionError(
          segment.name,
          record.position,
          `a record of unknown kind ${record.kind}`,
        );
    }
  }

  /** A segment starts from the state that the one before ends in: that one was durable to its end. */
  #checkContinues(segment: Segment, previous: Segment, header: SegmentHeader): void {
    const { state } = this;
    if (state.lastBatch !== header.firstBatch - 1) {
      throw new WalCorruptionError(
        previous.name,
        this.#bad?.offset ?? state.end,
        `batch ${state.lastBatch + 1} is not intact, though ${segment.name} was only started once it was durable`,
      );
    }
    const blank = [...state.groups.values()].filter((log) => log.isBlank()).length;
    const same =
      header.groups.length === state.groups.size - blank &&
      header.groups.every((group) => {
        const log = state.groups.get(group.group);
        return log !== undefined && isState(log, group);
      });
    if (!same) throw new WalCorruptionError(segment.name, 0, 'its header contradicts the segments before it');
  }
}

function segmentNameOf(sequence: number): string {
  return new Segment(sequence, 0).name;
}

function readHeader(segment: Segment): SegmentHeader {
  const window = new SegmentWindow(segment);
  let header: SegmentHeader | undefined;
  if (segment.capacity >= SEGMENT_HEADER_BYTES) {
    window.load(0, SEGMENT_HEADER_BYTES);
    const length = segmentHeaderLength(window.bytes);
    if (length !== undefined && length <= segment.capacity) {
      window.load(0, length);
      header = decodeSegmentHeader(window.bytes, segment.name);
    }
  }
  if (header === undefined || header.sequence !== segment.sequence) {
    throw new WalCorruptionError(segment.name, 0, 'the segment header is not intact');
  }
  return header;
}

function restore(state: GroupStateRecord): GroupLog {
  const log = new GroupLog(state.group);
  log.hardState = { term: state.term, vote: state.vote, commit: state.commit };
  log.reset(state.lastIndex, state.lastTerm);
  return log;
}

function isState(log: GroupLog, state: GroupStateRecord): boolean {
  const { term, vote, commit } = log.hardState;
  return (
    term === state.term &&
    vote === state.vote &&
    commit === state.commit &&
    log.lastIndex === state.lastIndex &&
    log.lastTerm === state.lastTerm
  );
}

/** All records of a batch, or the first thing in it that is not intact. */
function checkBatch(
  segment: Segment,
  window: SegmentWindow,
  start: number,
  header: BatchHeader,
): CheckedRecord[] | Bad {
  const end = start + header.length;
  const records: CheckedRecord[] = [];
  let position = start + BATCH_HEADER_BYTES;
  while (records.length < header.records) {
    const bad = { offset: position, reason: 'a record is not intact', torn: true };
    if (end > segment.capacity || position + RECORD_HEADER_BYTES > end) return bad;
    let at = window.load(position, RECORD_HEADER_BYTES);
    const dataBytes = window.view.getUint32(at + 4, true);
    const bytes = recordBytes(dataBytes);
    if (dataBytes > MAX_ENTRY_BYTES || position + bytes > end) return bad;
    at = window.load(position, bytes);
    const { view } = window;
    if (
      view.getUint32(at + 12, true) !== header.sequence >>> 0 ||
      !recordIsIntact(window.bytes, view, at, bytes)
    ) {
      return bad;
    }
    records.push({
      kind: view.getUint8(at + 16),
      group: view.getUint32(at + 8, true),
      a: getU64(view, at + 24),
      b: getU64(view, at + 32),
      c: getU64(view, at + 40),
      position,
    });
    position += bytes;
  }
  return records;
}

function applyEntry(segment: Segment, log: GroupLog, record: CheckedRecord): void {
  const { a: index, b: term, c: previousTerm, position } = record;
  if (index <= log.baseIndex) {
    // It overwrites entries whose segments were dropped since: what was before it went with them.
    unpin(log.reset(index - 1, previousTerm));
  } else if (index <= log.lastIndex) {
    unpin(log.truncate(index));
  }
  if (index !== log.lastIndex + 1 || log.term(index - 1) !== previousTerm) {
    throw new WalCorruptionError(
      segment.name,
      position,
      `entry ${index} of group ${log.group} does not continue the log, which ends at ${log.lastIndex}`,
    );
  }
  log.push(index, term, segment, position);
}

/** Position of an intact batch behind `from` that says that batch `sequence` was durable before it. */
function provenDurable(segment: Segment, from: number, sequence: number): number | undefined {
  const window = new SegmentWindow(segment);
  for (let position = from; position + BATCH_HEADER_BYTES <= segment.capacity; position += 8) {
    const at = window.load(position, BATCH_HEADER_BYTES);
    if (window.view.getUint32(at, true) !== BATCH_MAGIC) continue;
    const header = readBatchHeader(window.bytes, window.view, at, segment.sequence, position);
    if (header !== undefined && header.durable >= sequence) return position;
  }
  return undefined;
}
