/** Method table entries from plain functions: decodes the request and turns a thrown `GomsgError` into the answer. */
import {
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  getOption,
  type MessageShape,
} from '@bufbuild/protobuf';
import { method as methodOption } from '../gen/gomsg/sdk/v1/options_pb.js';
import type { Failure } from '../state/failure.ts';
import { ErrorReason, GomsgError } from './errors.ts';
import type { CallContext, Reply, ServerStreamingMethod, UnaryMethod } from './method.ts';

/** What a unary handler gets beside the decoded request. */
export interface UnaryCall {
  /** The request as it came: what a write puts into the log. */
  readonly payload: Uint8Array;
  /** Number of the rpc. */
  readonly number: number;
  readonly context: CallContext;
  readonly reply: Reply;
}

/** Number of an rpc, from its `(gomsg.sdk.v1.method)` option. */
export function methodNumber(desc: DescMethod): number {
  const { number } = getOption(desc, methodOption);
  if (number === 0) throw new Error(`${desc.parent.typeName}/${desc.name} has no method number`);
  return number;
}

/**
 * A unary method. `handle` answers through `call.reply`, at once or later, exactly once; until it has, it may throw a
 * `GomsgError` instead. A request that cannot be decoded fails with INVALID_REQUEST and never reaches it. Anything else
 * that is thrown is a bug, and goes on to the transport, which reports it.
 *
 * `readPlain` may read simple forms of the request faster than the general decoder; undefined = not one of those.
 */
export function unary<I extends DescMessage, O extends DescMessage>(
  desc: DescMethodUnary<I, O>,
  handle: (request: MessageShape<I>, call: UnaryCall) => void,
  readPlain: (payload: Uint8Array) => MessageShape<I> | undefined = () => undefined,
): UnaryMethod {
  const number = methodNumber(desc);
  return {
    kind: 'unary',
    desc,
    number,
    handle(payload, context, reply) {
      let request: MessageShape<I>;
      try {
        request = readPlain(payload) ?? fromBinary(desc.input, payload);
      } catch (error) {
        reply.fail(malformed(desc.input, error));
        return;
      }
      try {
        handle(request, { payload, number, context, reply });
      } catch (error) {
        if (!(error instanceof GomsgError)) throw error;
        reply.fail(error);
      }
    },
  };
}

/** A server streaming method. `handle` throws `GomsgError`, also from the first pull; so does a malformed request. */
export function serverStreaming<I extends DescMessage, O extends DescMessage>(
  desc: DescMethodServerStreaming<I, O>,
  handle: (request: MessageShape<I>, context: CallContext) => AsyncIterable<Uint8Array>,
): ServerStreamingMethod {
  return {
    kind: 'server_streaming',
    desc,
    number: methodNumber(desc),
    handle(payload, context) {
      let request: MessageShape<I>;
      try {
        request = fromBinary(desc.input, payload);
      } catch (error) {
        throw new GomsgError(malformed(desc.input, error));
      }
      return handle(request, context);
    },
  };
}

/**
 * What the caller gets to see of something thrown, for handlers that answer later and so have nobody to throw to.
 * Anything but a `GomsgError` is a bug, and INTERNAL.
 */
export function toFailure(error: unknown): Failure {
  if (error instanceof GomsgError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return { reason: ErrorReason.INTERNAL, message: `unexpected error: ${text}` };
}

/** An INVALID_REQUEST about one field (`subject`). */
export function invalidRequest(subject: string, message: string): GomsgError {
  return new GomsgError({ reason: ErrorReason.INVALID_REQUEST, message, subject });
}

function malformed(desc: DescMessage, error: unknown): Failure {
  const why = error instanceof Error ? error.message : String(error);
  return {
    reason: ErrorReason.INVALID_REQUEST,
    message: `the request is not a valid ${desc.typeName}: ${why}`,
  };
}
