/**
 * Writes that are in the log of this node and not applied: by index and term, which name an entry for good.
 *
 * A leader that is deposed keeps them for a while. An entry of its may have reached others, and the next leader commits
 * it then: its callers get the answer that they wait for. Where another entry takes its index, it is lost for certain,
 * and so it is once an entry of a later term is committed before it: terms never go back along a log (paper §5.3), so
 * with the first entry of the next leader all is known. Until then nobody can tell, and after a time its callers are told
 * just that.
 */
import type { Proposal } from '../services/groups.ts';

/** Commands of one entry that this node proposed, until the entry is applied. */
export interface Proposed {
  readonly index: number;
  readonly term: number;
  readonly stamp_ms: number;
  readonly proposals: readonly Proposal[];
}

export class ProposedWrites {
  /** By rising index. */
  #proposed: Proposed[] = [];
  /** Of the last entry that was applied. */
  #appliedTerm = 0;

  get length(): number {
    return this.#proposed.length;
  }

  /**
   * Whoever leads again may propose at an index below those of its last time: its log was cut meanwhile, and the old
   * entries, which others may hold, are still in doubt.
   */
  push(proposed: Proposed): void {
    const behind = this.#proposed.findLastIndex(({ index }) => index <= proposed.index);
    this.#proposed.splice(behind + 1, 0, proposed);
  }

  /**
   * What this node proposed as the entry that is applied now. Those that lost their place to it are handed to `lost`.
   */
  take(index: number, term: number, lost: (proposed: Proposed) => void): Proposed | undefined {
    if (term !== this.#appliedTerm) {
      this.#appliedTerm = term;
      this.#loseOlder(term, lost);
    }
    for (;;) {
      const first = this.#proposed[0];
      if (first === undefined || first.index > index) return undefined;
      this.#proposed.shift();
      if (first.index === index && first.term === term) return first;
      lost(first);
    }
  }

  #loseOlder(term: number, lost: (proposed: Proposed) => void): void {
    const older = this.#proposed.filter((proposed) => proposed.term < term);
    if (older.length === 0) return;
    this.#proposed = this.#proposed.filter((proposed) => proposed.term >= term);
    for (const proposed of older) lost(proposed);
  }

  takeAll(): readonly Proposed[] {
    const all = this.#proposed;
    this.#proposed = [];
    return all;
  }
}
