/**
 * An ordered walk over layers as if they were one table.
 *
 * Two things keep a walk cheap where others slow down. Ranges that a layer hides are jumped over, not read. And when a
 * walk over a live store has passed a run of deleted rows, it turns the run into one deleted range: a queue whose head
 * was popped a hundred thousand times since the last checkpoint is then one jump, not a hundred thousand steps.
 */

import { KeyRanges } from './key-ranges.ts';
import { successor } from './keys.ts';
import type { Layer, LayerCursor } from './layers.ts';
import type { RangeOptions, Row } from './store.ts';

/** Deleted rows passed in one step before they become one deleted range. */
const HIDDEN_RUN_MIN = 8;
const NO_VALUE = new Uint8Array(0);

/** What a walk reads. */
export interface LayerSource {
  /** Newest first. A new array whenever it changes. */
  readonly layers: readonly Layer[];
  /** Told of ranges in which nothing is visible, when the source can make use of it. */
  readonly hideRange?: (from: string, to: string) => void;
}

export class MergedRange implements IterableIterator<Row> {
  readonly #source: LayerSource;
  readonly #from: string;
  readonly #to: string;
  readonly #reverse: boolean;
  readonly #keysOnly: boolean;
  #remaining: number;
  /** Forward: every row below it is done. Reverse: every row at or above it is. */
  #frontier: string;
  #layers: readonly Layer[] = [];
  #cursors: LayerCursor[] = [];
  /** What each layer hides, as last seen, and what the layers above each one hide together. */
  #hidden: KeyRanges[] = [];
  #hiddenAbove: KeyRanges[] = [];
  /** The part of this step's walk in which nothing was visible. */
  #runLow = '';
  #runHigh = '';
  #runRows = 0;

  constructor(source: LayerSource, options: RangeOptions) {
    this.#source = source;
    this.#from = options.from;
    this.#to = options.to;
    this.#reverse = options.reverse ?? false;
    this.#keysOnly = options.keysOnly ?? false;
    this.#remaining = options.from < options.to ? (options.limit ?? Number.POSITIVE_INFINITY) : 0;
    this.#frontier = this.#reverse ? options.to : options.from;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Row, undefined> {
    if (this.#remaining <= 0) return { done: true, value: undefined };
    this.#runLow = this.#runHigh = '';
    this.#runRows = 0;
    this.#refresh();
    for (;;) {
      const winner = this.#nearest();
      const cursor = this.#cursors[winner];
      const key = cursor?.key;
      if (cursor === undefined || key === undefined || (this.#reverse ? key < this.#from : key >= this.#to)) {
        this.#remaining = 0;
        this.#hideRun(undefined);
        return { done: true, value: undefined };
      }
      const visible = !cursor.deletion;
      const value = visible && !this.#keysOnly ? cursor.value() : NO_VALUE;
      for (let i = winner; i < this.#cursors.length; i++) {
        const other = this.#cursors[i] as LayerCursor;
        if (other.key === key) other.step();
      }
      if (visible) {
        this.#hideRun(key);
        this.#remaining--;
        this.#frontier = this.#reverse ? key : successor(key);
        return { done: false, value: { key, value } };
      }
      this.#extendRun(key, successor(key));
      this.#runRows++;
    }
  }

  return(): IteratorResult<Row, undefined> {
    this.#remaining = 0;
    return { done: true, value: undefined };
  }

  /** The newest cursor among those with the nearest key; -1 when all are at their end. */
  #nearest(): number {
    let nearest = -1;
    let nearestKey = '';
    for (let i = 0; i < this.#cursors.length; i++) {
      const key = this.#keyInSight(i);
      if (key === undefined) continue;
      if (nearest < 0 || (this.#reverse ? key > nearestKey : key < nearestKey)) {
        nearest = i;
        nearestKey = key;
      }
    }
    return nearest;
  }

  /** The key of a cursor after it jumped over what newer layers hide. */
  #keyInSight(index: number): string | undefined {
    const cursor = this.#cursors[index] as LayerCursor;
    const above = this.#hiddenAbove[index] as KeyRanges;
    if (above.size === 0) return cursor.key;
    for (;;) {
      const key = cursor.key;
      if (key === undefined || (this.#reverse ? key < this.#from : key >= this.#to)) return key;
      const range = above.indexOf(key);
      if (range < 0) return key;
      this.#extendRun(above.from(range), above.to(range));
      cursor.seek(this.#reverse ? above.from(range) : above.to(range));
    }
  }

  /** Follows what changed in the source since the last step. */
  #refresh(): void {
    const layers = this.#source.layers;
    if (layers !== this.#layers) {
      this.#layers = layers;
      this.#hidden = [];
      const options = {
        from: this.#from,
        to: this.#to,
        reverse: this.#reverse,
        keysOnly: this.#keysOnly,
        limit: this.#remaining,
      };
      this.#cursors = layers.map((layer) => layer.cursor(options));
    }
    if (layers.some((layer, i) => layer.hidden !== this.#hidden[i])) {
      this.#hidden = layers.map((layer) => layer.hidden);
      let above = KeyRanges.none;
      this.#hiddenAbove = this.#hidden.map((hidden) => {
        const result = above;
        above = above.union(hidden);
        return result;
      });
    }
    for (let i = 0; i < this.#cursors.length; i++) {
      const cursor = this.#cursors[i] as LayerCursor;
      if (cursor.stale) cursor.seek(this.#frontierOf(i));
    }
  }

  /** The frontier, moved over what newer layers hide of this one: a table would otherwise read a page of it first. */
  #frontierOf(index: number): string {
    const above = this.#hiddenAbove[index] as KeyRanges;
    const range = this.#reverse ? above.indexBefore(this.#frontier) : above.indexOf(this.#frontier);
    if (range < 0) return this.#frontier;
    this.#extendRun(above.from(range), above.to(range));
    return this.#reverse ? above.from(range) : above.to(range);
  }

  #extendRun(low: string, high: string): void {
    if (this.#source.hideRange === undefined) return;
    if (this.#runHigh === '' || low < this.#runLow) this.#runLow = low;
    if (high > this.#runHigh) this.#runHigh = high;
  }

  /** Ends a run of hidden rows at the visible key `stop`, or at the end of the range. Only what was walked is hidden. */
  #hideRun(stop: string | undefined): void {
    if (this.#runRows < HIDDEN_RUN_MIN || this.#source.hideRange === undefined) return;
    const walkedLow = this.#reverse ? (stop === undefined ? this.#from : successor(stop)) : this.#frontier;
    const walkedHigh = this.#reverse ? this.#frontier : (stop ?? this.#to);
    let low = walkedLow;
    if (this.#runLow > low) low = this.#runLow;
    let high = walkedHigh;
    if (this.#runHigh < high) high = this.#runHigh;
    this.#source.hideRange(low, high);
  }
}
