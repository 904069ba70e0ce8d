/**
 * The hot responses in protobuf's encoding, written by hand into arrays of exactly their size; a test holds them
 * against the generated decoder. As protobuf wants it, fields with their default value are left out.
 *
 * The arrays come from Buffer's pool: a Uint8Array of its own of more than 64 bytes costs ten times as much (0.5 µs).
 */
import {
  bigVarintSize,
  fieldTag,
  varintSize,
  wireType,
  writeBigVarint,
  writeVarint,
  zigzag,
} from '../wire.ts';
import type { Int64 } from './integer.ts';
import { NEVER_MS, recordExpiresAt_ms, recordValueAt, recordVersion } from './record.ts';

const NOTHING = new Uint8Array();
const TRUE_1 = Uint8Array.of(fieldTag(1, wireType.varint), 1);

/** KVServiceSetResponse. `previous`: key (binary string) and record from before the write. */
export function encodeSetResponse(
  version: number,
  key: string,
  previous: Uint8Array | undefined,
): Uint8Array {
  const size = 1 + varintSize(version);
  const response = Buffer.allocUnsafe(size + embeddedSize(key, previous));
  response[0] = fieldTag(1, wireType.varint);
  const at = writeVarint(response, 1, version);
  if (previous !== undefined) writeEmbedded(response, at, 2, key, previous);
  return response;
}

/** KVServiceGetResponse. */
export function encodeGetResponse(record: Uint8Array): Uint8Array {
  const valueAt = recordValueAt(record);
  const valueBytes = record.length - valueAt;
  const version = recordVersion(record);
  const expiresAt_ms = recordExpiresAt_ms(record);
  const response = Buffer.allocUnsafe(
    bytesFieldSize(valueBytes) + 1 + varintSize(version) + timestampFieldSize(expiresAt_ms),
  );
  let at = writeValue(response, 0, 1, record, valueAt);
  response[at++] = fieldTag(2, wireType.varint);
  at = writeVarint(response, at, version);
  writeTimestampField(response, at, 3, expiresAt_ms);
  return response;
}

/** KVServiceExistsResponse. */
export function encodeExistsResponse(exists: boolean): Uint8Array {
  return exists ? TRUE_1.slice() : NOTHING;
}

/** KVServiceDeleteResponse. `previous`: the record that was removed, when it is asked for. */
export function encodeDeleteResponse(
  deleted: boolean,
  key: string,
  previous: Uint8Array | undefined,
): Uint8Array {
  if (!deleted) return NOTHING;
  if (previous === undefined) return TRUE_1.slice();
  const response = Buffer.allocUnsafe(2 + embeddedSize(key, previous));
  response.set(TRUE_1);
  writeEmbedded(response, 2, 2, key, previous);
  return response;
}

/** KVServiceIncrementResponse. */
export function encodeIncrementResponse(sum: Int64, version: number): Uint8Array {
  const small = typeof sum === 'number';
  const folded = small ? (sum < 0 ? -2 * sum - 1 : 2 * sum) : zigzag(sum);
  const sumSize =
    folded === 0 ? 0 : 1 + (typeof folded === 'number' ? varintSize(folded) : bigVarintSize(folded));
  const response = Buffer.allocUnsafe(sumSize + 1 + varintSize(version));
  let at = 0;
  if (sumSize > 0) {
    response[at++] = fieldTag(1, wireType.varint);
    at =
      typeof folded === 'number' ? writeVarint(response, at, folded) : writeBigVarint(response, at, folded);
  }
  response[at++] = fieldTag(2, wireType.varint);
  writeVarint(response, at, version);
  return response;
}

/** Size of a KeyValue message without its value when `withValue` is false. */
export function keyValueSize(key: string, record: Uint8Array, withValue: boolean): number {
  return (
    bytesFieldSize(key.length) +
    (withValue ? bytesFieldSize(record.length - recordValueAt(record)) : 0) +
    1 +
    varintSize(recordVersion(record)) +
    timestampFieldSize(recordExpiresAt_ms(record))
  );
}

/** Writes a KeyValue message; returns the offset behind it. */
export function writeKeyValue(
  target: Uint8Array,
  offset: number,
  key: string,
  record: Uint8Array,
  withValue: boolean,
): number {
  let at = writeKeyField(target, offset, 1, key);
  if (withValue) at = writeValue(target, at, 2, record, recordValueAt(record));
  target[at++] = fieldTag(3, wireType.varint);
  at = writeVarint(target, at, recordVersion(record));
  return writeTimestampField(target, at, 4, recordExpiresAt_ms(record));
}

/** Size of a `bytes` or `string` field with a one-byte tag. */
export function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

export function writeBytesField(
  target: Uint8Array,
  offset: number,
  field: number,
  bytes: Uint8Array,
): number {
  return writeValue(target, offset, field, bytes, 0);
}

/** Writes a `string` field from a binary string of its UTF-8 bytes. */
export function writeKeyField(target: Uint8Array, offset: number, field: number, key: string): number {
  if (key.length === 0) return offset;
  target[offset] = fieldTag(field, wireType.bytes);
  const at = writeVarint(target, offset + 1, key.length);
  for (let i = 0; i < key.length; i++) target[at + i] = key.charCodeAt(i);
  return at + key.length;
}

/** Size of a google.protobuf.Timestamp field; 0 for `NEVER_MS`. */
export function timestampFieldSize(ms: number): number {
  return ms === NEVER_MS ? 0 : 2 + timestampSize(ms);
}

export function writeTimestampField(target: Uint8Array, offset: number, field: number, ms: number): number {
  if (ms === NEVER_MS) return offset;
  let at = offset;
  target[at++] = fieldTag(field, wireType.bytes);
  target[at++] = timestampSize(ms);
  const seconds = Math.floor(ms / 1000);
  const millis = ms - seconds * 1000;
  if (seconds > 0) {
    target[at++] = fieldTag(1, wireType.varint);
    at = writeVarint(target, at, seconds);
  }
  if (millis > 0) {
    target[at++] = fieldTag(2, wireType.varint);
    at = writeVarint(target, at, millis * 1_000_000);
  }
  return at;
}

function timestampSize(ms: number): number {
  const seconds = Math.floor(ms / 1000);
  const millis = ms - seconds * 1000;
  return (seconds > 0 ? 1 + varintSize(seconds) : 0) + (millis > 0 ? 1 + varintSize(millis * 1_000_000) : 0);
}

function writeValue(
  target: Uint8Array,
  offset: number,
  field: number,
  source: Uint8Array,
  from: number,
): number {
  const length = source.length - from;
  if (length === 0) return offset;
  target[offset] = fieldTag(field, wireType.bytes);
  const at = writeVarint(target, offset + 1, length);
  target.set(from === 0 ? source : source.subarray(from), at);
  return at + length;
}

function embeddedSize(key: string, record: Uint8Array | undefined): number {
  if (record === undefined) return 0;
  const size = keyValueSize(key, record, true);
  return 1 + varintSize(size) + size;
}

function writeEmbedded(
  target: Uint8Array,
  offset: number,
  field: number,
  key: string,
  record: Uint8Array,
): number {
  target[offset] = fieldTag(field, wireType.bytes);
  const at = writeVarint(target, offset + 1, keyValueSize(key, record, true));
  return writeKeyValue(target, at, key, record, true);
}
