/** The rows in LMDB as the lowest layer, read on the main thread. Every value is copied out of LMDB's memory. */

import { KeyRanges } from './key-ranges.ts';
import type { CursorOptions, LayerCursor, Table } from './layers.ts';
import type { ReadOptions, StateDatabase } from './lmdb-database.ts';

const copyOf = Uint8Array.prototype.slice;
const NO_OPTIONS: ReadOptions = {};

export class LmdbTable implements Table {
  readonly hidden = KeyRanges.none;
  readonly #database: StateDatabase;
  readonly #options: ReadOptions;

  /** @param options with a transaction: reads that transaction's state; without: the latest, once a turn. */
  constructor(database: StateDatabase, options: ReadOptions = NO_OPTIONS) {
    this.#database = database;
    this.#options = options;
  }

  get(key: string): Uint8Array | undefined {
    const found = this.#database.getBinaryFast(key, this.#options);
    // The buffer belongs to lmdb-js, is longer than the value, and is overwritten by the next read.
    return found === undefined ? undefined : copyOf.call(found, 0, this.#database.lastSize);
  }

  has(key: string): boolean {
    return this.#database.getBinaryFast(key, this.#options) !== undefined;
  }

  cursor(options: CursorOptions): LayerCursor {
    return new PagedCursor(this.#database, this.#options, options);
  }
}

const PAGE_ROWS_AT_START = 16;
const PAGE_ROWS_MAX = 256;
const PAGE_VALUE_BYTES_MAX = 256 * 1024;

/**
 * Reads LMDB some rows at a time and closes LMDB's cursor after each page: a walk that its reader abandons then pins
 * nothing, and lmdb-js may renew its read transaction between turns.
 */
class PagedCursor implements LayerCursor {
  readonly deletion = false;
  readonly #database: StateDatabase;
  readonly #read: ReadOptions;
  readonly #range: CursorOptions;
  #keys: string[] = [];
  #values: Uint8Array[] = [];
  #at = 0;
  #pageRows: number;
  /** Where the next page starts; undefined when the range is read out. */
  #next: string | undefined;
  #sought = false;

  constructor(database: StateDatabase, read: ReadOptions, range: CursorOptions) {
    this.#database = database;
    this.#read = read;
    this.#range = range;
    this.#pageRows = Math.min(range.limit, PAGE_ROWS_AT_START);
  }

  get stale(): boolean {
    return !this.#sought;
  }

  get key(): string | undefined {
    if (this.#at === this.#keys.length && this.#next !== undefined) this.#fetch(this.#next);
    return this.#keys[this.#at];
  }

  value(): Uint8Array {
    return this.#values[this.#at] as Uint8Array;
  }

  seek(bound: string): void {
    this.#sought = true;
    const { reverse } = this.#range;
    while (this.#at < this.#keys.length) {
      const key = this.#keys[this.#at] as string;
      if (reverse ? key < bound : key >= bound) return;
      this.#at++;
    }
    // Behind the page: what was read of the way there no longer matters, unless the range ended in it.
    if (this.#keys.length === 0 || this.#next !== undefined) this.#next = bound;
  }

  step(): void {
    this.#at++;
  }

  #fetch(start: string): void {
    const { from, to, reverse, keysOnly } = this.#range;
    const rows = this.#pageRows;
    this.#keys = [];
    this.#values = [];
    this.#at = 0;
    this.#next = undefined;
    this.#pageRows = Math.min(rows * 4, PAGE_ROWS_MAX);
    if (reverse ? start <= from : start >= to) return;
    const range = reverse
      ? { start, exclusiveStart: true, end: from, inclusiveEnd: true, reverse, limit: rows, ...this.#read }
      : { start, end: to, limit: rows, ...this.#read };
    if (keysOnly) {
      for (const key of this.#database.getKeys(range)) this.#keys.push(key);
    } else {
      let bytes = 0;
      for (const { key, value } of this.#database.getRange(range)) {
        this.#keys.push(key);
        this.#values.push(value);
        bytes += value.length;
        if (bytes >= PAGE_VALUE_BYTES_MAX) break;
      }
      if (bytes >= PAGE_VALUE_BYTES_MAX) {
        this.#next = this.#behindLast();
        return;
      }
    }
    if (this.#keys.length === rows) this.#next = this.#behindLast();
  }

  #behindLast(): string {
    const last = this.#keys[this.#keys.length - 1] as string;
    return this.#range.reverse ? last : `${last}\0`;
  }
}
