/** A log in memory with the semantics the core asks of its owner: writes take effect in order, conflicts cut. */
import { EMPTY_HARD_STATE, type Entry, entryBytes, type HardState } from '../entry.ts';
import type { SnapshotMeta } from '../messages.ts';
import type { LogReader } from '../options.ts';
import type { Ready } from '../ready.ts';

export class StoredLog implements LogReader {
  hardState: HardState = EMPTY_HARD_STATE;
  /** What the owner would send to a follower whose entries are compacted. */
  snapshot: SnapshotMeta | undefined;
  #entries: Entry[] = [];
  /** The entry right before the first one kept. */
  #compacted = { index: 0, term: 0 };

  firstIndex(): number {
    return this.#compacted.index + 1;
  }

  lastIndex(): number {
    return this.#compacted.index + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#compacted.index) return this.#compacted.term;
    return this.#entries[index - this.firstIndex()]?.term;
  }

  entries(from: number, toExclusive: number, maxBytes: number): Entry[] {
    if (from < this.firstIndex() || toExclusive > this.lastIndex() + 1) {
      throw new RangeError(`entries [${from}, ${toExclusive}) are not in the log`);
    }
    const result: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < toExclusive; index++) {
      const entry = this.#entries[index - this.firstIndex()]!;
      bytes += entryBytes(entry);
      if (result.length > 0 && bytes > maxBytes) break;
      result.push(entry);
    }
    return result;
  }

  snapshotMeta(): SnapshotMeta | undefined {
    return this.snapshot;
  }

  /** Writes entries, hard state and snapshot of a Ready. */
  store(ready: Pick<Ready, 'entries' | 'hardState' | 'snapshot'>): void {
    if (ready.snapshot !== undefined) this.install(ready.snapshot);
    for (const entry of ready.entries) this.#put(entry);
    if (ready.hardState !== undefined) this.hardState = ready.hardState;
  }

  #put(entry: Entry): void {
    if (entry.index < this.firstIndex() || entry.index > this.lastIndex() + 1) {
      throw new RangeError(`entry ${entry.index} leaves a gap or is compacted`);
    }
    this.#entries.length = entry.index - this.firstIndex();
    this.#entries.push(entry);
  }

  /** Replaces everything by a snapshot. */
  install(snapshot: SnapshotMeta): void {
    this.#entries = [];
    this.#compacted = { index: snapshot.index, term: snapshot.term };
  }

  /** Drops entries up to `index`, which is kept as the entry before the first. */
  compact(index: number): void {
    const term = this.term(index);
    if (term === undefined) throw new RangeError(`cannot compact to ${index}`);
    this.#entries = this.#entries.slice(index - this.#compacted.index);
    this.#compacted = { index, term };
  }

  /** An independent copy: what a disk holds at a moment. */
  clone(): StoredLog {
    const copy = new StoredLog();
    copy.hardState = this.hardState;
    copy.snapshot = this.snapshot;
    copy.#entries = this.#entries.slice();
    copy.#compacted = this.#compacted;
    return copy;
  }
}
