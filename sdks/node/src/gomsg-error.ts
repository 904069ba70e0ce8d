/** The base of all errors that a failed call throws, and what the catalogue (`gomsg.v1.ErrorReason`) says of each. */
import { getOption } from '@bufbuild/protobuf';
import { error as errorOption } from './gen/gomsg/sdk/v1/options_pb.js';
import { ErrorReason, ErrorReasonSchema } from './gen/gomsg/v1/common_pb.js';

/** Canonical gRPC codes (google.rpc.Code) that the client itself looks at. */
export const GrpcCode = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
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
  /** What happened. With `method`, the error's message has that before it and the catalogue's advice behind it. */
  readonly message: string;
  /** The call that failed, such as `kv.get`. */
  readonly method?: string | undefined;
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
  /** The call that failed, such as `kv.get`; empty when it is none in particular, or one of the raw client. */
  readonly method: string;
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
    const reason = init.reason ?? ErrorReason.UNSPECIFIED;
    const entry = catalogue.get(reason);
    super(messageOf(init, entry), init.cause === undefined ? undefined : { cause: init.cause });
    this.method = init.method ?? '';
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

  /** Seconds to wait before the next try; undefined = at once. */
  get retryAfter(): number | undefined {
    return this.retryAfter_ms === undefined ? undefined : this.retryAfter_ms / 1000;
  }
}

/** The code that an error has where nothing else is said. */
export function codeOf({ code, reason = ErrorReason.UNSPECIFIED }: GomsgErrorInit): number {
  return code ?? catalogue.get(reason)?.code ?? GrpcCode.UNKNOWN;
}

function messageOf({ method, message }: GomsgErrorInit, entry: CatalogueEntry | undefined): string {
  if (!method) return message;
  return entry?.action ? `${method}: ${message}. ${entry.action}` : `${method}: ${message}`;
}
