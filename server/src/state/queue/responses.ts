/** The responses of Push and Pop, written by hand: they are on the way of every message. */
import { type ByteWriter, fieldTag, varintSize, wireType } from '../wire.ts';
import { timestampSize, writeTimestamp } from './body.ts';
import { messageId } from './delivery-id.ts';

/** Field 1 of PushResponse, PushBatchResponse and PopResponse alike, and of QueueDelivery. */
const FIRST_TAG = fieldTag(1, wireType.bytes);
const DEDUPLICATED_TAG = fieldTag(2, wireType.varint);
const MESSAGE_ID_TAG = fieldTag(2, wireType.bytes);
const QUEUE_TAG = fieldTag(3, wireType.bytes);
const ATTEMPT_TAG = fieldTag(7, wireType.varint);
const LEASE_EXPIRES_AT_TAG = fieldTag(9, wireType.bytes);

export const emptyResponse = new Uint8Array();

/** A `QueueServicePushResponse`. */
export function pushResponse(
  writer: ByteWriter,
  queue: string,
  sequence: number,
  deduplicated: boolean,
): Uint8Array {
  const id = messageId(queue, sequence);
  writer.reset().u8(FIRST_TAG).varint(id.length).binary(id);
  if (deduplicated) writer.u8(DEDUPLICATED_TAG).u8(1);
  return writer.copy();
}

/** A `QueueServicePushBatchResponse`. */
export function pushBatchResponse(
  writer: ByteWriter,
  queue: string,
  sequences: readonly number[],
): Uint8Array {
  writer.reset();
  for (const sequence of sequences) {
    const id = messageId(queue, sequence);
    writer.u8(FIRST_TAG).varint(id.length).binary(id);
  }
  return writer.copy();
}

/** Adds one delivery to a `QueueServicePopResponse`. Queue names are ASCII, so their length is their bytes. */
export function writeDelivery(
  writer: ByteWriter,
  queue: string,
  sequence: number,
  delivery: number,
  attempt: number,
  leaseEnd_ms: number,
  body: Uint8Array,
): void {
  const message = messageId(queue, sequence);
  const suffix = `.${delivery}`;
  const idLength = message.length + suffix.length;
  const leaseEndSize = timestampSize(leaseEnd_ms);
  writer
    .u8(FIRST_TAG)
    .varint(
      5 +
        varintSize(idLength) +
        idLength +
        varintSize(message.length) +
        message.length +
        varintSize(queue.length) +
        queue.length +
        body.length +
        varintSize(attempt) +
        varintSize(leaseEndSize) +
        leaseEndSize,
    )
    .u8(FIRST_TAG)
    .varint(idLength)
    .binary(message)
    .binary(suffix)
    .u8(MESSAGE_ID_TAG)
    .varint(message.length)
    .binary(message)
    .u8(QUEUE_TAG)
    .varint(queue.length)
    .binary(queue)
    .bytes(body)
    .u8(ATTEMPT_TAG)
    .varint(attempt)
    .u8(LEASE_EXPIRES_AT_TAG);
  writeTimestamp(writer, leaseEnd_ms);
}
