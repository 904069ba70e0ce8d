/** Writing a checkpoint batch into LMDB. Runs on the writer thread. */

import { Chunk, locate, type RecordPlace } from './arena.ts';
import type { CheckpointBatch, OverlayBatch } from './checkpoint-batch.ts';
import type { StateDatabase } from './lmdb-database.ts';

const DELETE_PAGE_ROWS = 1024;
const SCRATCH_BYTES_AT_START = 64 * 1024;

/** A buffer of which lmdb-js writes the part between `start` and `end`. */
interface Scratch extends Buffer {
  start: number;
  end: number;
}

export class BatchWriter {
  readonly #database: StateDatabase;
  // lmdb-js takes a value by its address, which it cannot find for shared memory: values pass through here.
  #scratch = scratchOf(SCRATCH_BYTES_AT_START);

  constructor(database: StateDatabase) {
    this.#database = database;
  }

  /** Writes all of `batch` or, when it throws, nothing. Returns once it is synced: that is what the default flags mean. */
  write(batch: CheckpointBatch): void {
    this.#database.transactionSync(() => {
      for (const overlay of batch.overlays) this.#writeOverlay(overlay);
    });
  }

  #writeOverlay(overlay: OverlayBatch): void {
    for (const { from, to } of overlay.hidden) this.#emptyRange(from, to);
    const chunks = overlay.chunks.map((memory) => new Chunk(memory));
    const place: RecordPlace = { bytes: this.#scratch, keyStart: 0, keyEnd: 0, valueEnd: 0, deletion: false };
    for (const position of new Uint32Array(overlay.order)) {
      locate(chunks, position, place);
      const key = keyAt(place);
      if (place.deletion) this.#database.remove(key);
      else this.#database.put(key, this.#valueAt(place));
    }
  }

  #valueAt({ bytes, keyEnd, valueEnd }: RecordPlace): Scratch {
    const length = valueEnd - keyEnd;
    if (length > this.#scratch.length) this.#scratch = scratchOf(length);
    this.#scratch.set(bytes.subarray(keyEnd, valueEnd));
    this.#scratch.end = length;
    return this.#scratch;
  }

  #emptyRange(from: string, to: string): void {
    for (;;) {
      // Read a page, then delete it: LMDB's cursor must not stand where rows disappear.
      const keys = [...this.#database.getKeys({ start: from, end: to, limit: DELETE_PAGE_ROWS })];
      for (const key of keys) this.#database.remove(key);
      if (keys.length < DELETE_PAGE_ROWS) return;
    }
  }
}

function scratchOf(bytes: number): Scratch {
  return Object.assign(Buffer.allocUnsafeSlow(bytes), { start: 0, end: 0 });
}

function keyAt({ bytes, keyStart, keyEnd }: RecordPlace): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, keyEnd - keyStart).toString('latin1');
}
