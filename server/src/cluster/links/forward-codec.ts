/** Messages of a passed-on stream. Its responses are by hand, so that they are copied once. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type PeerServiceForwardResponse,
  PeerServiceForwardResponseSchema,
} from '../../gen/gomsg/internal/v1/peer_pb.js';
import type { Failure } from '../../state/failure.ts';
import { ByteReader, varintSize, writeVarint } from '../../state/wire.ts';
import { type ForwardedCall, failureMessage, measureCall, readCall, writeCall } from './forwarded-call.ts';
import { aloneInMemory } from './handshake.ts';

const CALL_TAG = 0x12;
const MESSAGE_TAG = 0x12;

/** The request of a stream. */
export function encodeStreamCall(call: ForwardedCall): Buffer {
  const measured = measureCall(0, call);
  const target = Buffer.allocUnsafeSlow(1 + varintSize(measured.bytes) + measured.bytes);
  target[0] = CALL_TAG;
  writeCall(target, writeVarint(target, 1, measured.bytes), measured);
  return target;
}

/** The payload is a view of the bytes. @throws RangeError when it is malformed */
export function decodeStreamCall(bytes: Uint8Array): ForwardedCall {
  const reader = new ByteReader(bytes);
  const tag = reader.u8();
  if (tag !== CALL_TAG) throw new RangeError(`a call was due, and a field of tag ${tag} came`);
  const { call } = readCall(reader, reader.varint());
  if (!reader.done) throw new RangeError('something follows the call');
  return call;
}

export function encodeStreamMessages(messages: readonly Uint8Array[]): Buffer {
  let total = 0;
  for (const { length } of messages) total += 1 + varintSize(length) + length;
  const target = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const message of messages) {
    target[at] = MESSAGE_TAG;
    at = writeVarint(target, at + 1, message.length);
    target.set(message, at);
    at += message.length;
  }
  return target;
}

/** The end of a stream; without a failure it ended well. */
export function encodeStreamEnd(failure: Failure | undefined): Buffer {
  const init = failure === undefined ? { ended: true } : { failure: failureMessage(failure) };
  return aloneInMemory(
    toBinary(PeerServiceForwardResponseSchema, create(PeerServiceForwardResponseSchema, init)),
  );
}

/** Messages are views of the bytes. @throws RangeError when it is malformed */
export function decodeStreamResponse(bytes: Uint8Array): PeerServiceForwardResponse {
  try {
    return fromBinary(PeerServiceForwardResponseSchema, bytes);
  } catch (error) {
    throw new RangeError('a message of a passed-on stream cannot be decoded', { cause: error });
  }
}
