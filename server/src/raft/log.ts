/**
 * One replica's log: the stored part, read through the owner's `LogReader`, and a window of recent entries in memory.
 *
 * The window begins as the entries that are not durable yet and keeps them until they are handed out to be applied, so
 * that the usual entry is never read back. These hold at all times:
 *
 *   applied ≤ applying ≤ min(committed, persisted) ≤ lastIndex
 *   persisted ≤ writing ≤ lastIndex               writing: the last index given to the owner to write
 *   windowStart + window.length = lastIndex + 1   every entry past `persisted` is in the window
 */
import { type Entry, entryBytes, NO_ENTRIES } from './entry.ts';
import { assert } from './errors.ts';
import type { SnapshotMeta } from './messages.ts';
import type { LogReader, ResolvedOptions } from './options.ts';

/** A write the owner was given and has not reported durable. */
interface Write {
  readonly first: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export class RaftLog {
  readonly #reader: LogReader;
  readonly #maxRetainedBytes: number;
  readonly #maxUnappliedBytes: number;
  #window: Entry[] = [];
  #windowStart: number;
  #windowBytes = 0;
  #lastIndex: number;
  #lastTerm: number;
  #writing: number;
  #persisted: number;
  #writes: Write[] = [];
  #committed: number;
  #applying: number;
  #applied: number;
  /** Bytes handed out to be applied since everything was applied the last time. */
  #unappliedBytes = 0;
  #snapshot: SnapshotMeta | undefined;
  #snapshotWriting = false;

  constructor(options: ResolvedOptions) {
    const { log, hardState, appliedIndex } = options;
    this.#reader = log;
    this.#maxRetainedBytes = options.maxRetainedBytes;
    this.#maxUnappliedBytes = options.maxCommittedBytesPerReady;
    this.#lastIndex = log.lastIndex();
    assert(hardState.commit <= this.#lastIndex, 'the stored log ends before the stored commit index');
    assert(appliedIndex <= this.#lastIndex, 'the stored log ends before the applied index');
    assert(appliedIndex >= log.firstIndex() - 1, 'the stored log begins after the applied index');
    this.#lastTerm = this.#storedTerm(this.#lastIndex) ?? 0;
    this.#windowStart = this.#lastIndex + 1;
    this.#writing = this.#lastIndex;
    this.#persisted = this.#lastIndex;
    // What was applied or compacted was committed, whatever the hard state had time to record.
    this.#committed = Math.max(hardState.commit, appliedIndex);
    this.#applying = appliedIndex;
    this.#applied = appliedIndex;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get lastTerm(): number {
    return this.#lastTerm;
  }

  /** Highest index that is durable here. */
  get persisted(): number {
    return this.#persisted;
  }

  get committed(): number {
    return this.#committed;
  }

  get applied(): number {
    return this.#applied;
  }

  /** Highest commit index that a hard state may name: entries not given to the owner yet could be lost without it. */
  get writtenCommit(): number {
    return Math.min(this.#committed, this.#writing);
  }

  /** Term of the entry at `index`; undefined when it is compacted or past the end. */
  term(index: number): number | undefined {
    if (index === this.#lastIndex) return this.#lastTerm;
    if (index >= this.#windowStart) return this.#window[index - this.#windowStart]?.term;
    if (this.#snapshot !== undefined) {
      return index === this.#snapshot.index ? this.#snapshot.term : undefined;
    }
    return this.#storedTerm(index);
  }

  #storedTerm(index: number): number | undefined {
    return index === 0 && this.#reader.firstIndex() === 1 ? 0 : this.#reader.term(index);
  }

  /** Whether the log holds the entry that is named: then it equals the other log up to there (paper §5.3). */
  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a candidate with that last entry may be voted for (election restriction, paper §5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.#lastTerm || (lastTerm === this.#lastTerm && lastIndex >= this.#lastIndex);
  }

  /**
   * Entries from `from` on, about `maxBytes` of them and at least one; may stop short of the end where the stored part
   * meets the window. Empty past the end. `from - 1` must have a term.
   */
  entriesFrom(from: number, maxBytes: number): readonly Entry[] {
    return this.#slice(from, this.#lastIndex, maxBytes);
  }

  #slice(from: number, last: number, maxBytes: number): readonly Entry[] {
    if (from > last) return NO_ENTRIES;
    if (from < this.#windowStart) {
      return this.#reader.entries(from, Math.min(last + 1, this.#windowStart), maxBytes);
    }
    const start = from - this.#windowStart;
    const end = last + 1 - this.#windowStart;
    let bytes = entryBytes(this.#window[start]!);
    let stop = start + 1;
    while (stop < end) {
      bytes += entryBytes(this.#window[stop]!);
      if (bytes > maxBytes) break;
      stop++;
    }
    return this.#window.slice(start, stop);
  }

  /** Adds one entry at the end: the leader's way. */
  append(entry: Entry): void {
    this.#window.push(entry);
    this.#windowBytes += entryBytes(entry);
    this.#lastIndex = entry.index;
    this.#lastTerm = entry.term;
  }

  /**
   * Takes over a leader's entries, which follow an entry that matched. What is already there stays: an append that
   * arrives late must not cut off what a newer one brought. The first real conflict replaces the rest (paper §5.3).
   */
  merge(entries: readonly Entry[]): void {
    let position = 0;
    while (position < entries.length) {
      const entry = entries[position]!;
      if (!this.matches(entry.index, entry.term)) break;
      position++;
    }
    if (position === entries.length) return;
    const first = entries[position]!.index;
    if (first <= this.#lastIndex) this.replaceFrom(first);
    for (; position < entries.length; position++) this.append(entries[position]!);
  }

  /** Drops the entries from `index` on, which `append` replaces right away. Durable ones go with the next write. */
  replaceFrom(index: number): void {
    assert(index > this.#committed, 'a leader contradicts a committed entry');
    if (index < this.#windowStart) {
      this.#window = [];
      this.#windowStart = index;
      this.#windowBytes = 0;
    } else {
      const removed = this.#window.splice(index - this.#windowStart);
      for (const entry of removed) this.#windowBytes -= entryBytes(entry);
    }
    this.#writing = Math.min(this.#writing, index - 1);
    this.#persisted = Math.min(this.#persisted, index - 1);
  }

  /** The last index ≤ `index` whose term is ≤ `term`, and that term; term 0 when it is unknown. See `replication.ts`. */
  lastAtOrBelowTerm(index: number, term: number): { index: number; term: number } {
    for (let i = Math.min(index, this.#lastIndex); i > 0; i--) {
      const own = this.term(i);
      if (own === undefined) return { index: i, term: 0 };
      if (own <= term) return { index: i, term: own };
    }
    return { index: 0, term: 0 };
  }

  /** A majority holds `index`: commits up to it if that entry is of `term`, the leader's own (paper §5.4.2). */
  commitByCounting(index: number, term: number): boolean {
    if (index <= this.#committed || this.term(index) !== term) return false;
    this.#committed = index;
    return true;
  }

  /** Commits what a leader declared committed and this log is known to share. */
  commitTo(index: number): void {
    if (index <= this.#committed) return;
    assert(index <= this.#lastIndex, 'a commit index is past the end of the log: was durable data lost?');
    this.#committed = index;
  }

  // --- writing ---

  /**
   * Whether writes must wait: for a snapshot to be installed, or because the next write would end in the same entry as
   * one under way (cut off and restored in between), whose completions could not be told apart.
   */
  isHeld(): boolean {
    if (this.#snapshot !== undefined && this.#snapshotWriting) return true;
    if (this.#writing === this.#lastIndex) return false;
    for (const write of this.#writes) {
      if (write.lastIndex === this.#lastIndex && write.lastTerm === this.#lastTerm) return true;
    }
    return false;
  }

  hasUnwritten(): boolean {
    return this.#writing < this.#lastIndex;
  }

  /** The entries to write next. They count as under way from now on. */
  takeUnwritten(): readonly Entry[] {
    if (this.#writing === this.#lastIndex) return NO_ENTRIES;
    const entries = this.#window.slice(this.#writing + 1 - this.#windowStart);
    this.#writes.push({
      first: this.#writing + 1,
      lastIndex: this.#lastIndex,
      lastTerm: this.#lastTerm,
    });
    this.#writing = this.#lastIndex;
    return entries;
  }

  /**
   * The write that ended with that entry, and all before it, are durable. Entries that have been replaced since do not
   * count: neither those a later write under way replaces, nor those still to be written. An id that no write ends
   * with is of no consequence.
   */
  completeWrite(lastIndex: number, lastTerm: number): void {
    let position = 0;
    while (position < this.#writes.length) {
      const write = this.#writes[position]!;
      if (write.lastIndex === lastIndex && write.lastTerm === lastTerm) break;
      position++;
    }
    if (position === this.#writes.length) return;
    let upTo = Math.min(lastIndex, this.#writing);
    for (let i = position + 1; i < this.#writes.length; i++) {
      upTo = Math.min(upTo, this.#writes[i]!.first - 1);
    }
    this.#writes = position + 1 === this.#writes.length ? [] : this.#writes.slice(position + 1);
    if (upTo > this.#persisted) this.#persisted = upTo;
    if (this.#windowBytes > this.#maxRetainedBytes) this.#dropWindowUpTo(this.#persisted);
  }

  // --- applying ---

  hasCommitted(): boolean {
    return (
      this.#applying < this.#committed &&
      this.#applying < this.#persisted &&
      this.#unappliedBytes < this.#maxUnappliedBytes &&
      this.#snapshot === undefined
    );
  }

  /** The next entries to apply. Only what is durable here: a restart must find them again. */
  takeCommitted(): readonly Entry[] {
    if (!this.hasCommitted()) return NO_ENTRIES;
    const last = Math.min(this.#committed, this.#persisted);
    const entries = this.#slice(this.#applying + 1, last, this.#maxUnappliedBytes - this.#unappliedBytes);
    assert(entries[0]?.index === this.#applying + 1, 'the stored log does not hold a committed entry');
    for (const entry of entries) this.#unappliedBytes += entryBytes(entry);
    this.#applying += entries.length;
    this.#dropWindowUpTo(this.#applying);
    return entries;
  }

  applyTo(index: number): void {
    assert(index <= this.#applying, 'an entry was applied that was never handed out');
    if (index <= this.#applied) return;
    this.#applied = index;
    if (index === this.#applying) this.#unappliedBytes = 0;
  }

  /** The committed entries that are not applied here, in pieces of about `maxBytes`, from `from` on. */
  unappliedFrom(from: number, maxBytes: number): readonly Entry[] {
    return this.#slice(from, this.#committed, maxBytes);
  }

  #dropWindowUpTo(index: number): void {
    const count = index + 1 - this.#windowStart;
    if (count <= 0) return;
    if (count >= this.#window.length) {
      this.#window = [];
      this.#windowBytes = 0;
    } else {
      for (let i = 0; i < count; i++) this.#windowBytes -= entryBytes(this.#window[i]!);
      this.#window = this.#window.slice(count);
    }
    this.#windowStart = index + 1;
  }

  // --- snapshots ---

  hasPendingSnapshot(): boolean {
    return this.#snapshot !== undefined;
  }

  hasUnwrittenSnapshot(): boolean {
    return this.#snapshot !== undefined && !this.#snapshotWriting;
  }

  takeSnapshot(): SnapshotMeta | undefined {
    if (!this.hasUnwrittenSnapshot()) return undefined;
    this.#snapshotWriting = true;
    return this.#snapshot;
  }

  /** A snapshot to send; undefined when the owner has none at this moment. */
  snapshotToSend(): SnapshotMeta | undefined {
    return this.#reader.snapshotMeta();
  }

  /** Replaces the whole log by a snapshot. The stored log is not read again until it is installed. */
  restore(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.#committed, 'a snapshot would undo committed entries');
    this.#snapshot = snapshot;
    this.#snapshotWriting = false;
    this.#window = [];
    this.#windowStart = snapshot.index + 1;
    this.#windowBytes = 0;
    this.#lastIndex = snapshot.index;
    this.#lastTerm = snapshot.term;
    this.#committed = snapshot.index;
    this.#writing = snapshot.index;
    this.#persisted = snapshot.index;
  }

  snapshotInstalled(index: number): void {
    assert(
      this.#snapshot !== undefined && this.#snapshotWriting && this.#snapshot.index === index,
      'a snapshot was installed that was not asked for',
    );
    this.#snapshot = undefined;
    this.#snapshotWriting = false;
    this.#applying = index;
    this.#applied = index;
    this.#unappliedBytes = 0;
  }
}
