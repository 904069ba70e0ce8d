/** The hot answers, encoded by hand: Publish, PublishBatch, Ack, Read and ReadFrom. A test holds them against the contract. */
import { fieldTag, varintSize, wireType, writeVarint } from '../wire.ts';
import type { MessageChunks } from './partition-reader.ts';

const HASH = 0x23;
const DOT = 0x2e;
const varint = (field: number) => fieldTag(field, wireType.varint);
const bytes = (field: number) => fieldTag(field, wireType.bytes);

const publish = { messageId: bytes(1), partition: varint(2), offset: varint(3) } as const;
const batch = { positions: bytes(1) } as const;
const position = { partition: varint(1), offset: varint(2) } as const;
const ack = { committedOffset: varint(1) } as const;
const readFrom = { nextCursor: bytes(2) } as const;
const read = { nextOffset: varint(2), startOffset: varint(3), endOffset: varint(4) } as const;

/** StreamServicePublishResponse; the message id is `topic#partition.offset`. */
export function publishResponse(topic: Uint8Array, partition: number, offset: number): Uint8Array {
  const idBytes = topic.length + 2 + decimalSize(partition) + decimalSize(offset);
  const size = 1 + varintSize(idBytes) + idBytes + fieldSize(partition) + fieldSize(offset);
  const out = new Uint8Array(size);
  out[0] = publish.messageId;
  let at = writeVarint(out, 1, idBytes);
  for (let i = 0; i < topic.length; i++) out[at++] = topic[i]!;
  out[at++] = HASH;
  at = writeDecimal(out, at, partition);
  out[at++] = DOT;
  at = writeDecimal(out, at, offset);
  at = writeField(out, at, publish.partition, partition);
  writeField(out, at, publish.offset, offset);
  return out;
}

/** StreamServicePublishBatchResponse of pairs of partition and offset. */
export function publishBatchResponse(positions: readonly number[]): Uint8Array {
  let size = 0;
  for (let i = 0; i < positions.length; i += 2) {
    size += 2 + fieldSize(positions[i]!) + fieldSize(positions[i + 1]!);
  }
  const out = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < positions.length; i += 2) {
    const partition = positions[i]!;
    const offset = positions[i + 1]!;
    out[at++] = batch.positions;
    out[at++] = fieldSize(partition) + fieldSize(offset); // at most 4 + 9
    at = writeField(out, at, position.partition, partition);
    at = writeField(out, at, position.offset, offset);
  }
  return out;
}

/** StreamServiceAckResponse. */
export function ackResponse(committedOffset: number): Uint8Array {
  const out = new Uint8Array(fieldSize(committedOffset));
  writeField(out, 0, ack.committedOffset, committedOffset);
  return out;
}

/** StreamServiceReadResponse: stored messages as they are, and the offsets behind them. */
export function readResponse(
  messages: MessageChunks,
  nextOffset: number,
  startOffset: number,
  endOffset: number,
): Uint8Array {
  const out = new Uint8Array(
    messages.bytes + fieldSize(nextOffset) + fieldSize(startOffset) + fieldSize(endOffset),
  );
  let at = 0;
  for (const chunk of messages.chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  at = writeField(out, at, read.nextOffset, nextOffset);
  at = writeField(out, at, read.startOffset, startOffset);
  writeField(out, at, read.endOffset, endOffset);
  return out;
}

/** StreamServiceReadFromResponse. @param nextCursor undefined = there are no more messages now */
export function readFromResponse(messages: MessageChunks, nextCursor: Uint8Array | undefined): Uint8Array {
  const stored = messages.joined();
  if (nextCursor === undefined) return stored;
  const out = new Uint8Array(stored.length + 1 + varintSize(nextCursor.length) + nextCursor.length);
  out.set(stored);
  out[stored.length] = readFrom.nextCursor;
  out.set(nextCursor, writeVarint(out, stored.length + 1, nextCursor.length));
  return out;
}

/** Bytes of a varint field with a one-byte tag; zero is left out, as proto3 does. */
function fieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function writeField(target: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  target[at] = tag;
  return writeVarint(target, at + 1, value);
}

function decimalSize(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

function writeDecimal(target: Uint8Array, at: number, value: number): number {
  const end = at + decimalSize(value);
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const shorter = Math.floor(rest / 10);
    target[i] = 0x30 + (rest - shorter * 10);
    rest = shorter;
  }
  return end;
}
