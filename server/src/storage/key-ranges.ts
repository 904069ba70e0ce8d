/** An immutable set of keys made of disjoint half-open ranges, in order: what a layer hides of the layers below it. */
export class KeyRanges {
  static readonly none = new KeyRanges([], []);

  readonly #froms: readonly string[];
  readonly #tos: readonly string[];

  private constructor(froms: readonly string[], tos: readonly string[]) {
    this.#froms = froms;
    this.#tos = tos;
  }

  get size(): number {
    return this.#froms.length;
  }

  from(index: number): string {
    return this.#froms[index] as string;
  }

  to(index: number): string {
    return this.#tos[index] as string;
  }

  /** The index of the range that has `key`, or -1. */
  indexOf(key: string): number {
    const index = this.#startingUpTo(key) - 1;
    return index >= 0 && key < this.to(index) ? index : -1;
  }

  /** The index of the range in which the keys just below `bound` are, or -1. */
  indexBefore(bound: string): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.from(middle) < bound) low = middle + 1;
      else high = middle;
    }
    return low > 0 && bound <= this.to(low - 1) ? low - 1 : -1;
  }

  /** This set and `[from, to)`; ranges that overlap or touch become one. */
  with(from: string, to: string): KeyRanges {
    if (from >= to) return this;
    // The ranges [first, last) overlap or touch the new one.
    let first = this.#startingUpTo(from);
    if (first > 0 && this.to(first - 1) >= from) first--;
    const last = Math.max(this.#startingUpTo(to), first);
    const low = first < last && this.from(first) < from ? this.from(first) : from;
    const high = first < last && this.to(last - 1) > to ? this.to(last - 1) : to;
    return new KeyRanges(
      [...this.#froms.slice(0, first), low, ...this.#froms.slice(last)],
      [...this.#tos.slice(0, first), high, ...this.#tos.slice(last)],
    );
  }

  union(other: KeyRanges): KeyRanges {
    if (other.size === 0) return this;
    if (this.size === 0) return other;
    const froms: string[] = [];
    const tos: string[] = [];
    for (let mine = 0, theirs = 0; mine < this.size || theirs < other.size; ) {
      const takeMine = theirs === other.size || (mine < this.size && this.from(mine) <= other.from(theirs));
      const from = takeMine ? this.from(mine) : other.from(theirs);
      const to = takeMine ? this.to(mine++) : other.to(theirs++);
      const end = tos.length - 1;
      if (end >= 0 && from <= (tos[end] as string)) {
        if (to > (tos[end] as string)) tos[end] = to;
      } else {
        froms.push(from);
        tos.push(to);
      }
    }
    return new KeyRanges(froms, tos);
  }

  /** How many ranges start at or before `key`. */
  #startingUpTo(key: string): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.from(middle) <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
