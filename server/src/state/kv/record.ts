/**
 * What is stored under a key: flags (1 byte), version (u64), expiry in Unix milliseconds (u64, when the flag says so),
 * and the value to the end. Fields lie at fixed places, so that a read takes what it needs without parsing.
 */
import { type ByteWriter, readU64 } from '../wire.ts';

/** Expiry of a key without one. */
export const NEVER_MS = 0;

const HAS_EXPIRY = 1;
const VERSION_AT = 1;
const EXPIRY_AT = 9;
const PLAIN_VALUE_AT = 9;
const EXPIRING_VALUE_AT = 17;

/** A record in the writer's buffer: a view that the writer's next use makes worthless. */
export function encodeRecord(
  writer: ByteWriter,
  version: number,
  expiresAt_ms: number,
  value: Uint8Array,
): Uint8Array {
  writer.reset();
  if (expiresAt_ms === NEVER_MS) writer.u8(0).u64(version);
  else writer.u8(HAS_EXPIRY).u64(version).u64(expiresAt_ms);
  return writer.bytes(value).view();
}

export function recordVersion(record: Uint8Array): number {
  return readU64(record, VERSION_AT);
}

/** Unix milliseconds; `NEVER_MS` when the key does not expire. */
export function recordExpiresAt_ms(record: Uint8Array): number {
  return record[0] === 0 ? NEVER_MS : readU64(record, EXPIRY_AT);
}

/** Where the value begins; it reaches to the end of the record. */
export function recordValueAt(record: Uint8Array): number {
  return record[0] === 0 ? PLAIN_VALUE_AT : EXPIRING_VALUE_AT;
}

/** The value as a view of the record. */
export function recordValue(record: Uint8Array): Uint8Array {
  return record.subarray(recordValueAt(record));
}

/** A key is gone from its expiry on, whether or not it was removed yet. */
export function isExpired(record: Uint8Array, now_ms: number): boolean {
  return record[0] !== 0 && readU64(record, EXPIRY_AT) <= now_ms;
}
