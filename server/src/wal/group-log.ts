import { Extent, type Segment } from './segment.ts';

/** What Raft must find again after a crash, besides its entries. All zero for a group that never saved one. */
export interface HardState {
  term: number;
  /** Node voted for in `term`; 0 for none. */
  vote: number;
  commit: number;
}

/** One Raft log entry. `kind` (0–255) means nothing to the log. */
export interface LogEntry {
  index: number;
  term: number;
  kind: number;
  data: Uint8Array;
}

/**
 * The log of one group as the memory knows it: its bounds, the term of every entry (as runs), where every entry is
 * on disk (as extents) and the newest entries themselves.
 */
export class GroupLog {
  readonly group: number;
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** Index and term of the entry just before the first one that is kept. */
  baseIndex = 0;
  baseTerm = 0;
  lastIndex = 0;
  /** Everything up to this index may be dropped. */
  released = 0;
  #extents: Extent[] = [];
  #runStarts: number[] = [];
  #runTerms: number[] = [];
  /** The newest entries; the last one is `lastIndex`. */
  #cached: LogEntry[] = [];

  constructor(group: number) {
    this.group = group;
  }

  get lastTerm(): number {
    return this.#runTerms.at(-1) ?? this.baseTerm;
  }

  /** First index that is held in memory; `lastIndex + 1` when none is. */
  get cachedFrom(): number {
    return this.lastIndex + 1 - this.#cached.length;
  }

  /** Term of an entry, or of the one just before the first; undefined outside of the log. */
  term(index: number): number | undefined {
    if (index === this.baseIndex) return this.baseTerm;
    if (index < this.baseIndex || index > this.lastIndex) return undefined;
    let run = this.#runStarts.length - 1;
    while (this.#runStarts[run]! > index) run--; // asked for near the end, and terms change rarely
    return this.#runTerms[run];
  }

  cached(index: number): LogEntry {
    return this.#cached[index - this.cachedFrom]!;
  }

  /** The extent that holds `index`, which is in the log. */
  extentOf(index: number): Extent {
    let low = 0;
    let high = this.#extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#extents[middle]!.firstIndex <= index) low = middle;
      else high = middle - 1;
    }
    return this.#extents[low]!;
  }

  /** Notes the entry `lastIndex + 1`, which is (or is about to be) at `position` of `segment`. */
  push(index: number, term: number, segment: Segment, position: number): void {
    let extent = this.#extents.at(-1);
    if (extent === undefined || extent.segment !== segment) {
      extent = new Extent(this, segment, index);
      this.#extents.push(extent);
    }
    extent.push(position);
    if (this.#runTerms.at(-1) !== term) {
      this.#runStarts.push(index);
      this.#runTerms.push(term);
    }
    this.lastIndex = index;
  }

  /** Keeps the entry just pushed in memory until it is evicted. */
  cache(entry: LogEntry): void {
    this.#cached.push(entry);
  }

  /** Forgets the cached entries up to `index`; they can be read from disk. */
  evict(index: number): void {
    const count = Math.min(index + 1 - this.cachedFrom, this.#cached.length);
    if (count > 0) this.#cached.splice(0, count);
  }

  /**
   * Cuts the log before `index`, which is past `baseIndex`. The extents that lose entries pin their segments until
   * each of the returned unpins is applied, once the record that says so is durable: until then a crash brings the
   * entries back.
   */
  truncate(index: number): Unpin[] {
    const unpins: Unpin[] = [];
    this.#cached.length = Math.max(0, this.#cached.length - (this.lastIndex + 1 - index));
    while (this.#extents.length > 0) {
      const extent = this.#extents.at(-1)!;
      if (extent.lastIndex < index) break;
      const whole = extent.firstIndex >= index;
      if (whole) this.#extents.pop();
      else extent.count = index - extent.firstIndex;
      extent.pinnedThrough = Number.POSITIVE_INFINITY;
      extent.version++;
      unpins.push({ extent, pinnedThrough: whole ? 0 : index - 1, version: extent.version });
    }
    while (this.#runStarts.length > 0 && this.#runStarts.at(-1)! >= index) {
      this.#runStarts.pop();
      this.#runTerms.pop();
    }
    this.lastIndex = index - 1;
    return unpins;
  }

  /** Restarts the log, empty, after `index`. The unpins are as in `truncate`. */
  reset(index: number, term: number): Unpin[] {
    const unpins = this.truncate(this.baseIndex + 1);
    this.baseIndex = index;
    this.baseTerm = term;
    this.lastIndex = index;
    this.released = index;
    return unpins;
  }

  /** Drops the log's first entries, those of an extent whose segment goes. */
  drop(extent: Extent): void {
    if (this.#extents[0] !== extent) return; // overwritten since
    const index = extent.lastIndex;
    this.baseTerm = this.term(index)!;
    this.baseIndex = index;
    this.#extents.shift();
    this.evict(index);
    while (this.#runStarts.length > 1 && this.#runStarts[1]! <= index + 1) {
      this.#runStarts.shift();
      this.#runTerms.shift();
    }
    if (index === this.lastIndex) {
      this.#runStarts.length = 0;
      this.#runTerms.length = 0;
    } else {
      this.#runStarts[0] = index + 1; // no run may outlive its entries when the log is cut right here
    }
  }

  /** Whether nothing would be lost by forgetting that the group ever was here. */
  isBlank(): boolean {
    const { term, vote, commit } = this.hardState;
    return term === 0 && vote === 0 && commit === 0 && this.lastIndex === 0 && this.lastTerm === 0;
  }
}

/** What an extent is still needed for, unless it changed again since. */
export interface Unpin {
  extent: Extent;
  pinnedThrough: number;
  version: number;
}

/** Applies what `truncate` or `reset` returned. */
export function unpin(unpins: readonly Unpin[]): void {
  for (const { extent, pinnedThrough, version } of unpins) {
    if (extent.version === version) extent.pinnedThrough = pinnedThrough;
  }
}
