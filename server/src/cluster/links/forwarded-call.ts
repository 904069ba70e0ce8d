/** Calls that one node passes on to another, their answers, and the encoding of both. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ForwardedFailureSchema } from '../../gen/gomsg/internal/v1/peer_pb.js';
import { errorDetail } from '../../services/errors.ts';
import type { SessionCall } from '../../services/method.ts';
import { durationToMs } from '../../state/durations.ts';
import { type Failure, isFailure, type Outcome } from '../../state/failure.ts';
import { type ByteReader, varintSize, writeVarint } from '../../state/wire.ts';

/** A call as it is passed on: whole, so that the other node answers it as if the caller had come there. */
export interface ForwardedCall {
  /** `(gomsg.sdk.v1.method).number` of the rpc. */
  readonly method: number;
  /** The encoded request. */
  readonly payload: Uint8Array;
  readonly session?: SessionCall | undefined;
  /** How long the caller still waits, in whole milliseconds above 0; undefined = without a bound. */
  readonly timeout_ms?: number | undefined;
  /** Request headers that the handler reads, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A call on the node that is to answer it. */
export interface ReceivedCall extends ForwardedCall {
  /** Number of the node that passed it on. */
  readonly from: number;
  /** Aborted when the caller gave up, its deadline passed, or the link was lost. */
  readonly signal: AbortSignal;
}

const ID_TAG = 0x08;
const METHOD_TAG = 0x10;
const PAYLOAD_TAG = 0x1a;
const SESSION_TAG = 0x21;
const SEQUENCE_TAG = 0x28;
const ANSWERED_TAG = 0x30;
const RETRY_TAG = 0x38;
const TIMEOUT_TAG = 0x40;
const HEADER_TAG = 0x4a;
const HEADER_NAME_TAG = 0x0a;
const HEADER_VALUE_TAG = 0x12;
const RESPONSE_TAG = 0x12;
const FAILURE_TAG = 0x1a;

/** Headers that a call may bring along: those few that handlers read. */
const HEADERS_MAX = 64;

const NO_BYTES = new Uint8Array(0);

/** A call measured and ready to be written. */
export interface MeasuredCall {
  /** 0 where the call has a stream of its own. */
  readonly id: number;
  readonly call: ForwardedCall;
  /** Size of its encoding. */
  readonly bytes: number;
}

export function measureCall(id: number, call: ForwardedCall): MeasuredCall {
  const { method, payload, session, timeout_ms, headers } = call;
  let bytes = varintFieldSize(id) + varintFieldSize(method) + bytesFieldSize(payload.length);
  if (session !== undefined) {
    if (session.sessionId !== 0n) bytes += 9;
    bytes += varintFieldSize(session.sequence) + varintFieldSize(session.answeredBelow);
    if (session.retry) bytes += 2;
  }
  bytes += varintFieldSize(wholeTimeout(timeout_ms));
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) {
      const size = headerSize(name, value);
      bytes += 1 + varintSize(size) + size;
    }
  }
  return { id, call, bytes };
}

/** 0 says "without a bound", so a bound is at least 1. */
function wholeTimeout(timeout_ms: number | undefined): number {
  return timeout_ms === undefined ? 0 : Math.max(1, Math.ceil(timeout_ms));
}

function headerSize(name: string, value: string): number {
  return bytesFieldSize(Buffer.byteLength(name)) + bytesFieldSize(Buffer.byteLength(value));
}

function varintFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

/** Writes a call at `start`; returns the offset behind it. */
export function writeCall(target: Buffer, start: number, { id, call }: MeasuredCall): number {
  const { method, payload, session, timeout_ms, headers } = call;
  let at = writeVarintField(target, start, ID_TAG, id);
  at = writeVarintField(target, at, METHOD_TAG, method);
  at = writeBytesField(target, at, PAYLOAD_TAG, payload);
  if (session !== undefined) {
    if (session.sessionId !== 0n) {
      target[at] = SESSION_TAG;
      at = target.writeBigUInt64LE(session.sessionId, at + 1);
    }
    at = writeVarintField(target, at, SEQUENCE_TAG, session.sequence);
    at = writeVarintField(target, at, ANSWERED_TAG, session.answeredBelow);
    at = writeVarintField(target, at, RETRY_TAG, session.retry ? 1 : 0);
  }
  at = writeVarintField(target, at, TIMEOUT_TAG, wholeTimeout(timeout_ms));
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) {
      target[at++] = HEADER_TAG;
      at = writeVarint(target, at, headerSize(name, value));
      at = writeBytesField(target, at, HEADER_NAME_TAG, Buffer.from(name));
      at = writeBytesField(target, at, HEADER_VALUE_TAG, Buffer.from(value));
    }
  }
  return at;
}

function writeVarintField(target: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  target[at] = tag;
  return writeVarint(target, at + 1, value);
}

function writeBytesField(target: Uint8Array, start: number, tag: number, value: Uint8Array): number {
  if (value.length === 0) return start;
  target[start] = tag;
  const at = writeVarint(target, start + 1, value.length);
  target.set(value, at);
  return at + value.length;
}

export interface NumberedCall {
  readonly id: number;
  readonly call: ForwardedCall;
}

/** Reads a call of `length` bytes. Its payload is a view of what the reader reads. @throws RangeError */
export function readCall(reader: ByteReader, length: number): NumberedCall {
  const end = reader.at + length;
  let id = 0;
  let method = 0;
  let payload: Uint8Array = NO_BYTES;
  let sessionId = 0n;
  let sequence = 0;
  let answeredBelow = 0;
  let retry = false;
  let timeout_ms: number | undefined;
  let headers: Record<string, string> | undefined;
  let headerCount = 0;
  while (reader.at < end) {
    const tag = reader.u8();
    switch (tag) {
      case ID_TAG:
        id = reader.varint();
        break;
      case METHOD_TAG:
        method = reader.varint();
        break;
      case PAYLOAD_TAG:
        payload = reader.bytes(reader.varint());
        break;
      case SESSION_TAG: {
        const bytes = reader.bytes(8);
        sessionId = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
        break;
      }
      case SEQUENCE_TAG:
        sequence = reader.varint();
        break;
      case ANSWERED_TAG:
        answeredBelow = reader.varint();
        break;
      case RETRY_TAG:
        retry = reader.varint() !== 0;
        break;
      case TIMEOUT_TAG:
        timeout_ms = reader.varint();
        break;
      case HEADER_TAG: {
        headerCount += 1;
        if (headerCount > HEADERS_MAX) throw new RangeError(`a call has more than ${HEADERS_MAX} headers`);
        const [name, value] = readHeader(reader, reader.varint());
        headers ??= Object.create(null) as Record<string, string>;
        headers[name] = value;
        break;
      }
      default:
        throw new RangeError(`a forwarded call has an unknown field (tag ${tag})`);
    }
  }
  if (reader.at !== end) throw new RangeError('a forwarded call reaches behind its length');
  const session = sequence === 0 ? undefined : { sessionId, sequence, answeredBelow, retry };
  return { id, call: { method, payload, session, timeout_ms, headers } };
}

function readHeader(reader: ByteReader, length: number): [string, string] {
  const end = reader.at + length;
  let name = '';
  let value = '';
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === HEADER_NAME_TAG) name = reader.utf8(reader.varint());
    else if (tag === HEADER_VALUE_TAG) value = reader.utf8(reader.varint());
    else throw new RangeError(`a header has an unknown field (tag ${tag})`);
  }
  if (reader.at !== end) throw new RangeError('a header reaches behind its length');
  return [name, value];
}

/** An answer measured and ready to be written. */
export interface MeasuredResult {
  readonly id: number;
  readonly failed: boolean;
  /** The response, or the encoded failure. */
  readonly body: Uint8Array;
  /** Size of its encoding. */
  readonly bytes: number;
}

export function measureResult(id: number, outcome: Outcome): MeasuredResult {
  const failed = isFailure(outcome);
  const body = failed ? encodeFailure(outcome) : outcome;
  // A failure is there even when its encoding is empty; an empty response is left out.
  const bodyBytes = failed ? 1 + varintSize(body.length) + body.length : bytesFieldSize(body.length);
  return { id, failed, body, bytes: varintFieldSize(id) + bodyBytes };
}

/** Writes an answer at `start`; returns the offset behind it. */
export function writeResult(target: Uint8Array, start: number, result: MeasuredResult): number {
  let at = writeVarintField(target, start, ID_TAG, result.id);
  if (!result.failed) return writeBytesField(target, at, RESPONSE_TAG, result.body);
  target[at] = FAILURE_TAG;
  at = writeVarint(target, at + 1, result.body.length);
  target.set(result.body, at);
  return at + result.body.length;
}

export interface NumberedResult {
  readonly id: number;
  readonly outcome: Outcome;
}

/** Reads an answer of `length` bytes. A response is a view of what the reader reads. @throws RangeError */
export function readResult(reader: ByteReader, length: number): NumberedResult {
  const end = reader.at + length;
  let id = 0;
  let outcome: Outcome = NO_BYTES;
  while (reader.at < end) {
    const tag = reader.u8();
    if (tag === ID_TAG) id = reader.varint();
    else if (tag === RESPONSE_TAG) outcome = reader.bytes(reader.varint());
    else if (tag === FAILURE_TAG) outcome = decodeFailure(reader.bytes(reader.varint()));
    else throw new RangeError(`a result has an unknown field (tag ${tag})`);
  }
  if (reader.at !== end) throw new RangeError('a result reaches behind its length');
  return { id, outcome };
}

function encodeFailure(failure: Failure): Uint8Array {
  return toBinary(ForwardedFailureSchema, failureMessage(failure));
}

/** A failure as it travels. */
export function failureMessage(failure: Failure) {
  return create(ForwardedFailureSchema, {
    message: failure.message.toWellFormed(),
    detail: errorDetail(failure),
  });
}

function decodeFailure(bytes: Uint8Array): Failure {
  try {
    return failureOf(fromBinary(ForwardedFailureSchema, bytes));
  } catch (error) {
    throw new RangeError('a failure cannot be decoded', { cause: error });
  }
}

/** What `failureMessage` made. */
export function failureOf({ message, detail }: ReturnType<typeof failureMessage>): Failure {
  if (detail === undefined) throw new RangeError('a failure has no detail');
  return {
    reason: detail.reason,
    message,
    ...(detail.subject !== '' && { subject: detail.subject }),
    ...(detail.currentVersion !== 0n && { currentVersion: Number(detail.currentVersion) }),
    // A range has both ends, of which either may be 0.
    ...((detail.oldestAvailable !== 0n || detail.newestAvailable !== 0n) && {
      oldestAvailable: Number(detail.oldestAvailable),
      newestAvailable: Number(detail.newestAvailable),
    }),
    ...(detail.retryAfter !== undefined && { retryAfter_ms: durationToMs(detail.retryAfter) }),
    ...(detail.leader !== undefined && {
      leader: { nodeId: detail.leader.nodeId, address: detail.leader.address },
    }),
    ...(detail.topologyEpoch !== 0n && { topologyEpoch: Number(detail.topologyEpoch) }),
  };
}
