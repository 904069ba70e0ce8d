/**
 * The frames of a link, by hand: `PeerServiceLinkRequest` one way, `PeerServiceLinkResponse` the other. A frame is
 * measured, allocated once and filled; reading hands out views. Tests hold both directions against the generated code.
 */
import type { HeartbeatMessage, HeartbeatResponseMessage } from '../../raft/index.ts';
import { ByteReader, varintSize, writeVarint } from '../../state/wire.ts';
import {
  type MeasuredCall,
  type MeasuredResult,
  type NumberedCall,
  type NumberedResult,
  readCall,
  readResult,
  writeCall,
  writeResult,
} from './forwarded-call.ts';
import {
  type CompactHeartbeats,
  type GroupHeartbeat,
  heartbeatSize,
  readHeartbeat,
  readHeartbeatResponse,
  writeHeartbeat,
} from './heartbeats.ts';
import {
  type GroupMessage,
  type MeasuredMessage,
  readMessage,
  withOwnEntries,
  writeMessage,
} from './raft-codec.ts';

const MESSAGE_TAG = 0x12;
const HEARTBEAT_TAG = 0x1a;
const SAME_HEARTBEATS_TAG = 0x22;
const HEARTBEAT_RESPONSE_TAG = 0x2a;
const SAME_HEARTBEAT_RESPONSES_TAG = 0x32;
const CALL_TAG = 0x3a;
const CANCELLED_TAG = 0x42;
const REPORT_TAG = 0x4a;
const RESULT_TAG = 0x12;

/**
 * Things that one frame may have. An empty one is two bytes on the wire and some hundreds in memory: without this bound
 * one frame of 16 MiB could fill a node's heap.
 */
export const ITEMS_PER_FRAME_MAX = 65_536;

/** Tag and length of an item in a frame, at most. */
export const ITEM_OVERHEAD_BYTES = 6;

/** What entries that are views of their frame may keep of it beside their message: this many bytes, or .. */
const KEPT_BYTES_MAX = 16 * 1024;
/** .. this many times their message. */
const KEPT_RATIO = 4;

/** What a node says in one frame. */
export interface OutgoingFrame {
  readonly messages: readonly MeasuredMessage[];
  readonly heartbeats: CompactHeartbeats<HeartbeatMessage>;
  readonly heartbeatResponses: CompactHeartbeats<HeartbeatResponseMessage>;
  readonly calls: readonly MeasuredCall[];
  readonly cancelled: readonly number[];
  readonly report: Uint8Array | undefined;
}

/** The frame as bytes, which lie alone in their memory. */
export function encodeFrame(frame: OutgoingFrame): Buffer {
  const { messages, heartbeats, heartbeatResponses, calls, cancelled, report } = frame;
  let total = packedSize(heartbeats.same) + packedSize(heartbeatResponses.same) + packedSize(cancelled);
  for (const { bytes } of messages) total += itemSize(bytes);
  for (const heartbeat of heartbeats.changed) total += itemSize(heartbeatSize(heartbeat));
  for (const heartbeat of heartbeatResponses.changed) total += itemSize(heartbeatSize(heartbeat));
  for (const { bytes } of calls) total += itemSize(bytes);
  if (report !== undefined && report.length > 0) total += itemSize(report.length);

  const target = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const message of messages) {
    at = writeMessage(target, writeHead(target, at, MESSAGE_TAG, message.bytes), message);
  }
  at = writeHeartbeats(target, at, HEARTBEAT_TAG, heartbeats.changed);
  at = writePacked(target, at, SAME_HEARTBEATS_TAG, heartbeats.same);
  at = writeHeartbeats(target, at, HEARTBEAT_RESPONSE_TAG, heartbeatResponses.changed);
  at = writePacked(target, at, SAME_HEARTBEAT_RESPONSES_TAG, heartbeatResponses.same);
  for (const call of calls) at = writeCall(target, writeHead(target, at, CALL_TAG, call.bytes), call);
  at = writePacked(target, at, CANCELLED_TAG, cancelled);
  if (report !== undefined && report.length > 0) {
    at = writeHead(target, at, REPORT_TAG, report.length);
    target.set(report, at);
  }
  return target;
}

function itemSize(bodyBytes: number): number {
  return 1 + varintSize(bodyBytes) + bodyBytes;
}

function packedBodySize(values: readonly number[]): number {
  let bytes = 0;
  for (const value of values) bytes += varintSize(value);
  return bytes;
}

function packedSize(values: readonly number[]): number {
  return values.length === 0 ? 0 : itemSize(packedBodySize(values));
}

function writeHead(target: Uint8Array, at: number, tag: number, bodyBytes: number): number {
  target[at] = tag;
  return writeVarint(target, at + 1, bodyBytes);
}

function writeHeartbeats(
  target: Uint8Array,
  start: number,
  tag: number,
  heartbeats: readonly GroupHeartbeat<HeartbeatMessage | HeartbeatResponseMessage>[],
): number {
  let at = start;
  for (const heartbeat of heartbeats) {
    at = writeHeartbeat(target, writeHead(target, at, tag, heartbeatSize(heartbeat)), heartbeat);
  }
  return at;
}

function writePacked(target: Uint8Array, start: number, tag: number, values: readonly number[]): number {
  if (values.length === 0) return start;
  let at = writeHead(target, start, tag, packedBodySize(values));
  for (const value of values) at = writeVarint(target, at, value);
  return at;
}

/** What the other node said in one frame. */
export interface IncomingFrame {
  readonly messages: readonly GroupMessage[];
  readonly heartbeats: CompactHeartbeats<HeartbeatMessage>;
  readonly heartbeatResponses: CompactHeartbeats<HeartbeatResponseMessage>;
  readonly calls: readonly NumberedCall[];
  readonly cancelled: readonly number[];
  readonly report: Uint8Array | undefined;
}

/** Reads a frame; entries that make up much of it, payloads and the report are views of it. @throws RangeError when it is malformed */
export function decodeFrame(bytes: Uint8Array): IncomingFrame {
  const reader = new ByteReader(bytes);
  const messages: GroupMessage[] = [];
  const heartbeats = { changed: [] as GroupHeartbeat<HeartbeatMessage>[], same: [] as number[] };
  const heartbeatResponses = {
    changed: [] as GroupHeartbeat<HeartbeatResponseMessage>[],
    same: [] as number[],
  };
  const calls: NumberedCall[] = [];
  const cancelled: number[] = [];
  let report: Uint8Array | undefined;
  let items = 0;
  while (!reader.done) {
    if (++items > ITEMS_PER_FRAME_MAX) {
      throw new RangeError(`a frame has more than ${ITEMS_PER_FRAME_MAX} items`);
    }
    const tag = reader.u8();
    const length = reader.varint();
    switch (tag) {
      case MESSAGE_TAG:
        messages.push(readKept(reader, length, bytes.length));
        break;
      case HEARTBEAT_TAG:
        heartbeats.changed.push(readHeartbeat(reader, length));
        break;
      case SAME_HEARTBEATS_TAG:
        readPacked(reader, length, heartbeats.same);
        break;
      case HEARTBEAT_RESPONSE_TAG:
        heartbeatResponses.changed.push(readHeartbeatResponse(reader, length));
        break;
      case SAME_HEARTBEAT_RESPONSES_TAG:
        readPacked(reader, length, heartbeatResponses.same);
        break;
      case CALL_TAG:
        calls.push(readCall(reader, length));
        break;
      case CANCELLED_TAG:
        readPacked(reader, length, cancelled);
        break;
      case REPORT_TAG:
        report = reader.bytes(length);
        break;
      default:
        throw new RangeError(`a frame has an unknown field (tag ${tag})`);
    }
  }
  return { messages, heartbeats, heartbeatResponses, calls, cancelled, report };
}

/** A message whose entries may be kept without keeping much else of the frame. @throws RangeError */
function readKept(reader: ByteReader, length: number, frameBytes: number): GroupMessage {
  const { group, message } = readMessage(reader, length);
  const keepsTooMuch = frameBytes - length > KEPT_BYTES_MAX && length * KEPT_RATIO < frameBytes;
  return { group, message: keepsTooMuch ? withOwnEntries(message) : message };
}

function readPacked(reader: ByteReader, length: number, into: number[]): void {
  const end = reader.at + length;
  while (reader.at < end) {
    if (into.length === ITEMS_PER_FRAME_MAX) {
      throw new RangeError(`a frame has more than ${ITEMS_PER_FRAME_MAX} numbers in a list`);
    }
    into.push(reader.varint());
  }
  if (reader.at !== end) throw new RangeError('a list reaches behind its length');
}

/** Answers as a frame, which lies alone in its memory. */
export function encodeResults(results: readonly MeasuredResult[]): Buffer {
  let total = 0;
  for (const { bytes } of results) total += itemSize(bytes);
  const target = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const result of results) {
    at = writeResult(target, writeHead(target, at, RESULT_TAG, result.bytes), result);
  }
  return target;
}

/** Reads a frame of answers; responses are views of it. @throws RangeError when it is malformed */
export function decodeResults(bytes: Uint8Array): NumberedResult[] {
  const reader = new ByteReader(bytes);
  const results: NumberedResult[] = [];
  while (!reader.done) {
    if (results.length === ITEMS_PER_FRAME_MAX) {
      throw new RangeError(`a frame has more than ${ITEMS_PER_FRAME_MAX} results`);
    }
    const tag = reader.u8();
    if (tag !== RESULT_TAG) throw new RangeError(`a frame of results has an unknown field (tag ${tag})`);
    results.push(readResult(reader, reader.varint()));
  }
  return results;
}
