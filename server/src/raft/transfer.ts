/** Leadership transfer (thesis §3.10): bring the target up to date, then have it campaign at once. */
import { NO_NODE } from './entry.ts';
import { TransferRefusedError } from './errors.ts';
import type { Progress } from './progress.ts';
import type { Leadership, RaftState } from './state.ts';

/**
 * Starts a transfer, in place of any other under way. Ends with the target leading, or after `electionTicks` with this
 * node leading on.
 *
 * @throws TransferRefusedError
 */
export function startTransfer(state: RaftState, leadership: Leadership, target: number): void {
  const peer = leadership.tracker.get(target);
  if (target === state.id || peer === undefined || !state.configuration.voters.includes(target)) {
    throw new TransferRefusedError(target);
  }
  if (leadership.transferTarget === target) return;
  leadership.transferTarget = target;
  // The time it may take is counted by the same clock as the quorum check.
  state.electionElapsed = 0;
  if (peer.match === state.log.lastIndex) {
    sendTimeoutNow(state, target);
  } else {
    peer.appendDue = true;
    leadership.appendsDue = true;
  }
}

/** The target acknowledged something: is that all of the log? */
export function continueTransfer(state: RaftState, leadership: Leadership, peer: Progress): void {
  if (leadership.transferTarget === peer.id && peer.match === state.log.lastIndex) {
    sendTimeoutNow(state, peer.id);
  }
}

export function abortTransfer(leadership: Leadership): void {
  leadership.transferTarget = NO_NODE;
}

function sendTimeoutNow(state: RaftState, to: number): void {
  state.send({ type: 'timeout-now', from: state.id, to, term: state.term });
}
