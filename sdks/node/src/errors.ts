/** What a failed call throws, as typed values: the catalogue of reasons is `gomsg.v1.ErrorReason`. */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { families } from './faces/gen/errors.ts';
import { type ErrorDetail, ErrorDetailSchema, ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { codeOf, GomsgError, type GomsgErrorInit } from './gomsg-error.ts';

export { GomsgError, type GomsgErrorInit, GrpcCode } from './gomsg-error.ts';
export { ErrorReason };

/** An error of the family of its code, such as `NotFoundError`. */
export function gomsgError(init: GomsgErrorInit): GomsgError {
  const Family = families.get(codeOf(init)) ?? GomsgError;
  return new Family(init);
}

/** The error that a code, a message and, where the server sent one, a typed detail stand for. */
export function errorFromDetail(
  code: number,
  message: string,
  detail: ErrorDetail | undefined,
  cause?: unknown,
  method?: string,
): GomsgError {
  if (detail === undefined) return gomsgError({ code, message, cause, method });
  const conditionFailed = detail.reason === ErrorReason.CONDITION_FAILED;
  const hasRange =
    detail.reason === ErrorReason.COMPACTED || detail.reason === ErrorReason.OFFSET_OUT_OF_RANGE;
  return gomsgError({
    code,
    message,
    cause,
    method,
    reason: detail.reason,
    subject: detail.subject,
    retryAfter_ms: detail.retryAfter && durationMs(detail.retryAfter),
    leader: detail.leader && { nodeId: detail.leader.nodeId, address: detail.leader.address },
    topologyEpoch: detail.topologyEpoch || undefined,
    currentVersion: conditionFailed ? detail.currentVersion || undefined : undefined,
    oldestAvailable: hasRange ? detail.oldestAvailable : undefined,
    newestAvailable: hasRange || detail.newestAvailable > 0n ? detail.newestAvailable : undefined,
  });
}

/**
 * The detail inside a `grpc-status-details-bin` trailer (an encoded google.rpc.Status); undefined when it has none.
 * A trailer that does not parse counts as none: the status beside it still says what matters.
 */
export function detailFromStatusTrailer(trailer: Uint8Array): ErrorDetail | undefined {
  try {
    const status = new BinaryReader(trailer);
    while (status.pos < status.len) {
      const [field, wireType] = status.tag();
      if (field !== STATUS_DETAILS) {
        status.skip(wireType, field);
        continue;
      }
      const detail = detailFromAny(status.bytes());
      if (detail !== undefined) return detail;
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** Field of google.rpc.Status: `repeated google.protobuf.Any details`. */
const STATUS_DETAILS = 3;
/** Fields of google.protobuf.Any. */
const ANY_TYPE_URL = 1;
const ANY_VALUE = 2;
const DETAIL_TYPE_URL_SUFFIX = `/${ErrorDetailSchema.typeName}`;

function detailFromAny(bytes: Uint8Array): ErrorDetail | undefined {
  const any = new BinaryReader(bytes);
  let typeUrl = '';
  let value: Uint8Array = new Uint8Array(0);
  while (any.pos < any.len) {
    const [field, wireType] = any.tag();
    if (field === ANY_TYPE_URL) typeUrl = any.string();
    else if (field === ANY_VALUE) value = any.bytes();
    else any.skip(wireType, field);
  }
  return typeUrl.endsWith(DETAIL_TYPE_URL_SUFFIX) ? fromBinary(ErrorDetailSchema, value) : undefined;
}
