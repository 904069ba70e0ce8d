/** Typed errors at the edge, and the catalogue that gives each reason its gRPC code. */
import { create, getOption, toBinary } from '@bufbuild/protobuf';
import { error as errorOption } from '../gen/gomsg/sdk/v1/options_pb.js';
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReason,
  ErrorReasonSchema,
} from '../gen/gomsg/v1/common_pb.js';
import { msToDuration } from '../state/durations.ts';
import type { Failure } from '../state/failure.ts';

export { ErrorReason };

/** A failure as an exception, for code that throws. */
export class GomsgError extends Error implements Failure {
  override readonly name = 'GomsgError';
  readonly reason: ErrorReason;
  declare readonly subject?: string;
  declare readonly currentVersion?: number;
  declare readonly oldestAvailable?: number;
  declare readonly newestAvailable?: number;
  declare readonly retryAfter_ms?: number;
  declare readonly leader?: { readonly nodeId: string; readonly address: string };
  declare readonly topologyEpoch?: number;

  constructor(failure: Failure) {
    super(failure.message);
    this.reason = failure.reason;
    Object.assign(this, failure);
  }
}

/** Canonical gRPC code (google.rpc.Code) of every reason, from the catalogue in common.proto. */
const codes = new Map<ErrorReason, number>(
  ErrorReasonSchema.values.map((value) => [value.number, getOption(value, errorOption).code || 2]),
);

/** Reasons after which the same call can succeed later. */
const retryable = new Set<ErrorReason>(
  ErrorReasonSchema.values
    .filter((value) => getOption(value, errorOption).retryable)
    .map((value) => value.number),
);

export function codeOf(reason: ErrorReason): number {
  return codes.get(reason) ?? 2;
}

export function isRetryable(reason: ErrorReason): boolean {
  return retryable.has(reason);
}

/** The typed detail that travels with an error. */
export function errorDetail(failure: Failure): ErrorDetail {
  return create(ErrorDetailSchema, {
    reason: failure.reason,
    subject: failure.subject ?? '',
    ...(failure.leader && { leader: failure.leader }),
    topologyEpoch: BigInt(failure.topologyEpoch ?? 0),
    ...(failure.retryAfter_ms !== undefined && { retryAfter: msToDuration(failure.retryAfter_ms) }),
    currentVersion: BigInt(failure.currentVersion ?? 0),
    oldestAvailable: BigInt(failure.oldestAvailable ?? 0),
    newestAvailable: BigInt(failure.newestAvailable ?? 0),
  });
}

export function errorDetailBytes(failure: Failure): Uint8Array {
  return toBinary(ErrorDetailSchema, errorDetail(failure));
}
