/** What a failed call throws, as typed values: the catalogue of reasons is `gomsg.v1.ErrorReason`. */
import { fromBinary, getOption } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { error as errorOption } from './gen/gomsg/sdk/v1/options_pb.js';
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReason,
  ErrorReasonSchema,
} from './gen/gomsg/v1/common_pb.js';

export { ErrorReason };

/** Canonical gRPC codes (google.rpc.Code) that the client itself looks at. */
export const GrpcCode = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  UNAVAILABLE: 14,
} as const;

/** What the catalogue says of one reason. */
interface CatalogueEntry {
  readonly name: string;
  readonly code: number;
  readonly retryable: boolean;
  readonly action: string;
}

const NAME_PREFIX = 'ERROR_REASON_';

const catalogue = new Map<number, CatalogueEntry>(
  ErrorReasonSchema.values.map((value) => {
    const { code, retryable, action } = getOption(value, errorOption);
    return [
      value.number,
      { name: value.name.slice(NAME_PREFIX.length), code: code || GrpcCode.UNKNOWN, retryable, action },
    ];
  }),
);

/** What is known of a failure; all but the message have defaults. */
export interface GomsgErrorInit {
  readonly message: string;
  /** Default UNSPECIFIED: an error of the connection or of a proxy. */
  readonly reason?: ErrorReason;
  /** Canonical gRPC code. Default: the reason's. */
  readonly code?: number;
  readonly subject?: string | undefined;
  readonly retryAfter_ms?: number | undefined;
  readonly leader?: { readonly nodeId: string; readonly address: string } | undefined;
  readonly topologyEpoch?: bigint | undefined;
  readonly currentVersion?: bigint | undefined;
  readonly oldestAvailable?: bigint | undefined;
  readonly newestAvailable?: bigint | undefined;
  readonly cause?: unknown;
}

/**
 * A failed call. `reason` says why in a way that programs can decide on; `message` and `action` are for people.
 * A timeout or a lost connection never says that a write did not happen.
 */
export class GomsgError extends Error {
  override readonly name: string = 'GomsgError';
  /** Why the call failed; UNSPECIFIED when the failure is of the connection or of a proxy, not of gomsg. */
  readonly reason: ErrorReason;
  /** The reason's name in the catalogue, such as `KEY_NOT_FOUND`. */
  readonly reasonName: string;
  /** Canonical gRPC code (google.rpc.Code), such as 5 for NOT_FOUND. */
  readonly code: number;
  /** What to do about it, as one sentence; empty when the catalogue has no advice. */
  readonly action: string;
  /** True when the same call can succeed later without any change to it. */
  readonly retryable: boolean;
  /** What the reason is about: the key, queue, topic, field or node. Empty when it is the call as a whole. */
  readonly subject: string;
  /** Milliseconds to wait before the next try; undefined = at once. */
  readonly retryAfter_ms: number | undefined;
  /** Where the leader is, with NOT_LEADER, when it is known. */
  readonly leader: { readonly nodeId: string; readonly address: string } | undefined;
  /** Epoch of the server's slot map, with STALE_TOPOLOGY and NOT_LEADER. */
  readonly topologyEpoch: bigint | undefined;
  /** Current version of the key, with CONDITION_FAILED on a key that exists. */
  readonly currentVersion: bigint | undefined;
  /** Oldest revision or offset that can still be read, with COMPACTED and OFFSET_OUT_OF_RANGE. */
  readonly oldestAvailable: bigint | undefined;
  /** Newest revision, or the offset that the next message gets, with COMPACTED and OFFSET_OUT_OF_RANGE. */
  readonly newestAvailable: bigint | undefined;

  constructor(init: GomsgErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    const reason = init.reason ?? ErrorReason.UNSPECIFIED;
    const entry = catalogue.get(reason);
    this.reason = reason;
    this.reasonName = entry?.name ?? `REASON_${reason}`;
    this.code = init.code ?? entry?.code ?? GrpcCode.UNKNOWN;
    this.action = entry?.action ?? '';
    this.retryable =
      reason === ErrorReason.UNSPECIFIED ? this.code === GrpcCode.UNAVAILABLE : (entry?.retryable ?? false);
    this.subject = init.subject ?? '';
    this.retryAfter_ms = init.retryAfter_ms;
    this.leader = init.leader;
    this.topologyEpoch = init.topologyEpoch;
    this.currentVersion = init.currentVersion;
    this.oldestAvailable = init.oldestAvailable;
    this.newestAvailable = init.newestAvailable;
  }
}

/** The error that a code, a message and, where the server sent one, a typed detail stand for. */
export function errorFromDetail(
  code: number,
  message: string,
  detail: ErrorDetail | undefined,
  cause?: unknown,
): GomsgError {
  if (detail === undefined) return new GomsgError({ code, message, cause });
  const conditionFailed = detail.reason === ErrorReason.CONDITION_FAILED;
  const hasRange =
    detail.reason === ErrorReason.COMPACTED || detail.reason === ErrorReason.OFFSET_OUT_OF_RANGE;
  return new GomsgError({
    code,
    message,
    cause,
    reason: detail.reason,
    subject: detail.subject,
    retryAfter_ms: detail.retryAfter && durationMs(detail.retryAfter),
    leader: detail.leader && { nodeId: detail.leader.nodeId, address: detail.leader.address },
    topologyEpoch: detail.topologyEpoch || undefined,
    currentVersion: conditionFailed ? detail.currentVersion || undefined : undefined,
    oldestAvailable: hasRange ? detail.oldestAvailable : undefined,
    newestAvailable: hasRange ? detail.newestAvailable : undefined,
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
