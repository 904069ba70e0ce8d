/**
 * The envelope of the pipeline by hand: `PipelineServiceExecuteRequest` out, `PipelineServiceExecuteResponse` in.
 *
 * Every call passes here twice, hundreds of thousands of times a second. A general encoder would make an object, a
 * bigint or two and a nested buffer of each; this one writes a frame in one pass into one buffer of its exact size.
 * Tests hold both directions against the generated code.
 */

// Tags of the fields, as in gomsg/v1/pipeline.proto: field << 3 | wire type.
const SESSION_ID = 0x09;
const ANSWERED_BELOW = 0x10;
const CALL = 0x1a;
const TOPOLOGY_EPOCH = 0x20;
const CALL_ID = 0x08;
const CALL_METHOD = 0x10;
const CALL_PAYLOAD = 0x1a;
const CALL_SEQUENCE = 0x20;
const CALL_TIMEOUT = 0x28;
const CALL_RETRY = 0x30;
const RESULT = 0x0a;
const RESULT_CALL_ID = 0x08;
const RESULT_PAYLOAD = 0x12;
const RESULT_ERROR = 0x1a;

/** A frame that is not one. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** What a frame says of one call; see `PipelineCall` in pipeline.proto. Numbers of 0 are left out. */
export interface OutgoingCall {
  readonly callId: number;
  readonly methodNumber: number;
  readonly payload: Uint8Array;
  readonly sequence: number;
  readonly remaining_ms: number;
  readonly retry: boolean;
}

/** Most bytes that a call takes in a frame beside its payload: six tags and varints, the tag and length of the whole. */
export const CALL_ENVELOPE_BYTES_MAX = 48;

/** Most bytes that a frame takes beside its calls. */
export const FRAME_ENVELOPE_BYTES_MAX = 32;

/** Calls as one request frame. `topologyEpoch` is that of the slot map by which they were routed; 0 = not routed. */
export function encodeFrame(
  sessionId: bigint,
  answeredBelow: number,
  calls: readonly OutgoingCall[],
  topologyEpoch = 0,
): Buffer {
  let size = topologyEpoch > 0 ? 1 + varintSize(topologyEpoch) : 0;
  if (sessionId !== 0n) size += 9 + (answeredBelow > 0 ? 1 + varintSize(answeredBelow) : 0);
  for (const call of calls) {
    const body = callSize(call);
    size += 1 + varintSize(body) + body;
  }
  const frame = Buffer.allocUnsafe(size);
  let at = 0;
  if (sessionId !== 0n) {
    frame[at++] = SESSION_ID;
    at = frame.writeBigUInt64LE(sessionId, at);
    if (answeredBelow > 0) {
      frame[at++] = ANSWERED_BELOW;
      at = writeVarint(frame, at, answeredBelow);
    }
  }
  for (const call of calls) at = writeCall(frame, at, call);
  if (topologyEpoch > 0) {
    frame[at++] = TOPOLOGY_EPOCH;
    writeVarint(frame, at, topologyEpoch);
  }
  return frame;
}

function callSize(call: OutgoingCall): number {
  const length = call.payload.length;
  let size = 1 + varintSize(call.callId) + 1 + varintSize(call.methodNumber);
  if (length > 0) size += 1 + varintSize(length) + length;
  if (call.sequence > 0) size += 1 + varintSize(call.sequence);
  if (call.remaining_ms > 0) size += 1 + varintSize(call.remaining_ms);
  if (call.retry) size += 2;
  return size;
}

function writeCall(frame: Buffer, start: number, call: OutgoingCall): number {
  const { payload } = call;
  let at = start;
  frame[at++] = CALL;
  at = writeVarint(frame, at, callSize(call));
  frame[at++] = CALL_ID;
  at = writeVarint(frame, at, call.callId);
  frame[at++] = CALL_METHOD;
  at = writeVarint(frame, at, call.methodNumber);
  if (payload.length > 0) {
    frame[at++] = CALL_PAYLOAD;
    at = writeVarint(frame, at, payload.length);
    frame.set(payload, at);
    at += payload.length;
  }
  if (call.sequence > 0) {
    frame[at++] = CALL_SEQUENCE;
    at = writeVarint(frame, at, call.sequence);
  }
  if (call.remaining_ms > 0) {
    frame[at++] = CALL_TIMEOUT;
    at = writeVarint(frame, at, call.remaining_ms);
  }
  if (call.retry) {
    frame[at++] = CALL_RETRY;
    frame[at++] = 1;
  }
  return at;
}

/**
 * Takes one result of a frame. `body` is the encoded response message, or the encoded `PipelineError` when `failed`:
 * a view into the frame, to be copied before it is kept.
 */
export type TakeResult = (callId: number, body: Uint8Array, failed: boolean) => void;

/**
 * Reads a response frame. Fields of a newer server are passed over.
 * @throws FrameError when the frame is malformed; results before that place were taken by then
 */
export function readResults(frame: Uint8Array, take: TakeResult): void {
  const reader = new FrameReader(frame);
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === RESULT) readResult(reader, reader.varint(), take);
    else reader.skip(tag);
  }
}

const NO_BYTES = new Uint8Array(0);

function readResult(reader: FrameReader, length: number, take: TakeResult): void {
  const end = reader.at + length;
  let callId = 0;
  let body = NO_BYTES as Uint8Array;
  let failed = false;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === RESULT_CALL_ID) callId = reader.varint();
    else if (tag === RESULT_PAYLOAD) body = reader.bytes(reader.varint());
    else if (tag === RESULT_ERROR) {
      body = reader.bytes(reader.varint());
      failed = true;
    } else reader.skip(tag);
  }
  if (reader.at !== end) throw new FrameError('a result reaches behind its length');
  take(callId, body, failed);
}

class FrameReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** An unsigned varint up to 2^53; larger ones occur in no field that is read. */
  varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new FrameError('the frame ends inside a number');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new FrameError('a number of the frame is longer than ten bytes');
  }

  bytes(length: number): Uint8Array {
    const from = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw new FrameError('the frame ends inside a field');
    return this.#bytes.subarray(from, this.at);
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        break;
      case 1:
        this.bytes(8);
        break;
      case 2:
        this.bytes(this.varint());
        break;
      case 5:
        this.bytes(4);
        break;
      default:
        throw new FrameError(`a field of the frame has wire type ${tag & 7}`);
    }
  }
}

function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
