/**
 * The ordered store in memory alone: for `--storage=memory` and for tests. Nothing survives the process.
 *
 * A snapshot costs nothing until something changes: the store then first puts what the snapshot still sees into an
 * overlay of that snapshot's own, which lies on the live rows.
 */

import { ChunkPool } from './arena.ts';
import { StoreClosedError, ValueTooLargeError } from './errors.ts';
import { KeyRanges } from './key-ranges.ts';
import { checkBound, checkKeyLength, writeKey } from './keys.ts';
import { type CursorOptions, getThrough, hasThrough, type LayerCursor, type Table } from './layers.ts';
import { MergedRange } from './merged-range.ts';
import { type IndexCursor, OrderedIndex } from './ordered-index.ts';
import { MISSING, Overlay } from './overlay.ts';
import { Snapshots } from './snapshots.ts';
import {
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type OutOfSpace,
  type RangeOptions,
  type Row,
  type Store,
  type StoreSnapshot,
} from './store.ts';

export interface MemoryStoreOptions {
  /** Bytes of rows, their index estimated, at which `outOfSpace` is set. Default 1 GiB. */
  readonly maxBytes?: number;
  /** Most snapshots open at once. Default 4. */
  readonly maxSnapshots?: number;
  /** Age at which a snapshot is released. Default 600000. */
  readonly maxSnapshotAgeMs?: number;
  readonly onSpaceChange?: (space: OutOfSpace | undefined) => void;
}

const DEFAULTS = { maxBytes: 1024 * 1024 * 1024, maxSnapshots: 4, maxSnapshotAgeMs: 600_000 };

/** What one row costs beside its key and value: typed array, Map and index entries, string header. */
const ROW_OVERHEAD_BYTES = 200;

/** Opens an empty store. */
export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore({ ...DEFAULTS, ...options });
}

class MemoryStore implements Store {
  readonly #settings: typeof DEFAULTS & MemoryStoreOptions;
  readonly #rows = new MemoryTable();
  readonly #source = { layers: [this.#rows] };
  readonly #snapshots: Snapshots;
  /** For each open snapshot what it still sees and the live rows no longer are. */
  readonly #before = new Set<Overlay>();
  readonly #pool = new ChunkPool();
  readonly #keyCheck = new Uint8Array(MAX_KEY_BYTES);
  #outOfSpace: OutOfSpace | undefined;
  #closed = false;

  constructor(settings: typeof DEFAULTS & MemoryStoreOptions) {
    this.#settings = settings;
    this.#snapshots = new Snapshots(settings);
  }

  readonly overlayBytes = 0;
  readonly shouldCheckpoint = false;
  readonly blocked = false;

  get outOfSpace(): OutOfSpace | undefined {
    return this.#outOfSpace;
  }

  get(key: string): Uint8Array | undefined {
    this.#checkOpen();
    return this.#rows.get(key);
  }

  has(key: string): boolean {
    this.#checkOpen();
    return this.#rows.has(key);
  }

  range(options: RangeOptions): IterableIterator<Row> {
    this.#checkOpen();
    checkBound(options.from);
    checkBound(options.to);
    return new MergedRange(this.#source, options);
  }

  put(key: string, value: Uint8Array): void {
    this.#checkOpen();
    checkKeyLength(key);
    if (!this.#rows.has(key)) writeKey(key, this.#keyCheck, 0);
    if (value.length > MAX_VALUE_BYTES) {
      throw new ValueTooLargeError(
        `a value has ${value.length} bytes, the longest allowed is ${MAX_VALUE_BYTES}`,
      );
    }
    this.#keepFor(key);
    this.#rows.put(key, value);
    this.#measure();
  }

  insert(key: string, value: Uint8Array): void {
    this.put(key, value);
  }

  delete(key: string): void {
    this.#checkOpen();
    checkKeyLength(key);
    this.#keepFor(key);
    this.#rows.delete(key);
    this.#measure();
  }

  deleteRange(from: string, to: string): void {
    this.#checkOpen();
    checkBound(from);
    checkBound(to);
    if (from >= to) return;
    if (this.#before.size > 0) {
      for (const { key } of this.range({ from, to, keysOnly: true })) this.#keepFor(key);
    }
    this.#rows.deleteRange(from, to);
    this.#measure();
  }

  checkpoint(): Promise<void> {
    this.#checkOpen();
    return Promise.resolve();
  }

  snapshot(): StoreSnapshot {
    this.#checkOpen();
    this.#snapshots.checkLimit();
    const before = new Overlay(this.#pool);
    const overlays = [before];
    const source = { layers: [before, this.#rows] };
    this.#before.add(before);
    const view = {
      get: (key: string) => getThrough(overlays, this.#rows, key),
      has: (key: string) => hasThrough(overlays, this.#rows, key),
      range: (options: RangeOptions) => {
        checkBound(options.from);
        checkBound(options.to);
        return new MergedRange(source, options);
      },
    };
    return this.#snapshots.open(view, () => {
      this.#before.delete(before);
      before.drop(0);
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#snapshots.releaseAll();
    return Promise.resolve();
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreClosedError('the store is closed');
  }

  /** Lets the open snapshots keep what they see of `key`, which is about to change. */
  #keepFor(key: string): void {
    for (const before of this.#before) {
      if (before.lookup(key) !== MISSING) continue;
      const value = this.#rows.get(key);
      if (value === undefined) before.delete(key);
      else before.put(key, value);
    }
  }

  #measure(): void {
    let bytes = this.#rows.bytes;
    for (const before of this.#before) bytes += before.bytes;
    const freeBytes = this.#settings.maxBytes - bytes;
    if (freeBytes >= 0 === (this.#outOfSpace === undefined)) return;
    this.#outOfSpace =
      freeBytes >= 0 ? undefined : { where: 'memory', freeBytes: 0, neededBytes: -freeBytes };
    this.#settings.onSpaceChange?.(this.#outOfSpace);
  }
}

/** The live rows. */
class MemoryTable implements Table {
  readonly hidden = KeyRanges.none;
  readonly #values = new Map<string, Uint8Array>();
  readonly #index = new OrderedIndex();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key)?.slice();
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  put(key: string, value: Uint8Array): void {
    const old = this.#values.get(key);
    if (old === undefined) {
      this.#index.add(key, 0);
      this.#bytes += key.length + ROW_OVERHEAD_BYTES;
    }
    this.#bytes += value.length - (old?.length ?? 0);
    this.#values.set(key, new Uint8Array(value));
  }

  delete(key: string): void {
    if (!this.#values.has(key)) return;
    this.#index.remove(key);
    this.#forget(key);
  }

  deleteRange(from: string, to: string): void {
    this.#index.removeRange(from, to, this.#forget);
  }

  cursor(options: CursorOptions): LayerCursor {
    return new MemoryCursor(this.#values, this.#index.cursor(), options.reverse);
  }

  readonly #forget = (key: string): void => {
    const value = this.#values.get(key) as Uint8Array;
    this.#bytes -= key.length + value.length + ROW_OVERHEAD_BYTES;
    this.#values.delete(key);
  };
}

class MemoryCursor implements LayerCursor {
  readonly deletion = false;
  readonly #values: ReadonlyMap<string, Uint8Array>;
  readonly #place: IndexCursor;
  readonly #reverse: boolean;

  constructor(values: ReadonlyMap<string, Uint8Array>, place: IndexCursor, reverse: boolean) {
    this.#values = values;
    this.#place = place;
    this.#reverse = reverse;
  }

  get key(): string | undefined {
    return this.#place.key;
  }

  get stale(): boolean {
    return this.#place.stale;
  }

  value(): Uint8Array {
    return (this.#values.get(this.#place.key as string) as Uint8Array).slice();
  }

  seek(bound: string): void {
    if (this.#reverse) this.#place.seekBelow(bound);
    else this.#place.seekAtLeast(bound);
  }

  step(): void {
    if (this.#reverse) this.#place.retreat();
    else this.#place.advance();
  }
}
