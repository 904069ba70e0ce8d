/**
 * A bounded, sorted window over the smallest keys of an ordered index in the store.
 *
 * Invariant: the window holds every key of the index that is <= its bound, and no other key. The owner tells it of every
 * change of the index; a change above the bound is none of its business. When it runs empty it is refilled by one
 * range scan above the bound, so that taking from the front reads the store once per refill and not once per take. It is
 * a cache: what `first` gives never depends on what the window happens to hold.
 */
import type { StateRow } from '../machine.ts';

/** Counts the entries of all windows that share it, so that their owner can bound them together. */
export interface WindowBudget {
  entries: number;
}

/** Reads the index: at most `limit` rows with keys above `after` ('' = from the start), in order. */
export type IndexScan = (after: string, limit: number) => Iterable<StateRow>;

/** Most entries that one window holds. */
export const WINDOW_ENTRIES_MAX = 1024;
/** Rows that one refill reads at most. */
export const WINDOW_REFILL_ROWS = 256;
/** Above every key: the window holds the whole index. */
const EVERYTHING = '\uffff';
/** Taken entries are cut off the arrays once there are this many, and more of them than live ones. */
const COMPACT_AT = 64;

export class HeadWindow<V> {
  readonly #budget: WindowBudget;
  readonly #decode: (row: StateRow) => V;
  #keys: string[] = [];
  #values: V[] = [];
  /** Position of the first live entry; those before it are taken. */
  #head = 0;
  #bound: string;

  /**
   * @param decode makes the value that goes with a row of a refill
   * @param empty whether the index is known to be empty, so that the window need not look
   */
  constructor(budget: WindowBudget, decode: (row: StateRow) => V, empty: boolean) {
    this.#budget = budget;
    this.#decode = decode;
    this.#bound = empty ? EVERYTHING : '';
  }

  /** Entries held now. */
  get size(): number {
    return this.#keys.length - this.#head;
  }

  /** A key was added to the index. */
  add(key: string, value: V): void {
    if (key > this.#bound) return;
    const keys = this.#keys;
    const at =
      keys.length === this.#head || keys[keys.length - 1]! < key ? keys.length : this.#lowerBound(key);
    if (at === keys.length) {
      keys.push(key);
      this.#values.push(value);
    } else {
      keys.splice(at, 0, key);
      this.#values.splice(at, 0, value);
    }
    this.#budget.entries++;
    if (this.size > WINDOW_ENTRIES_MAX) {
      keys.pop();
      this.#values.pop();
      this.#budget.entries--;
      this.#bound = keys[keys.length - 1]!;
    }
  }

  /** A key was removed from the index. */
  delete(key: string): void {
    if (key > this.#bound) return;
    const at = this.#lowerBound(key);
    if (this.#keys[at] !== key) return;
    if (at === this.#head) {
      this.shift();
      return;
    }
    this.#keys.splice(at, 1);
    this.#values.splice(at, 1);
    this.#budget.entries--;
  }

  /** Makes sure that `firstKey` and `firstValue` are those of the index; false when the index is empty. */
  first(scan: IndexScan): boolean {
    if (this.#head === this.#keys.length && this.#bound !== EVERYTHING) this.#refill(scan);
    return this.#head < this.#keys.length;
  }

  /** Smallest key, after `first` returned true. */
  get firstKey(): string {
    return this.#keys[this.#head]!;
  }

  /** What goes with the smallest key, after `first` returned true. */
  get firstValue(): V {
    return this.#values[this.#head]!;
  }

  /** The smallest key, after `first` returned true, was removed from the index. */
  shift(): void {
    this.#head++;
    this.#budget.entries--;
    if (this.#head >= COMPACT_AT && this.#head * 2 > this.#keys.length) {
      this.#keys.splice(0, this.#head);
      this.#values.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Forgets everything. `empty`: the index is known to be empty now; otherwise the next `first` reads it again. */
  clear(empty: boolean): void {
    this.#budget.entries -= this.size;
    this.#keys = [];
    this.#values = [];
    this.#head = 0;
    this.#bound = empty ? EVERYTHING : '';
  }

  #refill(scan: IndexScan): void {
    this.#keys.length = 0;
    this.#values.length = 0;
    this.#head = 0;
    for (const row of scan(this.#bound, WINDOW_REFILL_ROWS)) {
      this.#keys.push(row.key);
      this.#values.push(this.#decode(row));
    }
    const read = this.#keys.length;
    this.#budget.entries += read;
    this.#bound = read < WINDOW_REFILL_ROWS ? EVERYTHING : this.#keys[read - 1]!;
  }

  /** Position of the first live key >= `key`. */
  #lowerBound(key: string): number {
    let low = this.#head;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
