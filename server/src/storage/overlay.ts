/**
 * A layer of writes that LMDB does not hold yet.
 *
 * Records go to an arena; a Map finds a key's entry, an ordered index keeps the keys in order, and an array says where
 * each entry's latest record is. An overwrite therefore costs one Map look-up and one array store and never touches the
 * index. A deletion of a key that may exist below is a record too; a deleted range is kept as a range that hides what
 * is below, beside the rows written into it later.
 */

import { Arena, type Chunk, type ChunkPool } from './arena.ts';
import { KeyRanges } from './key-ranges.ts';
import type { CursorOptions, Layer, LayerCursor } from './layers.ts';
import { OrderedIndex } from './ordered-index.ts';
import { OverlayCursor } from './overlay-cursor.ts';

/** What one key costs beside its record: Map entry, index entry, position, string header (measured, rounded up). */
export const INDEX_ENTRY_BYTES = 104;
const HIDDEN_RANGE_BYTES = 160;
const POSITIONS_AT_START = 1024;

/** What an overlay knows of a key. */
export const MISSING = -1;
export const DELETED = -2;

export class Overlay implements Layer {
  readonly #arena: Arena;
  readonly #entries = new Map<string, number>();
  readonly #index = new OrderedIndex();
  #positions = new Uint32Array(POSITIONS_AT_START);
  #entryCount = 0;
  #keyBytes = 0;
  /** The last key that was looked up: a write mostly follows the read of its key, and hashing a key twice costs. */
  #recentKey: string | undefined;
  #recentEntry: number | undefined;
  #hidden = KeyRanges.none;
  #holders = 1;

  constructor(pool: ChunkPool) {
    this.#arena = new Arena(pool);
  }

  /** The ranges of which nothing below this overlay is visible. */
  get hidden(): KeyRanges {
    return this.#hidden;
  }

  get isEmpty(): boolean {
    return this.#index.size === 0 && this.#hidden.size === 0;
  }

  /** How many keys have a record. */
  get size(): number {
    return this.#index.size;
  }

  /** Memory held: records, dead ones too, and the estimated index. */
  get bytes(): number {
    return this.#arena.usedBytes + this.#indexBytes;
  }

  /** Bytes of the records: what a checkpoint writes at most. */
  get recordBytes(): number {
    return this.#arena.usedBytes;
  }

  get chunks(): readonly Chunk[] {
    return this.#arena.chunks;
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value, false);
  }

  insert(key: string, value: Uint8Array): void {
    this.#write(key, value, true);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    const coveredBelow = this.#hidden.size > 0 && this.#hidden.indexOf(key) >= 0;
    if (entry === undefined) {
      if (!coveredBelow) this.#add(key, this.#arena.append(key, undefined, false));
    } else if (coveredBelow || this.#arena.isFresh(this.#positions[entry] as number)) {
      this.#index.remove(key);
      this.#forget(key);
    } else {
      this.#positions[entry] = this.#arena.append(key, undefined, false);
    }
  }

  deleteRange(from: string, to: string): void {
    this.#index.removeRange(from, to, this.#forget);
    this.#hidden = this.#hidden.with(from, to);
  }

  /** The position of the key's record, `DELETED`, or `MISSING` when a lower layer decides. */
  lookup(key: string): number {
    const entry = this.#entries.get(key);
    this.#recentKey = key;
    this.#recentEntry = entry;
    if (entry !== undefined) {
      const position = this.#positions[entry] as number;
      return this.#arena.isDeletion(position) ? DELETED : position;
    }
    return this.#hidden.size > 0 && this.#hidden.indexOf(key) >= 0 ? DELETED : MISSING;
  }

  /** A copy of the value at a position that `lookup` or a cursor gave. */
  valueAt(position: number): Uint8Array {
    return this.#arena.valueAt(position);
  }

  isDeletion(position: number): boolean {
    return this.#arena.isDeletion(position);
  }

  positionOf(entry: number): number {
    return this.#positions[entry] as number;
  }

  /** The keys in order, with their entries. */
  get index(): OrderedIndex {
    return this.#index;
  }

  cursor(options: CursorOptions): LayerCursor {
    return new OverlayCursor(this, options.reverse);
  }

  /** One more holder reads this overlay. */
  hold(): void {
    this.#holders++;
  }

  /** A holder is done; with the last one the memory goes back to the pool, which keeps `keep` chunks. */
  drop(keep: number): void {
    if (--this.#holders === 0) this.#arena.recycle(keep);
  }

  get #indexBytes(): number {
    return this.#entries.size * INDEX_ENTRY_BYTES + this.#keyBytes + this.#hidden.size * HIDDEN_RANGE_BYTES;
  }

  #write(key: string, value: Uint8Array, promisedNew: boolean): void {
    const entry = key === this.#recentKey ? this.#recentEntry : this.#entries.get(key);
    if (entry === undefined) {
      this.#add(key, this.#arena.append(key, value, promisedNew));
    } else {
      const fresh = this.#arena.isFresh(this.#positions[entry] as number);
      this.#positions[entry] = this.#arena.append(key, value, fresh);
    }
  }

  #add(key: string, position: number): void {
    const entry = this.#entryCount++;
    if (entry === this.#positions.length) {
      const larger = new Uint32Array(entry * 2);
      larger.set(this.#positions);
      this.#positions = larger;
    }
    this.#positions[entry] = position;
    this.#entries.set(key, entry);
    this.#recentKey = undefined;
    this.#index.add(key, entry);
    this.#keyBytes += key.length;
  }

  readonly #forget = (key: string): void => {
    this.#entries.delete(key);
    this.#recentKey = undefined;
    this.#keyBytes -= key.length;
  };
}
