/** What a client makes of a refusal: whether it asks again, and whom. */
import { ErrorReason, type GomsgError } from '../errors.ts';
import type { Call } from './call.ts';

/** Refused before anything was done, for a reason that passes. */
const RETRIED_REASONS: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.NOT_LEADER,
  ErrorReason.STALE_TOPOLOGY,
  ErrorReason.DRAINING,
  ErrorReason.OVERLOADED,
  ErrorReason.NO_QUORUM,
]);

/** The call may be sent again. After NO_QUORUM a write may have been done: in a session it is not done twice. */
export function isRetried(call: Call, { reason }: GomsgError): boolean {
  return RETRIED_REASONS.has(reason) && (call.isRepeatable || reason !== ErrorReason.NO_QUORUM);
}

/** Another node would take the call. */
export function isOfWrongNode({ reason }: GomsgError): boolean {
  return reason === ErrorReason.NOT_LEADER || reason === ErrorReason.STALE_TOPOLOGY;
}

/**
 * The node has nobody to send a call to, as one that is cut off from the others, or takes nothing any more, though its
 * connections stand: another one is asked.
 */
export function leavesNode({ reason, leader }: GomsgError): boolean {
  return (
    reason === ErrorReason.DRAINING ||
    reason === ErrorReason.NO_QUORUM ||
    (reason === ErrorReason.NOT_LEADER && leader === undefined)
  );
}
