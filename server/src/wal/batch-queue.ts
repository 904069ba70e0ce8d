import { Batch } from './batch.ts';
import { BATCH_HEADER_BYTES, encodeSegmentHeader, type GroupStateRecord } from './format.ts';
import type { GroupLog } from './group-log.ts';
import type { Recovered } from './recovery.ts';
import type { SegmentList } from './segment-list.ts';

/** The very first segment is small: it is waited for, and a full one takes a good part of a second to allocate. */
const FIRST_SEGMENT_BYTES = 4 * 1024 * 1024;

/** Batches kept for reuse: one gathers while one is being written. */
const POOLED_BATCHES_MAX = 2;

export interface BatchQueueOptions {
  segments: SegmentList;
  segmentBytes: number;
  session: number;
}

/**
 * The batches that wait to be written. It decides where every record goes: in the batch that is gathering, or, when
 * that one's segment is full, in the first batch of a new segment. Positions are final from there on.
 */
export class BatchQueue {
  readonly #options: BatchQueueOptions;
  readonly #groups: ReadonlyMap<number, GroupLog>;
  /** Complete batches, before the gathering one. */
  #complete: Batch[] = [];
  #completeBytes = 0;
  #gathering = new Batch();
  readonly #pool: Batch[] = [];

  constructor(recovered: Recovered, options: BatchQueueOptions) {
    this.#options = options;
    this.#groups = recovered.groups;
    const segment = recovered.segments.at(-1);
    const sequence = recovered.lastBatch + 1;
    if (segment !== undefined) this.#gathering.start(segment, recovered.end, sequence);
    else this.#startSegment(Math.min(FIRST_SEGMENT_BYTES, options.segmentBytes), 0, sequence);
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#completeBytes + (this.#gathering.records > 0 ? this.#gathering.length : 0);
  }

  /** The batch that takes the next record, of so many bytes. */
  place(bytes: number): Batch {
    const batch = this.#gathering;
    if (batch.end + bytes <= batch.segment.capacity) return batch;
    let { sequence } = batch;
    if (batch.records > 0) {
      this.#complete.push(batch);
      this.#completeBytes += batch.length;
      this.#gathering = this.#pool.pop() ?? new Batch();
      sequence++;
    }
    return this.#startSegment(this.#options.segmentBytes, bytes, sequence);
  }

  /** Makes the gathering batch go out even if it is empty. False when its segment has no room for it. */
  mark(flags: number): boolean {
    const batch = this.#gathering;
    if (batch.end > batch.segment.capacity) return false;
    batch.isMarker = true;
    batch.flags = flags;
    return true;
  }

  /** Everything that waits, in order; from now on the next batch gathers. */
  takeAll(): Batch[] {
    const batches = this.#complete;
    const last = this.#gathering;
    if (last.records > 0 || last.isMarker) {
      batches.push(last);
      this.#gathering = this.#pool.pop() ?? new Batch();
      this.#gathering.start(last.segment, last.end, last.sequence + 1);
    }
    this.#complete = [];
    this.#completeBytes = 0;
    return batches;
  }

  /** Takes written batches back for reuse. */
  giveBack(batches: readonly Batch[]): void {
    for (const batch of batches) if (this.#pool.length < POOLED_BATCHES_MAX) this.#pool.push(batch);
  }

  /** Lowest index of the group in what waits; Infinity when nothing of it does. */
  unwrittenFrom(log: GroupLog): number {
    let lowest = this.#gathering.firstIndexes.get(log) ?? Number.POSITIVE_INFINITY;
    for (const batch of this.#complete) lowest = Math.min(lowest, batch.firstIndexes.get(log) ?? lowest);
    return lowest;
  }

  #startSegment(segmentBytes: number, bytes: number, sequence: number): Batch {
    const { segments, session } = this.#options;
    const header = encodeSegmentHeader({
      sequence: segments.nextSequence,
      firstBatch: sequence,
      session,
      groups: this.#groupStates(),
    });
    const capacity = Math.max(segmentBytes, header.length + BATCH_HEADER_BYTES + bytes);
    this.#gathering.start(segments.plan(capacity), 0, sequence, header);
    return this.#gathering;
  }

  #groupStates(): GroupStateRecord[] {
    const states: GroupStateRecord[] = [];
    for (const log of this.#groups.values()) {
      if (log.isBlank()) continue;
      const { group, hardState, lastIndex, lastTerm } = log;
      states.push({ group, ...hardState, lastIndex, lastTerm });
    }
    return states;
  }
}
