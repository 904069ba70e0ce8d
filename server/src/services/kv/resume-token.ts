/**
 * Where watches go on: the revision up to which everything is told, for each group. Layout: version (1 byte), pairs of
 * group and revision (varints), CRC-32 of all before it (4 bytes). The checksum catches a token that is damaged or is
 * something else; it is no secret.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../../state/wire.ts';
import { ErrorReason, GomsgError } from '../errors.ts';

const VERSION = 1;
const CHECKSUM_BYTES = 4;

/** Group id → revision. */
export type Positions = ReadonlyMap<number, number>;

export function encodeResumeToken(
  positions: Iterable<readonly [group: number, revision: number]>,
): Uint8Array {
  const writer = new ByteWriter(64).u8(VERSION);
  for (const [group, revision] of positions) writer.varint(group).varint(revision);
  return writer.u32(crc32(writer.view())).copy();
}

/** @throws GomsgError INVALID_CURSOR */
export function decodeResumeToken(token: Uint8Array): Positions {
  const end = token.length - CHECKSUM_BYTES;
  if (end < 1 || token[0] !== VERSION) throw invalidToken();
  const body = token.subarray(0, end);
  if (new ByteReader(token, end).u32() !== crc32(body)) throw invalidToken();
  const reader = new ByteReader(body, 1);
  const positions = new Map<number, number>();
  try {
    while (!reader.done) positions.set(reader.varint(), reader.varint());
  } catch (error) {
    if (error instanceof RangeError) throw invalidToken();
    throw error;
  }
  return positions;
}

export function invalidToken(): GomsgError {
  return new GomsgError({
    reason: ErrorReason.INVALID_CURSOR,
    message: 'the resume token was not issued by Scan or Watch for keys of these groups',
    subject: 'resume_token',
  });
}
