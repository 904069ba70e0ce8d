/**
 * The stored body of a message: what was pushed, as the fields of a `gomsg.v1.QueueDelivery` that every delivery of the
 * message has in common. A delivery is then this, as it is, and the fields that differ.
 */
import { type ByteWriter, fieldTag, varintSize, wireType } from '../wire.ts';

const PAYLOAD_TAG = fieldTag(4, wireType.bytes);
const HEADERS_TAG = fieldTag(5, wireType.bytes);
const PRIORITY_TAG = fieldTag(6, wireType.varint);
const PUSHED_AT_TAG = fieldTag(8, wireType.bytes);
const MAP_KEY_TAG = fieldTag(1, wireType.bytes);
const MAP_VALUE_TAG = fieldTag(2, wireType.bytes);
const SECONDS_TAG = fieldTag(1, wireType.varint);
const NANOS_TAG = fieldTag(2, wireType.varint);

export type Headers = { readonly [key: string]: string };

/** Bytes that the payload and headers of a message count for. */
export function messageSize(payload: Uint8Array, headers: Headers): number {
  let size = payload.length;
  for (const key in headers) size += Buffer.byteLength(key) + Buffer.byteLength(headers[key]!);
  return size;
}

export function writeBody(
  writer: ByteWriter,
  payload: Uint8Array,
  headers: Headers,
  priority: number,
  pushed_ms: number,
): Uint8Array {
  writer.reset();
  if (payload.length > 0) writer.u8(PAYLOAD_TAG).varint(payload.length).bytes(payload);
  for (const key in headers) {
    const value = headers[key]!;
    const keyLength = Buffer.byteLength(key);
    const valueLength = Buffer.byteLength(value);
    writer
      .u8(HEADERS_TAG)
      .varint(2 + varintSize(keyLength) + keyLength + varintSize(valueLength) + valueLength)
      .u8(MAP_KEY_TAG)
      .varint(keyLength)
      .utf8(key)
      .u8(MAP_VALUE_TAG)
      .varint(valueLength)
      .utf8(value);
  }
  if (priority > 0) writer.u8(PRIORITY_TAG).varint(priority);
  writer.u8(PUSHED_AT_TAG);
  writeTimestamp(writer, pushed_ms);
  return writer.view();
}

/** Length and bytes of a `google.protobuf.Timestamp`. */
export function writeTimestamp(writer: ByteWriter, at_ms: number): void {
  const seconds = Math.floor(at_ms / 1000);
  const nanos = (at_ms - seconds * 1000) * 1_000_000;
  writer.varint(timestampSize(at_ms)).u8(SECONDS_TAG).varint(seconds);
  if (nanos > 0) writer.u8(NANOS_TAG).varint(nanos);
}

/** Bytes of a `google.protobuf.Timestamp`, without its length. */
export function timestampSize(at_ms: number): number {
  const seconds = Math.floor(at_ms / 1000);
  const nanos = (at_ms - seconds * 1000) * 1_000_000;
  return 1 + varintSize(seconds) + (nanos > 0 ? 1 + varintSize(nanos) : 0);
}
