/** Errors that the client makes of what came over a connection, and of calls that it ends itself. */
import { fromBinary } from '@bufbuild/protobuf';
import { ErrorReason, errorFromDetail, type GomsgError, GrpcCode, gomsgError } from '../errors.ts';
import { PipelineErrorSchema } from '../gen/gomsg/v1/pipeline_pb.js';
import type { Call } from './call.ts';

const MAY_BE_APPLIED = '; the write may still be applied';

export function undecodable(method: string, cause: unknown): GomsgError {
  return gomsgError({
    code: GrpcCode.UNKNOWN,
    method,
    message: `the response is malformed: ${cause instanceof Error ? cause.message : cause}`,
    cause,
  });
}

export function pipelineError(call: Call, body: Uint8Array): GomsgError {
  const { code, message, detail } = fromBinary(PipelineErrorSchema, body);
  return errorFromDetail(code, message, detail, undefined, call.method.name);
}

export function canceled(call: Call, cause: unknown): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    reason: ErrorReason.CANCELED,
    method: call.method.name,
    message: `canceled by the caller${outcome}`,
    cause,
  });
}

/** What a call gets from a client that is closed. */
export function closedError(method: string, when: string, mayBeApplied: boolean): GomsgError {
  return gomsgError({
    reason: ErrorReason.CLIENT_CLOSED,
    method,
    message: `the client was closed ${when}${mayBeApplied ? MAY_BE_APPLIED : ''}`,
  });
}

export function unreachableError(call: Call, error: GomsgError): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    reason: ErrorReason.UNREACHABLE,
    method: call.method.name,
    message: `no node can be reached: ${error.message}${outcome}`,
    cause: error,
  });
}

/** A write that waited for a session, which could not be opened. */
export function sessionlessError(call: Call, error: GomsgError): GomsgError {
  return gomsgError({
    code: error.code,
    reason: error.reason,
    method: call.method.name,
    message: `no session could be opened: ${error.message}`,
    retryAfter_ms: error.retryAfter_ms,
    leader: error.leader,
    cause: error,
  });
}

/** The connection broke, under a call that was sent as often as one is. */
export function isLostConnection({ reason, code }: GomsgError): boolean {
  return reason === ErrorReason.UNSPECIFIED && code === GrpcCode.UNAVAILABLE;
}

/** The error of a connection as that of one call: it says what is known about a write. */
export function lostError(call: Call, error: GomsgError): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    code: error.code,
    // An internal call's failure keeps its shape, by which its owner knows it.
    reason: isLostConnection(error) && !call.internal ? ErrorReason.UNREACHABLE : error.reason,
    method: call.method.name,
    message: `${error.message}${outcome}`,
    cause: error,
  });
}

export function lateError(call: Call): GomsgError {
  const outcome = call.mayBeApplied ? MAY_BE_APPLIED : '';
  return gomsgError({
    reason: ErrorReason.DEADLINE_EXCEEDED,
    method: call.method.name,
    message: `no answer within ${call.timeout_ms} ms${outcome}`,
  });
}
