/**
 * Bytes by hand, for the records of the machines and for the few responses that are too hot for a general encoder.
 *
 * Integers are JavaScript numbers up to 2^53 - 1: every counter of the server is one. Varints and field tags are those
 * of the protobuf encoding (https://protobuf.dev/programming-guides/encoding), so the same functions serve both.
 */

/** How the bytes of a protobuf field follow its tag. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Tag of a protobuf field as a number; one byte for fields up to 15. */
export function fieldTag(field: number, type: number): number {
  return (field << 3) | type;
}

/** Bytes that `writeVarint` writes for `value`. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Writes an unsigned varint at `at`; returns the offset behind it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let offset = at;
  while (rest > 0x7fff_ffff) {
    target[offset++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[offset++] = rest;
  return offset;
}

/** Bytes that `writeBigVarint` writes for `value`. */
export function bigVarintSize(value: bigint): number {
  let size = 1;
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

/** An unsigned varint of the whole 64-bit range; returns the offset behind it. */
export function writeBigVarint(target: Uint8Array, at: number, value: bigint): number {
  let rest = value;
  let offset = at;
  while (rest > 0x7fn) {
    target[offset++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  target[offset++] = Number(rest);
  return offset;
}

/** A signed 64-bit integer as protobuf's sint64 maps it to an unsigned one: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
export function zigzag(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

/** Big-endian u64 of a number up to 2^53; returns the offset behind it. */
export function writeU64(target: Uint8Array, at: number, value: number): number {
  const high = Math.floor(value / 0x1_0000_0000);
  target[at] = high >>> 24;
  target[at + 1] = high >>> 16;
  target[at + 2] = high >>> 8;
  target[at + 3] = high;
  target[at + 4] = value >>> 24;
  target[at + 5] = value >>> 16;
  target[at + 6] = value >>> 8;
  target[at + 7] = value;
  return at + 8;
}

/** Reads what `writeU64` wrote. */
export function readU64(source: Uint8Array, at: number): number {
  return readU32(source, at) * 0x1_0000_0000 + readU32(source, at + 4);
}

/** Big-endian u32. */
export function readU32(source: Uint8Array, at: number): number {
  return (
    ((byte(source, at) << 24) |
      (byte(source, at + 1) << 16) |
      (byte(source, at + 2) << 8) |
      byte(source, at + 3)) >>>
    0
  );
}

function byte(source: Uint8Array, at: number): number {
  const value = source[at];
  if (value === undefined) throw new RangeError(`read at ${at} behind the end of ${source.length} bytes`);
  return value;
}

/** Big-endian u32; returns the offset behind it. */
export function writeU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/** Reads a record from front to back. Throws RangeError behind the end: a record that is too short is damage. */
export class ByteReader {
  #source: Uint8Array;
  /** Offset of the next read. */
  at: number;

  constructor(source: Uint8Array, at = 0) {
    this.#source = source;
    this.at = at;
  }

  get done(): boolean {
    return this.at >= this.#source.length;
  }

  u8(): number {
    return byte(this.#source, this.at++);
  }

  u32(): number {
    const value = readU32(this.#source, this.at);
    this.at += 4;
    return value;
  }

  u64(): number {
    const value = readU64(this.#source, this.at);
    this.at += 8;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const next = byte(this.#source, this.at++);
      value += (next & 0x7f) * scale;
      if (next < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a varint is beyond 2^53 - 1');
        return value;
      }
      scale *= 0x80;
    }
  }

  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.#source.length) {
      throw new RangeError(
        `${length} bytes at ${this.at} reach behind the end of ${this.#source.length} bytes`,
      );
    }
    const view = this.#source.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** The next `length` bytes as a binary string (one char a byte). */
  binary(length: number): string {
    return asBuffer(this.bytes(length)).toString('latin1');
  }

  /** The next `length` bytes as UTF-8 text. */
  utf8(length: number): string {
    return asBuffer(this.bytes(length)).toString('utf8');
  }
}

function asBuffer(view: Uint8Array): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.length);
}

/** Room that a writer begins with: most have little to write, and a node has thousands of them. */
const FIRST_BYTES = 256;

/** A buffer that grows as it is written and keeps its room for the next use. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;
  readonly #keptBytes: number;

  /** `keptBytes`: room that `reset` keeps; what one large message needed beyond it is given back. */
  constructor(keptBytes = 4096) {
    this.#keptBytes = keptBytes;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(keptBytes, FIRST_BYTES));
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written. */
  reset(): this {
    this.#length = 0;
    if (this.#buffer.length > this.#keptBytes) this.#buffer = Buffer.allocUnsafeSlow(this.#keptBytes);
    return this;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = writeU32(this.#buffer, this.#length, value);
    return this;
  }

  u64(value: number): this {
    this.#reserve(8);
    this.#length = writeU64(this.#buffer, this.#length, value);
    return this;
  }

  varint(value: number): this {
    this.#reserve(10);
    this.#length = writeVarint(this.#buffer, this.#length, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A binary string: one byte a char. */
  binary(value: string): this {
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, 'latin1');
    return this;
  }

  /** The UTF-8 bytes of a text. */
  utf8(value: string): this {
    this.#reserve(value.length * 3);
    this.#length += this.#buffer.write(value, this.#length, 'utf8');
    return this;
  }

  /** What was written, as a view that the next write or `reset` makes worthless. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** What was written, as bytes of their own; from Buffer's pool, which is cheaper than memory of their own. */
  copy(): Uint8Array {
    const { buffer, byteOffset, length } = Buffer.from(this.view());
    return new Uint8Array(buffer, byteOffset, length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
