import { randomInt } from 'node:crypto';
import type { Batch } from './batch.ts';
import { BatchQueue } from './batch-queue.ts';
import { Committer } from './committer.ts';
import { EntryReader } from './entry-reader.ts';
import { WalClosedError, WalCompactedError, WalFailedError, WalFullError } from './errors.ts';
import { BATCH_OPENS_SESSION, MAX_ENTRY_BYTES, RecordKind, recordBytes } from './format.ts';
import { GroupLog, type HardState, type LogEntry, type Unpin, unpin } from './group-log.ts';
import { type LogFiles, logFilesIn, promised } from './log-files.ts';
import { type Recovered, recover, rewriteUnproven, type TornTail } from './recovery.ts';
import { SegmentList } from './segment-list.ts';
import { SegmentSpace } from './segment-space.ts';
import { TailCache } from './tail-cache.ts';

export interface WalOptions {
  /** Size of a segment file, in bytes. Default 64 MiB. */
  segmentBytes?: number;
  /** Newest segments that are kept although all in them is released, at least 1. Default 2. */
  tailSegments?: number;
  /** Bound of the entry data kept in memory, over all groups, in bytes. Default 16 MiB. */
  cacheBytes?: number;
  /**
   * Bound of what is buffered and not being written yet, in bytes; one larger append still passes. Default 64 MiB.
   */
  maxPendingBytes?: number;
  /**
   * 0, the default: a flush ends after the fdatasync. Otherwise it ends after the write, and the fdatasync follows
   * within this many milliseconds: a crash of the machine may lose that much of what was acknowledged.
   */
  fsyncIntervalMs?: number;
  /** Pause between two tries to prepare a segment on a full disk, in milliseconds. Default 1000. */
  retryDelayMs?: number;
  /** Told when `writable` changes. */
  onWritableChange?(writable: boolean): void;
  /** Told at open when an incomplete batch was cut from the end. */
  onTornTail?(tail: TornTail): void;
  /** Told once, when the log died; the owner must end the process. Waiting flushes get the same error. */
  onFailure?(error: WalFailedError): void;
  /** The file system to use instead of the real one. */
  files?: LogFiles;
}

/** What the log knows of a group. All zero, with `firstIndex` 1, for a group it never saw. */
export interface GroupState {
  hardState: HardState;
  firstIndex: number;
  lastIndex: number;
  lastTerm: number;
  /** Index and term of the entry just before `firstIndex`. */
  snapshotIndex: number;
  snapshotTerm: number;
}

export type FlushCallback = (error?: WalFailedError) => void;

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;
const DEFAULT_TAIL_SEGMENTS = 2;
const DEFAULT_CACHE_BYTES = 16 * 1024 * 1024;
const DEFAULT_MAX_PENDING_BYTES = 64 * 1024 * 1024;
const DEFAULT_RETRY_DELAY_MS = 1000;

/**
 * The write-ahead log of one node, shared by all its Raft groups.
 *
 * `append`, `saveHardState`, `resetGroup` and `removeGroup` only buffer, and take effect at once for `groupState`,
 * `entries` and `term`. `flush` writes all that is buffered, for all groups, with one write and one fdatasync;
 * while that is under way more gathers and goes out together. A batch survives a crash as a whole or not at all.
 *
 * The directory belongs to one log at a time; the owner sees to that.
 */
export class Wal {
  /**
   * Opens the log in `directory`, or starts one, and makes durable what it finds.
   * @throws WalCorruptionError, WalVersionError, WalFailedError
   */
  static async open(directory: string, options: WalOptions = {}): Promise<Wal> {
    const files = options.files ?? logFilesIn(directory);
    const recovered = recover(files);
    const wal = new Wal(files, recovered, options);
    await wal.#start(recovered);
    if (recovered.tornTail !== undefined) options.onTornTail?.(recovered.tornTail);
    return wal;
  }

  readonly #options: WalOptions;
  readonly #maxPendingBytes: number;
  readonly #groups: Map<number, GroupLog>;
  readonly #segments: SegmentList;
  readonly #space: SegmentSpace;
  readonly #committer: Committer;
  readonly #queue: BatchQueue;
  readonly #cache: TailCache;
  /** Callbacks of the flushes that wait for the one under way to end. */
  #waiting: FlushCallback[] = [];
  /** Callbacks of the flush under way; undefined when none is. */
  #underWay: FlushCallback[] | undefined;
  /** What overwritten entries still pin, by the batch that must be durable first, in order. */
  readonly #unpins: { sequence: number; unpins: Unpin[] }[] = [];
  #failure: WalFailedError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(files: LogFiles, recovered: Recovered, options: WalOptions) {
    const segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    const session = randomInt(2 ** 32);
    this.#options = options;
    this.#maxPendingBytes = options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES;
    this.#groups = recovered.groups;
    this.#cache = new TailCache(options.cacheBytes ?? DEFAULT_CACHE_BYTES);
    this.#space = new SegmentSpace(files, {
      segmentBytes,
      retryDelayMs: options.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS,
      onWritableChange: (writable) => this.#writableChanged(writable),
      onFailure: (error) => this.#fail(new WalFailedError(error)),
    });
    this.#segments = new SegmentList(recovered.segments, {
      tailSegments: Math.max(1, options.tailSegments ?? DEFAULT_TAIL_SEGMENTS),
      space: this.#space,
      onFailure: (error) => this.#fail(new WalFailedError(error)),
    });
    this.#queue = new BatchQueue(recovered, { segments: this.#segments, segmentBytes, session });
    this.#committer = new Committer({
      files,
      space: this.#space,
      session,
      fsyncIntervalMs: options.fsyncIntervalMs ?? 0,
      segment: recovered.segments.at(-1),
      lastBatch: recovered.lastBatch,
      onDurable: (sequence) => this.#becameDurable(sequence),
      onSegment: () => {
        this.#segments.started();
        this.#space.prepareAhead();
      },
      onFailure: (error) => this.#fail(error),
    });
  }

  /**
   * False while the disk is full: refuse proposals. What was accepted before is not at risk, and what is given to the log
   * all the same, such as a vote, is written once there is space for it.
   */
  get writable(): boolean {
    return this.#space.writable && this.#failure === undefined && this.#closing === undefined;
  }

  /** Bytes that are buffered and not being written yet. */
  get pendingBytes(): number {
    return this.#queue.pendingBytes;
  }

  /** The groups that have something in the log. */
  groups(): Iterable<number> {
    return this.#groups.keys();
  }

  groupState(group: number): GroupState {
    const log = this.#groups.get(group) ?? new GroupLog(group);
    return {
      hardState: { ...log.hardState },
      firstIndex: log.baseIndex + 1,
      lastIndex: log.lastIndex,
      lastTerm: log.lastTerm,
      snapshotIndex: log.baseIndex,
      snapshotTerm: log.baseTerm,
    };
  }

  /**
   * Buffers entries, consecutive in index. One with an index that the group already has replaces that and all
   * behind it. The log keeps the entries until they leave its cache: neither they nor their data may change any
   * more.
   * @throws RangeError when the entries would leave a gap or overwrite what is released, or one is over 1 GiB
   * @throws WalFullError when they cannot be taken now; nothing of them was buffered
   */
  append(group: number, entries: readonly LogEntry[]): void {
    this.#checkAlive();
    if (entries.length === 0) return;
    const log = this.#log(group);
    const first = entries[0]!.index;
    if (first <= Math.max(log.released, log.baseIndex) || first > log.lastIndex + 1) {
      throw new RangeError(
        `entry ${first} of group ${group} does not fit the log: released to ${log.released}, last ${log.lastIndex}`,
      );
    }
    let bytes = 0;
    for (let i = 0; i < entries.length; i++) {
      const { index, data } = entries[i]!;
      if (index !== first + i)
        throw new RangeError(`entry ${index} of group ${group} follows ${first + i - 1}`);
      if (data.length > MAX_ENTRY_BYTES) throw new RangeError(`entry ${index} has ${data.length} bytes`);
      bytes += recordBytes(data.length);
    }
    this.#admit(bytes);
    let previousTerm = log.term(first - 1)!;
    for (const entry of entries) {
      const batch = this.#queue.place(recordBytes(entry.data.length));
      if (entry.index <= log.lastIndex) {
        // Only now: a segment header that `place` wrote must still show the log without this entry.
        this.#unpins.push({ sequence: batch.sequence, unpins: log.truncate(entry.index) });
      }
      log.push(entry.index, entry.term, batch.segment, batch.addEntry(log, entry, previousTerm));
      log.cache(entry);
      previousTerm = entry.term;
    }
  }

  /** Buffers the group's hard state. @throws WalFullError */
  saveHardState(group: number, state: HardState): void {
    const { term, vote, commit } = state;
    this.#record(RecordKind.hardState, group, term, vote, commit);
    this.#log(group).hardState = { term, vote, commit };
  }

  /** A snapshot took the place of the group's log, which restarts, empty, after `index`. @throws WalFullError */
  resetGroup(group: number, index: number, term: number): void {
    const sequence = this.#record(RecordKind.reset, group, index, term);
    this.#unpins.push({ sequence, unpins: this.#log(group).reset(index, term) });
  }

  /** The group left this node: its entries and its hard state are forgotten. @throws WalFullError */
  removeGroup(group: number): void {
    const sequence = this.#record(RecordKind.remove, group);
    this.#unpins.push({ sequence, unpins: this.#log(group).reset(0, 0) });
    this.#groups.delete(group);
  }

  /**
   * Writes everything buffered so far and calls back, in the order of the calls, when it is durable. An error means
   * that it may or may not be on disk, and that the log is dead.
   */
  flush(callback: FlushCallback): void {
    this.#checkAlive();
    this.#flush(callback);
  }

  /**
   * Resolves when all that was flushed is durable: with `fsyncIntervalMs` a flush ends before that. Rejects when the
   * log died.
   */
  async sync(): Promise<void> {
    this.#checkAlive();
    await promised((done) => this.#committer.sync(done));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Entries `from` ≤ index < `toExclusive`, from memory or from disk: as many as fit `maxBytes` of data, but one at
   * least if there is one.
   * @throws WalCompactedError when `from` was dropped, WalCorruptionError when an entry does not read back
   */
  entries(group: number, from: number, toExclusive: number, maxBytes: number): LogEntry[] {
    const log = this.#groups.get(group);
    const found: LogEntry[] = [];
    if (log === undefined) return found;
    if (from <= log.baseIndex) throw new WalCompactedError(group, from, log.baseIndex + 1);
    const end = Math.min(toExclusive, log.lastIndex + 1);
    const reader = new EntryReader();
    let bytes = 0;
    for (let index = from; index < end; index++) {
      const entry = index >= log.cachedFrom ? log.cached(index) : reader.read(log, index);
      bytes += entry.data.length;
      if (bytes > maxBytes && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  /** Term of an entry, or of the one just before the first; undefined for any other. */
  term(group: number, index: number): number | undefined {
    const log = this.#groups.get(group);
    if (log === undefined) return index === 0 ? 0 : undefined;
    return log.term(index);
  }

  /** Everything of this group up to `index` is safe elsewhere and may be dropped. */
  release(group: number, index: number): void {
    const log = this.#groups.get(group);
    if (log === undefined || index <= log.released || this.#failure !== undefined) return;
    log.released = Math.min(index, log.lastIndex);
    this.#segments.dropReleased();
  }

  /**
   * Flushes what is buffered, vouches for it with an empty batch, and closes the files. When the disk is too full
   * for what is buffered, the waiting flushes get an error instead.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#space.writable && this.#segments.hasPlanned) void this.#space.close(); // ends the wait for space
    if (this.#failure === undefined) await new Promise<void>((resolve) => this.#flush(() => resolve()));
    if (this.#failure === undefined && this.#queue.mark(0)) {
      await new Promise<void>((resolve) => this.#flush(() => resolve()));
    }
    if (this.#failure === undefined)
      await new Promise<void>((resolve) => this.#committer.sync(() => resolve()));
    this.#committer.stop();
    await this.#segments.close();
    await this.#space.close();
  }

  async #start(recovered: Recovered): Promise<void> {
    try {
      await this.#space.adopt();
      await rewriteUnproven(recovered);
    } catch (error) {
      this.#fail(new WalFailedError(error));
    }
    // The batch that opens the session vouches for what is there, so that must be durable first.
    await new Promise<void>((resolve) => this.#committer.sync(() => resolve()));
    if (this.#failure === undefined && this.#queue.mark(BATCH_OPENS_SESSION)) {
      await new Promise<void>((resolve) => this.#flush(() => resolve()));
    }
    if (this.#failure !== undefined) {
      await this.close();
      throw this.#failure;
    }
    this.#space.prepareAhead();
    this.#segments.dropReleased();
  }

  #flush(callback: FlushCallback): void {
    this.#waiting.push(callback);
    if (this.#underWay === undefined) this.#commit();
  }

  #commit(): void {
    const callbacks = this.#waiting;
    this.#waiting = [];
    this.#underWay = callbacks;
    const batches = this.#queue.takeAll();
    if (batches.length === 0) queueMicrotask(() => this.#committed(batches, callbacks));
    else this.#committer.commit(batches, () => this.#committed(batches, callbacks));
  }

  #committed(batches: Batch[], callbacks: FlushCallback[]): void {
    if (this.#failure !== undefined) return; // they got the error
    for (const batch of batches) {
      this.#cache.add(batch.firstIndexes.keys(), batch.entryBytes, (log) => this.#queue.unwrittenFrom(log));
    }
    this.#queue.giveBack(batches);
    this.#underWay = undefined;
    if (this.#waiting.length > 0) this.#commit(); // the disk need not wait for the callbacks
    for (const callback of callbacks) callback();
  }

  #becameDurable(sequence: number): void {
    if (this.#unpins.length === 0 || this.#failure !== undefined) return;
    while (this.#unpins.length > 0 && this.#unpins[0]!.sequence <= sequence)
      unpin(this.#unpins.shift()!.unpins);
    this.#segments.dropReleased();
  }

  #record(kind: number, group: number, a = 0, b = 0, c = 0): number {
    this.#checkAlive();
    const bytes = recordBytes(0);
    this.#admit(bytes);
    const batch = this.#queue.place(bytes);
    batch.add(kind, group, a, b, c);
    return batch.sequence;
  }

  #log(group: number): GroupLog {
    let log = this.#groups.get(group);
    if (log === undefined) {
      log = new GroupLog(group);
      this.#groups.set(group, log);
    }
    return log;
  }

  /**
   * Bounds what is buffered. For space nothing is refused: by the time that a replica has something to store there is no
   * way back, and whatever follows from it waits until it is durable.
   */
  #admit(bytes: number): void {
    const { pendingBytes } = this.#queue;
    if (pendingBytes > 0 && pendingBytes + bytes > this.#maxPendingBytes) throw new WalFullError();
  }

  #writableChanged(writable: boolean): void {
    if (this.#closing !== undefined) void this.#space.close();
    else this.#options.onWritableChange?.(writable);
  }

  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw new WalClosedError();
  }

  #fail(failure: WalFailedError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#committer.stop();
    const callbacks = [...(this.#underWay ?? []), ...this.#waiting];
    this.#waiting = [];
    queueMicrotask(() => {
      // Behind the callbacks of the flush before, which may be being called right now.
      if (this.#closing === undefined) this.#options.onFailure?.(failure);
      for (const callback of callbacks) callback(failure);
    });
  }
}
