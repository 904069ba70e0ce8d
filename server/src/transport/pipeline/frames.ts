/**
 * The envelope of the pipeline by hand: `PipelineServiceExecuteRequest` in, `PipelineServiceExecuteResponse` out.
 *
 * Every call of an SDK passes here twice. A general decoder makes an object and a bigint or two of each call; this one
 * hands the fields on. Tests hold both directions against the generated code.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { type PipelineError, PipelineErrorSchema } from '../../gen/gomsg/v1/pipeline_pb.js';
import { errorDetail } from '../../services/errors.ts';
import type { Failure } from '../../state/failure.ts';
import { ByteReader, ByteWriter, varintSize, wireType } from '../../state/wire.ts';
import { grpcCode, wireMessage } from '../grpc-status.ts';

// Tags of the fields, as in gomsg/v1/pipeline.proto.
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

const NO_BYTES = new Uint8Array(0);

/**
 * Calls that one frame may have. An empty call is two bytes on the wire and some hundreds in memory: without this bound
 * one frame of 16 MiB could fill a node's heap.
 */
export const CALLS_PER_FRAME_MAX = 65_536;

/** Tags, lengths and call id of a result, at most. */
const RESULT_OVERHEAD_BYTES = 24;

/** Room that the writer of a quiet connection keeps. */
const KEPT_BYTES = 16 * 1024;

/** What a frame says of all its calls. */
export interface FrameHeader {
  sessionId: bigint;
  answeredBelow: number;
  /** Epoch of the slot map by which the calls came here; 0 = the client does not route. */
  topologyEpoch: number;
}

/** Makes what the owner keeps of a call. The payload is a view into the frame; the header is complete only afterwards. */
export type MakeCall<C> = (
  header: FrameHeader,
  callId: number,
  method: number,
  payload: Uint8Array,
  sequence: number,
  timeout_ms: number,
  retry: boolean,
) => C;

/** Reads the calls of a frame. @throws RangeError when it is malformed or has too many calls */
export function readFrame<C>(bytes: Uint8Array, make: MakeCall<C>): C[] {
  const reader = new ByteReader(bytes);
  const header: FrameHeader = { sessionId: 0n, answeredBelow: 0, topologyEpoch: 0 };
  const calls: C[] = [];
  while (!reader.done) {
    const tag = reader.varint();
    switch (tag) {
      case SESSION_ID: {
        const id = reader.bytes(8);
        header.sessionId = new DataView(id.buffer, id.byteOffset, 8).getBigUint64(0, true);
        break;
      }
      case ANSWERED_BELOW:
        header.answeredBelow = reader.varint();
        break;
      case CALL:
        if (calls.length === CALLS_PER_FRAME_MAX) {
          throw new RangeError(`a frame has at most ${CALLS_PER_FRAME_MAX} calls`);
        }
        calls.push(readCall(reader, reader.varint(), header, make));
        break;
      case TOPOLOGY_EPOCH:
        header.topologyEpoch = reader.varint();
        break;
      default:
        skip(reader, tag);
    }
  }
  return calls;
}

function readCall<C>(reader: ByteReader, length: number, header: FrameHeader, make: MakeCall<C>): C {
  const end = reader.at + length;
  let callId = 0;
  let method = 0;
  let payload: Uint8Array = NO_BYTES;
  let sequence = 0;
  let timeout_ms = 0;
  let retry = false;
  while (reader.at < end) {
    const tag = reader.varint();
    switch (tag) {
      case CALL_ID:
        callId = reader.varint();
        break;
      case CALL_METHOD:
        method = reader.varint();
        break;
      case CALL_PAYLOAD:
        payload = reader.bytes(reader.varint());
        break;
      case CALL_SEQUENCE:
        sequence = reader.varint();
        break;
      case CALL_TIMEOUT:
        timeout_ms = reader.varint();
        break;
      case CALL_RETRY:
        retry = reader.varint() !== 0;
        break;
      default:
        skip(reader, tag);
    }
  }
  if (reader.at !== end) throw new RangeError('a call reaches behind its length');
  return make(header, callId, method, payload, sequence, timeout_ms, retry);
}

/** A field of a newer client: passed over. */
function skip(reader: ByteReader, tag: number): void {
  switch (tag & 7) {
    case wireType.varint:
      reader.varint();
      break;
    case wireType.fixed64:
      reader.bytes(8);
      break;
    case wireType.bytes:
      reader.bytes(reader.varint());
      break;
    case wireType.fixed32:
      reader.bytes(4);
      break;
    default:
      throw new RangeError(`a field has wire type ${tag & 7}`);
  }
}

/** Gathers results into a response frame. */
export class ResultFrame {
  readonly #writer = new ByteWriter(KEPT_BYTES);

  /** Bytes gathered so far. */
  get length(): number {
    return this.#writer.length;
  }

  ok(callId: number, response: Uint8Array): void {
    this.#result(callId, RESULT_PAYLOAD, response);
  }

  fail(callId: number, failure: Failure): void {
    const error: PipelineError = create(PipelineErrorSchema, {
      code: grpcCode(failure),
      message: wireMessage(failure),
      detail: errorDetail(failure),
    });
    this.#result(callId, RESULT_ERROR, toBinary(PipelineErrorSchema, error));
  }

  /** Bytes that a result of `bodyBytes` adds, at most. */
  static resultBytes(bodyBytes: number): number {
    return RESULT_OVERHEAD_BYTES + bodyBytes;
  }

  /** The frame as bytes of its own; the next one begins empty. */
  take(): Uint8Array {
    const bytes = this.#writer.copy();
    this.#writer.reset();
    return bytes;
  }

  #result(callId: number, tag: number, body: Uint8Array): void {
    const bodySize =
      body.length === 0 && tag === RESULT_PAYLOAD ? 0 : 1 + varintSize(body.length) + body.length;
    const writer = this.#writer;
    writer.u8(RESULT).varint(1 + varintSize(callId) + bodySize);
    writer.u8(RESULT_CALL_ID).varint(callId);
    if (bodySize > 0) writer.u8(tag).varint(body.length).bytes(body);
  }
}
