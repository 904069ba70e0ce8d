/**
 * Responses with many entries, written by hand into arrays of exactly their size; a test holds them against the
 * generated decoder.
 */
import type { KvEvent } from '../../state/kv/events.ts';
import type { Entry } from '../../state/kv/page.ts';
import { recordExpiresAt_ms, recordValue, recordValueAt, recordVersion } from '../../state/kv/record.ts';
import {
  bytesFieldSize,
  keyValueSize,
  timestampFieldSize,
  writeBytesField,
  writeKeyField,
  writeKeyValue,
  writeTimestampField,
} from '../../state/kv/responses.ts';
import { fieldTag, varintSize, wireType, writeVarint } from '../../state/wire.ts';

/** Size of one entry of a GetMany response. */
export function lookupFieldSize(key: string, record: Uint8Array | undefined): number {
  return messageFieldSize(lookupSize(key, record));
}

/** KVServiceGetManyResponse. `bytes`: sum of the entries' `lookupFieldSize`. */
export function encodeLookups(
  keys: readonly string[],
  records: readonly (Uint8Array | undefined)[],
  bytes: number,
): Uint8Array {
  const response = Buffer.allocUnsafe(bytes);
  let at = 0;
  keys.forEach((key, i) => {
    const record = records[i];
    at = writeMessageHead(response, at, 1, lookupSize(key, record));
    at = writeKeyField(response, at, 1, key);
    if (record === undefined) return;
    response[at++] = fieldTag(2, wireType.varint);
    response[at++] = 1;
    at = writeBytesField(response, at, 3, recordValue(record));
    at = writeNumberField(response, at, 4, recordVersion(record));
    at = writeTimestampField(response, at, 5, recordExpiresAt_ms(record));
  });
  return response;
}

/** KVServiceKeysResponse. */
export function encodeKeys(entries: readonly Entry[], nextCursor: Uint8Array): Uint8Array {
  let size = bytesFieldSize(nextCursor.length);
  for (const { key } of entries) size += bytesFieldSize(key.length);
  const response = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { key } of entries) at = writeKeyField(response, at, 1, key);
  writeBytesField(response, at, 2, nextCursor);
  return response;
}

export interface ScanResponse {
  readonly entries: readonly Entry[];
  readonly keysOnly: boolean;
  readonly nextCursor: Uint8Array;
  readonly revision: number;
  readonly resumeToken: Uint8Array;
}

/** KVServiceScanResponse. */
export function encodeScan({
  entries,
  keysOnly,
  nextCursor,
  revision,
  resumeToken,
}: ScanResponse): Uint8Array {
  const sizes = entries.map(({ key, record }) => keyValueSize(key, record, !keysOnly));
  let total =
    bytesFieldSize(nextCursor.length) + numberFieldSize(revision) + bytesFieldSize(resumeToken.length);
  for (const size of sizes) total += messageFieldSize(size);
  const response = Buffer.allocUnsafe(total);
  let at = 0;
  entries.forEach(({ key, record }, i) => {
    at = writeMessageHead(response, at, 1, sizes[i] as number);
    at = writeKeyValue(response, at, key, record, !keysOnly);
  });
  at = writeBytesField(response, at, 2, nextCursor);
  at = writeNumberField(response, at, 3, revision);
  writeBytesField(response, at, 4, resumeToken);
  return response;
}

/** One entry of `events` in a Watch response, its tag and length included. */
export function encodeWatchEvent(event: KvEvent, withValue: boolean): Uint8Array {
  const valueBytes = withValue ? event.value.length : 0;
  const size =
    2 +
    bytesFieldSize(event.key.length) +
    bytesFieldSize(valueBytes) +
    numberFieldSize(event.revision) +
    timestampFieldSize(event.expiresAt_ms);
  const field = Buffer.allocUnsafe(messageFieldSize(size));
  let at = writeMessageHead(field, 0, 2, size);
  field[at++] = fieldTag(1, wireType.varint);
  field[at++] = event.type;
  at = writeKeyField(field, at, 2, event.key);
  if (withValue) at = writeBytesField(field, at, 3, event.value);
  at = writeNumberField(field, at, 4, event.revision);
  writeTimestampField(field, at, 5, event.expiresAt_ms);
  return field;
}

export interface WatchResponse {
  readonly subscribed: boolean;
  /** As `encodeWatchEvent` wrote them. */
  readonly events: readonly Uint8Array[];
  readonly revision: number;
  readonly resumeToken: Uint8Array;
}

/** KVServiceWatchResponse. */
export function encodeWatch({ subscribed, events, revision, resumeToken }: WatchResponse): Uint8Array {
  let size = (subscribed ? 2 : 0) + numberFieldSize(revision) + bytesFieldSize(resumeToken.length);
  for (const event of events) size += event.length;
  const response = Buffer.allocUnsafe(size);
  let at = 0;
  if (subscribed) {
    response[at++] = fieldTag(1, wireType.varint);
    response[at++] = 1;
  }
  for (const event of events) {
    response.set(event, at);
    at += event.length;
  }
  at = writeNumberField(response, at, 3, revision);
  writeBytesField(response, at, 4, resumeToken);
  return response;
}

function lookupSize(key: string, record: Uint8Array | undefined): number {
  const size = bytesFieldSize(key.length);
  if (record === undefined) return size;
  return (
    size +
    2 +
    bytesFieldSize(record.length - recordValueAt(record)) +
    numberFieldSize(recordVersion(record)) +
    timestampFieldSize(recordExpiresAt_ms(record))
  );
}

/** An embedded message with its tag and length; it is written even when it is empty. */
function messageFieldSize(size: number): number {
  return 1 + varintSize(size) + size;
}

function writeMessageHead(target: Uint8Array, at: number, field: number, size: number): number {
  target[at] = fieldTag(field, wireType.bytes);
  return writeVarint(target, at + 1, size);
}

function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function writeNumberField(target: Uint8Array, at: number, field: number, value: number): number {
  if (value === 0) return at;
  target[at] = fieldTag(field, wireType.varint);
  return writeVarint(target, at + 1, value);
}
