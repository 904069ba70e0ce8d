/**
 * A snapshot of one group as a stream of bytes: between nodes, and in the file of the node that received it.
 *
 *     stream   frames: header, rows (any number), end
 *     frame    length u32 · crc32c u32 · payload[length]; little-endian, the checksum over the payload
 *     header   kind 1 · level varint · group u32 · index u64 · term u64 · stamp u64 · membership to the end
 *     rows     kind 2 · per row: key length varint · key · value length varint · value
 *     end      kind 3 · rows u64 · crc u32 over the checksums of all frames before
 *
 * Keys are without the group's prefix, in their order. The row that says up to where the group is applied is not among
 * them: the header has what it says, and the receiver writes it last.
 */
import type { Applied } from '../state/applied.ts';
import { appliedKey, groupPrefix, groupRange } from '../state/keys.ts';
import { LEVEL, LevelTooNewError } from '../state/level.ts';
import { ByteReader, ByteWriter } from '../state/wire.ts';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, type Row, type StoreView } from '../storage/store.ts';
import { crc32c } from '../wal/checksum.ts';

/** Bytes of rows at which a frame is closed. */
const FRAME_BYTES = 256 * 1024;

/** Longest payload: one row of the greatest size past a frame that was nearly full. */
const PAYLOAD_BYTES_MAX = FRAME_BYTES + MAX_KEY_BYTES + MAX_VALUE_BYTES + 64;

const FRAME_HEADER_BYTES = 8;

const FrameKind = { header: 1, rows: 2, end: 3 } as const;

/** What the snapshot says of itself. `membership` is always there: a group that can send one has recorded it. */
export interface SnapshotHeader extends Applied {
  readonly group: number;
}

/** The bytes are not those of a whole, intact snapshot. */
export class SnapshotDamagedError extends Error {
  override readonly name = 'SnapshotDamagedError';
}

/** The frames of a snapshot, each whole, whose rows mean what they mean at the level. Reads `view` as they are asked for. */
export function* encodeSnapshot(
  header: SnapshotHeader,
  view: StoreView,
  level = LEVEL,
): Generator<Uint8Array> {
  let chain = 0;
  const frame = (payload: Uint8Array): Uint8Array => {
    const bytes = frameOf(payload);
    chain = chained(chain, bytes);
    return bytes;
  };
  const { group, index, term, stamp_ms, membership } = header;
  const head = new ByteWriter().u8(FrameKind.header).varint(level).u32(group);
  head.u64(index).u64(term).u64(stamp_ms);
  yield frame(head.bytes(membership ?? NOTHING).view());

  const prefixBytes = groupPrefix(group).length;
  const skipped = appliedKey(group);
  let rows = 0;
  let writer = new ByteWriter(FRAME_BYTES).u8(FrameKind.rows);
  let bytes = 0;
  for (const { key, value } of view.range(groupRange(group))) {
    if (key === skipped) continue;
    writer.varint(key.length - prefixBytes).binary(key.slice(prefixBytes));
    writer.varint(value.length).bytes(value);
    rows++;
    bytes += key.length + value.length;
    if (bytes < FRAME_BYTES) continue;
    yield frame(writer.view());
    writer = new ByteWriter(FRAME_BYTES).u8(FrameKind.rows);
    bytes = 0;
  }
  if (bytes > 0) yield frame(writer.view());
  yield frameOf(new ByteWriter().u8(FrameKind.end).u64(rows).u32(chain).view());
}

/** What a frame brought: the first one the header, the others rows. */
export type SnapshotPart = SnapshotHeader | readonly Row[];

/**
 * Checks the frames of one snapshot, in their order, and takes them apart.
 * @throws SnapshotDamagedError, LevelTooNewError
 */
export class SnapshotDecoder {
  #header: SnapshotHeader | undefined;
  #rows = 0;
  #chain = 0;
  #done = false;

  get header(): SnapshotHeader | undefined {
    return this.#header;
  }

  /** The end was seen: the snapshot is whole. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes a whole frame, whose checksum is right. Undefined for the end. */
  take(frame: Uint8Array): SnapshotPart | undefined {
    if (this.#done) throw new SnapshotDamagedError('there is more behind the end of the snapshot');
    const reader = new ByteReader(frame, FRAME_HEADER_BYTES);
    try {
      const kind = reader.u8();
      if (kind === FrameKind.end) {
        this.#finish(reader);
        return undefined;
      }
      this.#chain = chained(this.#chain, frame);
      if (kind === FrameKind.header) return this.#begin(reader, frame);
      if (kind === FrameKind.rows) return this.#takeRows(reader);
    } catch (error) {
      if (error instanceof RangeError) throw new SnapshotDamagedError('a frame of the snapshot is cut short');
      throw error;
    }
    throw new SnapshotDamagedError('a frame of the snapshot is of no known kind');
  }

  #begin(reader: ByteReader, frame: Uint8Array): SnapshotHeader {
    if (this.#header !== undefined) throw new SnapshotDamagedError('a snapshot has two headers');
    const level = reader.varint();
    if (level > LEVEL) throw new LevelTooNewError('a snapshot', level);
    this.#header = {
      group: reader.u32(),
      index: reader.u64(),
      term: reader.u64(),
      stamp_ms: reader.u64(),
      // A copy: what the frame lies in is used again.
      membership: Uint8Array.from(frame.subarray(reader.at)),
    };
    return this.#header;
  }

  #takeRows(reader: ByteReader): readonly Row[] {
    if (this.#header === undefined) throw new SnapshotDamagedError('a snapshot begins without its header');
    const prefix = groupPrefix(this.#header.group);
    const rows: Row[] = [];
    while (!reader.done) {
      const key = prefix + reader.binary(reader.varint());
      rows.push({ key, value: reader.bytes(reader.varint()) });
    }
    this.#rows += rows.length;
    return rows;
  }

  #finish(reader: ByteReader): void {
    if (this.#header === undefined || reader.u64() !== this.#rows || reader.u32() !== this.#chain) {
      throw new SnapshotDamagedError('the snapshot lacks a part');
    }
    this.#done = true;
  }
}

/** Puts the frames together again, however their bytes come. @throws SnapshotDamagedError */
export async function* framesOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = NOTHING;
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let size = frameBytes(bytes); size <= bytes.length; size = frameBytes(bytes)) {
      yield checked(bytes.subarray(0, size));
      bytes = bytes.subarray(size);
    }
    rest = bytes;
  }
  if (rest.length > 0) throw new SnapshotDamagedError('the snapshot ends inside a frame');
}

/** Bytes of the frame at the start; infinite while too few are there to tell. */
function frameBytes(bytes: Uint8Array): number {
  if (bytes.length < FRAME_HEADER_BYTES) return Number.POSITIVE_INFINITY;
  const length = viewOf(bytes).getUint32(0, true);
  if (length === 0 || length > PAYLOAD_BYTES_MAX) {
    throw new SnapshotDamagedError('a frame of the snapshot has an impossible length');
  }
  return FRAME_HEADER_BYTES + length;
}

function checked(frame: Uint8Array): Uint8Array {
  if (viewOf(frame).getUint32(4, true) !== crc32c(frame, FRAME_HEADER_BYTES, frame.length) >>> 0) {
    throw new SnapshotDamagedError('a frame of the snapshot does not match its checksum');
  }
  return frame;
}

function frameOf(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  const view = viewOf(frame);
  view.setUint32(0, payload.length, true);
  view.setUint32(4, crc32c(frame, FRAME_HEADER_BYTES, frame.length), true);
  return frame;
}

/** The checksum of all frames up to this one, from that of those before. */
function chained(chain: number, frame: Uint8Array): number {
  const link = new Uint8Array(8);
  const view = viewOf(link);
  view.setUint32(0, chain, true);
  view.setUint32(4, viewOf(frame).getUint32(4, true), true);
  return crc32c(link, 0, link.length) >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const NOTHING = new Uint8Array(0);
