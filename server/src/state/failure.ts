import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';

/**
 * Why a call failed, as plain data: what apply returns for a command that cannot be done. It is part of the
 * replicated result (a retry gets the same failure again), so it holds nothing that differs between replicas.
 */
export interface Failure {
  readonly reason: ErrorReason;
  /** For people: what happened, with the names and limits involved. */
  readonly message: string;
  /** The key, queue, topic, field or node that the failure is about. */
  readonly subject?: string;
  /** Version of the key, with CONDITION_FAILED on a key that exists. */
  readonly currentVersion?: number;
  /** Range that can still be read, with COMPACTED and OFFSET_OUT_OF_RANGE. */
  readonly oldestAvailable?: number;
  readonly newestAvailable?: number;
  /** How long to wait before a retry, with retryable reasons. */
  readonly retryAfter_ms?: number;
  /** Where the leader is, with NOT_LEADER. */
  readonly leader?: { readonly nodeId: string; readonly address: string };
  readonly topologyEpoch?: number;
}

/** What a command gave: an encoded response message, or why it failed. */
export type Outcome = Uint8Array | Failure;

export function isFailure(outcome: Outcome): outcome is Failure {
  return !(outcome instanceof Uint8Array);
}

/** The reason of a failure after which something may have been done: NOT_LEADER would promise that nothing was. */
export function reasonInDoubt(reason: ErrorReason): ErrorReason {
  return reason === ErrorReason.NOT_LEADER ? ErrorReason.NO_QUORUM : reason;
}
