/**
 * Append-only memory for the records of an overlay.
 *
 * Records lie in chunks of shared memory: there is no object for each value (a Buffer costs some 100 bytes), and the
 * thread that writes LMDB reads the chunks where they are, with nothing serialised. A record is
 *
 *     int32 value length, or -1 for a deletion | uint16 key length | uint16 flags | key | value | padding to 8 bytes
 *
 * and its position is `chunk << 17 | offset / 8`. A record never changes once written.
 */

import { ValueTooLargeError } from './errors.ts';
import { checkKeyLength, writeKey } from './keys.ts';
import { MAX_VALUE_BYTES } from './store.ts';

export const CHUNK_BYTES = 1 << 20;
/** A larger record gets a chunk of its own, so that at most a quarter of a chunk is left unused at its end. */
const SHARED_RECORD_BYTES_MAX = CHUNK_BYTES >>> 2;
const OFFSET_BITS = 17;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;
const CHUNKS_MAX = 1 << (32 - OFFSET_BITS);

export const RECORD_HEADER_BYTES = 8;
const DELETION = -1;
const FRESH = 1;

/** One piece of shared memory and the two ways it is read. */
export class Chunk {
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }

  get memory(): SharedArrayBuffer {
    return this.bytes.buffer;
  }
}

/**
 * Chunks kept for the next overlay. Without it every overlay would leave its chunks to the garbage collectors of two
 * threads, which see only the small handles of them and so take their time.
 */
export class ChunkPool {
  readonly #free: Chunk[] = [];

  take(): Chunk {
    return this.#free.pop() ?? new Chunk(new SharedArrayBuffer(CHUNK_BYTES));
  }

  /** Takes the chunks of a dropped arena back and keeps at most `keep` in all. */
  give(chunks: readonly Chunk[], keep: number): void {
    for (const chunk of chunks) {
      if (this.#free.length < keep && chunk.bytes.length === CHUNK_BYTES) this.#free.push(chunk);
    }
    this.#free.length = Math.min(this.#free.length, keep);
  }
}

/** Where the parts of a record are. Reused by its owner: valid until the next `locate`. */
export interface RecordPlace {
  bytes: Uint8Array;
  keyStart: number;
  keyEnd: number;
  valueEnd: number;
  deletion: boolean;
}

/** Fills `place` for the record at `position`. */
export function locate(chunks: readonly Chunk[], position: number, place: RecordPlace): void {
  const chunk = chunks[position >>> OFFSET_BITS] as Chunk;
  const word = (position & OFFSET_MASK) << 1;
  const valueLength = chunk.words[word] as number;
  place.bytes = chunk.bytes;
  place.keyStart = (word << 2) + RECORD_HEADER_BYTES;
  place.keyEnd = place.keyStart + ((chunk.words[word + 1] as number) & 0xffff);
  place.deletion = valueLength === DELETION;
  place.valueEnd = place.keyEnd + (place.deletion ? 0 : valueLength);
}

export class Arena {
  readonly chunks: Chunk[] = [];
  readonly #pool: ChunkPool;
  #current = -1;
  #offset = CHUNK_BYTES;
  #usedBytes = 0;

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  /** Bytes taken by records, dead ones included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Copies a record in and returns its position. `value` undefined is a deletion.
   * @throws InvalidKeyError @throws ValueTooLargeError; the arena is then as before.
   */
  append(key: string, value: Uint8Array | undefined, fresh: boolean): number {
    checkKeyLength(key);
    const valueLength = value === undefined ? 0 : value.length;
    if (valueLength > MAX_VALUE_BYTES) {
      throw new ValueTooLargeError(
        `a value has ${valueLength} bytes, the longest allowed is ${MAX_VALUE_BYTES}`,
      );
    }
    const size = (RECORD_HEADER_BYTES + key.length + valueLength + 7) & ~7;
    const shared = size <= SHARED_RECORD_BYTES_MAX;
    const chunk = shared ? this.#chunkWithRoomFor(size) : new Chunk(new SharedArrayBuffer(size));
    const offset = shared ? this.#offset : 0;
    const valueStart = writeKey(key, chunk.bytes, offset + RECORD_HEADER_BYTES);
    if (value !== undefined) chunk.bytes.set(value, valueStart);
    chunk.words[offset >>> 2] = value === undefined ? DELETION : valueLength;
    chunk.words[(offset >>> 2) + 1] = key.length | (fresh ? FRESH << 16 : 0);
    const index = shared ? this.#current : this.#add(chunk);
    if (shared) this.#offset = offset + size;
    this.#usedBytes += size;
    return ((index << OFFSET_BITS) | (offset >>> 3)) >>> 0;
  }

  isDeletion(position: number): boolean {
    return this.#header(position, 0) === DELETION;
  }

  /** The record belongs to a key that did not exist below this arena's overlay. */
  isFresh(position: number): boolean {
    return this.#header(position, 1) >>> 16 === FRESH;
  }

  /** A copy of the value at `position`, which must not be a deletion. */
  valueAt(position: number): Uint8Array {
    const chunk = this.chunks[position >>> OFFSET_BITS] as Chunk;
    const word = (position & OFFSET_MASK) << 1;
    const length = chunk.words[word] as number;
    const start = (word << 2) + RECORD_HEADER_BYTES + ((chunk.words[word + 1] as number) & 0xffff);
    // Out of Buffer's pool and copied without a view of the source: a third of what two typed arrays cost.
    const value = Buffer.allocUnsafe(length);
    chunk.bytes.copy(value, 0, start, start + length);
    return value;
  }

  /** Gives the memory back. Nothing may read this arena afterwards. */
  recycle(keep: number): void {
    this.#pool.give(this.chunks.splice(0), keep);
    this.#current = -1;
    this.#offset = CHUNK_BYTES;
  }

  #header(position: number, word: 0 | 1): number {
    const chunk = this.chunks[position >>> OFFSET_BITS] as Chunk;
    return chunk.words[((position & OFFSET_MASK) << 1) + word] as number;
  }

  #chunkWithRoomFor(size: number): Chunk {
    if (this.#offset + size > CHUNK_BYTES) {
      this.#current = this.#add(this.#pool.take());
      this.#offset = 0;
    }
    return this.chunks[this.#current] as Chunk;
  }

  #add(chunk: Chunk): number {
    if (this.chunks.length === CHUNKS_MAX) {
      throw new RangeError(`an overlay has reached ${CHUNKS_MAX} chunks; its owner ignored blocked`);
    }
    return this.chunks.push(chunk) - 1;
  }
}
