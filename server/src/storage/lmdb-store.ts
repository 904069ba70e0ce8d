/**
 * The ordered store on LMDB.
 *
 * Writes go to the active overlay. A checkpoint freezes it, lets the writer thread put it into LMDB in one transaction,
 * and drops it once that is flushed; meanwhile reads look through active overlay, frozen ones and LMDB. A snapshot
 * freezes the active overlay too (at no cost: it only becomes the first of the frozen ones) and keeps it together with
 * a read transaction. The main thread never writes LMDB and never waits for it.
 */

import { ChunkPool } from './arena.ts';
import type { OverlayBatch } from './checkpoint-batch.ts';
import { type CheckpointWriter, ThreadedWriter } from './checkpoint-writer.ts';
import { OutOfSpaceError, SnapshotLimitError, StoreClosedError, StoreFailedError } from './errors.ts';
import { type FolderLock, lockFolder } from './folder-lock.ts';
import { checkBound } from './keys.ts';
import { getThrough, hasThrough, type Layer, type Table } from './layers.ts';
import { type OpenDatabase, openCheckedDatabase } from './lmdb-database.ts';
import { LmdbTable } from './lmdb-table.ts';
import { MergedRange } from './merged-range.ts';
import { Overlay } from './overlay.ts';
import { Snapshots } from './snapshots.ts';
import { checkpointNeedBytes, findLack, freeDiskBytes } from './space.ts';
import type { OutOfSpace, RangeOptions, Row, Store, StoreEvents, StoreSnapshot, StoreView } from './store.ts';

const MiB = 1024 * 1024;

export interface LmdbStoreOptions extends StoreEvents {
  /** Address space for the database, its greatest size. Costs nothing until used. Default 1 TiB. */
  readonly mapSizeBytes?: number;
  /** Size of the overlay at which `shouldCheckpoint` turns true. Default 16 MiB. */
  readonly checkpointBytes?: number;
  /** Size of all overlays at which `blocked` turns true. Default 48 MiB. */
  readonly maxOverlayBytes?: number;
  /** Age of the oldest unflushed write at which `shouldCheckpoint` turns true. Default 5000. */
  readonly checkpointAgeMs?: number;
  /** Most snapshots open at once. Default 4. */
  readonly maxSnapshots?: number;
  /** Age at which a snapshot is released: it keeps LMDB from reusing pages. Default 600000. */
  readonly maxSnapshotAgeMs?: number;
  /** Free bytes on the disk of a folder. Default: asks the file system. */
  readonly freeDiskBytes?: (directory: string) => number;
  /** Monotonic clock in ms. Default `performance.now`. */
  readonly now?: () => number;
  /** What writes the batches. Default: the writer thread. */
  readonly writer?: CheckpointWriter;
}

const DEFAULTS = {
  mapSizeBytes: 1024 * 1024 * MiB,
  checkpointBytes: 16 * MiB,
  maxOverlayBytes: 48 * MiB,
  checkpointAgeMs: 5000,
  maxSnapshots: 4,
  maxSnapshotAgeMs: 600_000,
  freeDiskBytes,
  now: () => performance.now(),
};

/** Overlays below the active one at which no snapshot may freeze another: each one slows every read. */
const FROZEN_OVERLAYS_MAX = 8;
/** Hidden ranges at which a checkpoint is due whatever the bytes. */
const HIDDEN_RANGES_MAX = 4096;
/** How long after a refused checkpoint the room is looked at again. */
const SPACE_RECHECK_MS = 1000;
/** Keys put in order between two turns of the event loop while a checkpoint is prepared: well under a millisecond. */
const ORDER_SLICE_KEYS = 4096;
/** Chunks kept for reuse even when the last checkpoint was small. */
const POOLED_CHUNKS_MIN = 2;

/**
 * Opens the store in `directory`, creating it if need be, and locks the folder until `close`.
 * @throws DataFolderLockedError @throws StoreDamagedError @throws StoreFormatError
 */
export async function openLmdbStore(directory: string, options: LmdbStoreOptions): Promise<Store> {
  const lock = lockFolder(directory);
  try {
    const settings = { ...DEFAULTS, ...options };
    const database = openCheckedDatabase(directory, settings.mapSizeBytes);
    return new LmdbStore(directory, settings, database, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

type Settings = typeof DEFAULTS & LmdbStoreOptions;

class LmdbStore implements Store {
  readonly #directory: string;
  readonly #settings: Settings;
  readonly #database: OpenDatabase;
  readonly #lock: FolderLock;
  readonly #table: Table;
  readonly #writer: CheckpointWriter;
  readonly #snapshots: Snapshots;
  readonly #pool = new ChunkPool();
  #pooledChunks = POOLED_CHUNKS_MIN;
  #active = new Overlay(this.#pool);
  /** Newest first, the active overlay at the head; `#layers` is the same with the table at its end. */
  #overlays: readonly Overlay[] = [this.#active];
  #layers: readonly Layer[];
  #oldestWriteAt: number | undefined;
  #underWay: Promise<void> | undefined;
  #outOfSpace: OutOfSpace | undefined;
  #spaceLookedAt = 0;
  #closing: Promise<void> | undefined;
  /** Why every call is refused. */
  #refusal: StoreFailedError | StoreClosedError | undefined;

  constructor(directory: string, settings: Settings, database: OpenDatabase, lock: FolderLock) {
    this.#directory = directory;
    this.#settings = settings;
    this.#database = database;
    this.#lock = lock;
    this.#table = new LmdbTable(database.state);
    this.#layers = [this.#active, this.#table];
    this.#writer = settings.writer ?? new ThreadedWriter({ directory, mapSizeBytes: settings.mapSizeBytes });
    this.#snapshots = new Snapshots(settings);
  }

  get(key: string): Uint8Array | undefined {
    if (this.#refusal !== undefined) throw this.#refusal;
    return getThrough(this.#overlays, this.#table, key);
  }

  has(key: string): boolean {
    if (this.#refusal !== undefined) throw this.#refusal;
    return hasThrough(this.#overlays, this.#table, key);
  }

  range(options: RangeOptions): IterableIterator<Row> {
    if (this.#refusal !== undefined) throw this.#refusal;
    checkBound(options.from);
    checkBound(options.to);
    return new MergedRange(this.#source, options);
  }

  put(key: string, value: Uint8Array): void {
    this.#beforeWrite();
    this.#active.put(key, value);
  }

  insert(key: string, value: Uint8Array): void {
    this.#beforeWrite();
    this.#active.insert(key, value);
  }

  delete(key: string): void {
    this.#beforeWrite();
    this.#active.delete(key);
  }

  deleteRange(from: string, to: string): void {
    checkBound(from);
    checkBound(to);
    this.#beforeWrite();
    if (from < to) this.#active.deleteRange(from, to);
  }

  get overlayBytes(): number {
    let bytes = 0;
    for (const overlay of this.#overlays) bytes += overlay.bytes;
    return bytes;
  }

  get blocked(): boolean {
    return this.overlayBytes >= this.#settings.maxOverlayBytes;
  }

  get outOfSpace(): OutOfSpace | undefined {
    return this.#outOfSpace;
  }

  get shouldCheckpoint(): boolean {
    if (this.#underWay !== undefined || this.#refusal !== undefined || this.#oldestWriteAt === undefined)
      return false;
    const now = this.#settings.now();
    if (this.#outOfSpace !== undefined && now - this.#spaceLookedAt < SPACE_RECHECK_MS) return false;
    return (
      now - this.#oldestWriteAt >= this.#settings.checkpointAgeMs ||
      this.#active.hidden.size >= HIDDEN_RANGES_MAX ||
      this.overlayBytes >= this.#settings.checkpointBytes
    );
  }

  checkpoint(sources: Promise<void> = Promise.resolve()): Promise<void> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.#underWay !== undefined) return this.#underWay;
    const overlays = this.#overlays.filter((overlay) => !overlay.isEmpty);
    if (overlays.length === 0) return Promise.resolve();
    const lack = this.#findLack(overlays);
    this.#setOutOfSpace(lack);
    if (lack !== undefined) return Promise.reject(new OutOfSpaceError(lack));
    if (!this.#active.isEmpty) this.#freezeActive();
    this.#oldestWriteAt = undefined;
    this.#underWay = this.#flush(overlays.reverse(), sources);
    return this.#underWay;
  }

  snapshot(): StoreSnapshot {
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#snapshots.checkLimit();
    if (!this.#active.isEmpty) {
      if (this.#overlays.length > FROZEN_OVERLAYS_MAX) {
        throw new SnapshotLimitError('too many snapshots were taken since the last checkpoint');
      }
      this.#freezeActive();
    }
    const overlays = this.#overlays.slice(1);
    const transaction = this.#database.state.useReadTransaction();
    const table = new LmdbTable(this.#database.state, { transaction });
    for (const overlay of overlays) overlay.hold();
    return this.#snapshots.open(viewThrough(overlays, table), () => {
      transaction.done();
      for (const overlay of overlays) overlay.drop(this.#pooledChunks);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What `range` walks; every step looks at the layers of that moment. */
  readonly #source = ((store: LmdbStore) => ({
    get layers() {
      if (store.#refusal !== undefined) throw store.#refusal;
      return store.#layers;
    },
    hideRange: (from: string, to: string) => store.deleteRange(from, to),
  }))(this);

  #beforeWrite(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    this.#oldestWriteAt ??= this.#settings.now();
  }

  #freezeActive(): void {
    this.#active = new Overlay(this.#pool);
    this.#setOverlays([this.#active, ...this.#overlays]);
  }

  #setOverlays(overlays: readonly Overlay[]): void {
    this.#overlays = overlays;
    this.#layers = [...overlays, this.#table];
  }

  /** @param overlays frozen, oldest first */
  async #flush(overlays: readonly Overlay[], sources: Promise<void>): Promise<void> {
    try {
      const batches: OverlayBatch[] = [];
      for (const overlay of overlays) batches.push(await batchOf(overlay));
      await sources;
      await this.#writer.write({ overlays: batches });
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#underWay = undefined;
    }
    const wasBlocked = this.blocked;
    // In this order: from here on reads find in LMDB what the overlays held.
    this.#database.state.resetReadTxn();
    this.#setOverlays(this.#overlays.filter((overlay) => !overlays.includes(overlay)));
    const chunks = overlays.reduce((sum, overlay) => sum + overlay.chunks.length, 0);
    this.#pooledChunks = Math.max(2 * chunks, POOLED_CHUNKS_MIN);
    for (const overlay of overlays) overlay.drop(this.#pooledChunks);
    if (wasBlocked && !this.blocked) this.#settings.onUnblocked?.();
  }

  #findLack(overlays: readonly Overlay[]): OutOfSpace | undefined {
    const { freeDiskBytes, mapSizeBytes, now } = this.#settings;
    this.#spaceLookedAt = now();
    let records = 0;
    let recordBytes = 0;
    for (const overlay of overlays) {
      records += overlay.size;
      recordBytes += overlay.recordBytes;
    }
    const needed = checkpointNeedBytes(this.#directory, records, recordBytes);
    return findLack(this.#directory, needed, freeDiskBytes(this.#directory), mapSizeBytes);
  }

  #setOutOfSpace(space: OutOfSpace | undefined): void {
    const changed = (space === undefined) !== (this.#outOfSpace === undefined);
    this.#outOfSpace = space;
    if (changed) this.#settings.onSpaceChange?.(space);
  }

  #fail(cause: unknown): StoreFailedError {
    const error = new StoreFailedError(
      'the database could not be written; the process must end and start again',
      {
        cause,
      },
    );
    this.#refusal = error;
    this.#settings.onFatal(error);
    return error;
  }

  async #close(): Promise<void> {
    // Its failure was told when it happened.
    await this.#underWay?.catch(() => {});
    this.#refusal ??= new StoreClosedError('the store is closed');
    this.#snapshots.releaseAll();
    await this.#writer.close();
    await this.#database.root.close();
    this.#lock.release();
  }
}

function viewThrough(overlays: readonly Overlay[], table: Table): StoreView {
  const source = { layers: [...overlays, table] };
  return {
    get: (key) => getThrough(overlays, table, key),
    has: (key) => hasThrough(overlays, table, key),
    range: (options) => {
      checkBound(options.from);
      checkBound(options.to);
      return new MergedRange(source, options);
    },
  };
}

/** The batch of a frozen overlay. The order is written down in slices, so that the event loop gets its turns. */
async function batchOf(overlay: Overlay): Promise<OverlayBatch> {
  const order = new SharedArrayBuffer(overlay.size * Uint32Array.BYTES_PER_ELEMENT);
  const positions = new Uint32Array(order);
  const place = overlay.index.cursor();
  place.seekAtLeast('');
  for (let i = 0; i < positions.length; i++) {
    if (i > 0 && i % ORDER_SLICE_KEYS === 0) await new Promise((resolve) => setImmediate(resolve));
    positions[i] = overlay.positionOf(place.entry);
    place.advance();
  }
  const hidden = Array.from({ length: overlay.hidden.size }, (_, i) => ({
    from: overlay.hidden.from(i),
    to: overlay.hidden.to(i),
  }));
  return { chunks: overlay.chunks.map((chunk) => chunk.memory), order, hidden };
}
