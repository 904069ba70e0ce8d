/**
 * Page cursors: opaque bytes that say where the next page begins, and for which call and arguments they were issued.
 *
 * Layout: version (1 byte), CRC-32 of method, arguments and position (4 bytes, big-endian), position. The checksum
 * catches a cursor that is damaged or was issued for other arguments; it is no secret, because a position tells a
 * client nothing that the same call without a cursor would not.
 */
import { crc32 } from 'node:zlib';
import { ErrorReason, GomsgError } from './errors.ts';

const VERSION = 1;
const HEADER_BYTES = 5;

/** The call that a cursor belongs to. */
export interface CursorScope {
  /** Number of the rpc. */
  readonly method: number;
  /** The arguments that must be the same on every page; sizes of pages are not among them. */
  readonly args: readonly (string | number | boolean | undefined)[];
}

/** A cursor that continues `scope` at `position`, a binary string such as a store key. */
export function encodeCursor(scope: CursorScope, position: string): Uint8Array {
  const cursor = Buffer.allocUnsafe(HEADER_BYTES + position.length);
  cursor.writeUInt8(VERSION, 0);
  cursor.writeUInt32BE(checksum(scope, position), 1);
  cursor.write(position, HEADER_BYTES, 'latin1');
  return cursor;
}

/**
 * The position in a cursor of `scope`; undefined for the empty cursor, which asks for the first page.
 * @throws GomsgError INVALID_CURSOR when it was not issued for this scope
 */
export function decodeCursor(scope: CursorScope, cursor: Uint8Array): string | undefined {
  if (cursor.length === 0) return undefined;
  const bytes = Buffer.from(cursor.buffer, cursor.byteOffset, cursor.length);
  if (bytes.length >= HEADER_BYTES && bytes.readUInt8(0) === VERSION) {
    const position = bytes.toString('latin1', HEADER_BYTES);
    if (bytes.readUInt32BE(1) === checksum(scope, position)) return position;
  }
  throw new GomsgError({
    reason: ErrorReason.INVALID_CURSOR,
    subject: 'cursor',
    message: 'the cursor was not issued by this call with these arguments',
  });
}

function checksum(scope: CursorScope, position: string): number {
  return crc32(JSON.stringify([scope.method, scope.args, position]));
}
