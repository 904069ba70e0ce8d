/** The rows in LMDB as the lowest layer, read on the main thread. Every value is copied out of LMDB's memory. */

import { join } from 'node:path';
import { KeyRanges } from './key-ranges.ts';
import type { CursorOptions, LayerCursor, Table } from './layers.ts';
import { asDamage, DATABASE_FILE, type ReadOptions, type StateDatabase } from './lmdb-database.ts';

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
    const found = this.#find(key);
    if (found === undefined) return undefined;
    // The buffer belongs to lmdb-js, is longer than the value, and is overwritten by the next read.
    const value = Buffer.allocUnsafe(this.#database.lastSize);
    Buffer.prototype.copy.call(found, value, 0, 0, value.length);
    return value;
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  cursor(options: CursorOptions): LayerCursor {
    return new PagedCursor(this.#database, this.#options, options);
  }

  #find(key: string): Uint8Array | undefined {
    try {
      return this.#database.getBinaryFast(key, this.#options);
    } catch (error) {
      throw asDamage(fileOf(this.#database), error);
    }
  }
}

function fileOf(database: StateDatabase): string {
  return join(database.path, DATABASE_FILE);
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
  readonly #options: ReadOptions;
  readonly #range: CursorOptions;
  #keys: string[] = [];
  #values: Uint8Array[] = [];
  #at = 0;
  #pageRows: number;
  /** Where the next page starts; undefined when the range is read out. */
  #next: string | undefined;
  #sought = false;

  constructor(database: StateDatabase, options: ReadOptions, range: CursorOptions) {
    this.#database = database;
    this.#options = options;
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
    const { from, to, reverse } = this.#range;
    const rows = this.#pageRows;
    this.#keys = [];
    this.#values = [];
    this.#at = 0;
    this.#next = undefined;
    this.#pageRows = Math.min(rows * 4, PAGE_ROWS_MAX);
    if (reverse ? start <= from : start >= to) return;
    try {
      this.#read(start, rows);
    } catch (error) {
      throw asDamage(fileOf(this.#database), error);
    }
  }

  #read(start: string, rows: number): void {
    const { from, to, reverse, keysOnly } = this.#range;
    const range = reverse
      ? { start, exclusiveStart: true, end: from, inclusiveEnd: true, reverse, limit: rows, ...this.#options }
      : { start, end: to, limit: rows, ...this.#options };
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
