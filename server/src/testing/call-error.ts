/** Failed calls as tests look at them. */
import { fromBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { ServiceError } from '@grpc/grpc-js';
import { type ErrorDetail, ErrorDetailSchema, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { PipelineError } from '../gen/gomsg/v1/pipeline_pb.js';
import { StatusSchema } from '../transport/gen/google/rpc/status_pb.js';

/** A failed call. Without a reason the connection failed, and nobody knows whether the call was applied. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** Canonical gRPC code. */
  readonly code: number;
  readonly reason: ErrorReason;
  readonly detail: ErrorDetail | undefined;

  constructor(code: number, message: string, detail: ErrorDetail | undefined) {
    const reason = detail?.reason ?? ErrorReason.UNSPECIFIED;
    super(`${ErrorReason[reason]} (code ${code}): ${message}`);
    this.code = code;
    this.reason = reason;
    this.detail = detail;
  }

  /** Milliseconds after which the server wants to be asked again. */
  get retryAfter_ms(): number {
    return this.detail?.retryAfter === undefined ? 0 : durationMs(this.detail.retryAfter);
  }
}

export function fromServiceError(error: ServiceError): CallError {
  const trailer = error.metadata?.get('grpc-status-details-bin')[0];
  let detail: ErrorDetail | undefined;
  if (trailer instanceof Uint8Array) {
    const [any] = fromBinary(StatusSchema, trailer).details;
    if (any !== undefined) detail = fromBinary(ErrorDetailSchema, any.value);
  }
  return new CallError(error.code, error.details, detail);
}

export function fromPipelineError({ code, message, detail }: PipelineError): CallError {
  return new CallError(code, message, detail);
}

/** Whether the server gave this reason. */
export function isReason(error: unknown, ...reasons: readonly ErrorReason[]): error is CallError {
  return error instanceof CallError && reasons.includes(error.reason);
}
