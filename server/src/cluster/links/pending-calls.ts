/** Calls passed on over a link and not answered yet: bounded, with their deadlines. */
import { ErrorReason } from '../../services/errors.ts';
import type { Reply } from '../../services/method.ts';
import type { Failure, Outcome } from '../../state/failure.ts';
import { isFailure } from '../../state/failure.ts';
import { type ForwardedCall, type MeasuredCall, measureCall } from './forwarded-call.ts';
import { ITEM_OVERHEAD_BYTES } from './frames.ts';

/** How late a deadline may be noticed. The caller's own transport notices its deadline exactly. */
const DEADLINE_CHECK_MS = 50;

/** When a caller that was refused for the load may come back. */
const RETRY_AFTER_MS = 100;

export interface PendingLimits {
  readonly maxCalls: number;
  readonly maxCallBytes: number;
  readonly maxFrameBytes: number;
}

/** What the caller holds of a call that was passed on. */
export interface CallHandle {
  /** Nobody waits for the answer any more: the reply gets none, and the other node is told. */
  cancel(): void;
}

export class PendingCall implements CallHandle {
  readonly measured: MeasuredCall;
  readonly reply: Reply;
  /** By the pending calls' clock; infinite without one. */
  readonly deadline_ms: number;
  readonly #calls: PendingCalls;
  /** Written to the link: the other node may carry it out. */
  isSent = false;
  isDone = false;

  constructor(calls: PendingCalls, measured: MeasuredCall, reply: Reply, deadline_ms: number) {
    this.#calls = calls;
    this.measured = measured;
    this.reply = reply;
    this.deadline_ms = deadline_ms;
  }

  cancel(): void {
    this.#calls.cancel(this);
  }
}

export interface PendingCallsOptions {
  readonly limits: PendingLimits;
  /** For messages. */
  readonly nodeId: string;
  readonly monotonic: () => number;
  /** Called with calls that were sent and are given up. */
  readonly onGivenUp: (id: number) => void;
}

export class PendingCalls {
  readonly #options: PendingCallsOptions;
  readonly #pending = new Map<number, PendingCall>();
  #bytes = 0;
  #lastId = 0;
  #withDeadline = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PendingCallsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Requests of calls that are not answered. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a call to be sent, or fails it and returns undefined. */
  take(call: ForwardedCall, reply: Reply): PendingCall | undefined {
    const measured = measureCall(this.#lastId + 1, call);
    const refusal = this.#refusal(measured);
    if (refusal !== undefined) {
      reply.fail(refusal);
      return undefined;
    }
    this.#lastId += 1;
    const deadline_ms =
      call.timeout_ms === undefined ? Number.POSITIVE_INFINITY : this.#options.monotonic() + call.timeout_ms;
    const pending = new PendingCall(this, measured, reply, deadline_ms);
    this.#pending.set(measured.id, pending);
    this.#bytes += measured.bytes;
    if (call.timeout_ms !== undefined) this.#watch();
    return pending;
  }

  /** Gives an answer to its caller. One that nobody waits for is dropped. */
  answer(id: number, outcome: Outcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#remove(pending);
    if (isFailure(outcome)) pending.reply.fail(outcome);
    else pending.reply.ok(outcome);
  }

  cancel(pending: PendingCall): void {
    if (pending.isDone) return;
    this.#remove(pending);
    if (pending.isSent) this.#options.onGivenUp(pending.measured.id);
  }

  /** The link is gone: fails all calls, and says of each whether it may have been carried out. */
  failAll(why: string): void {
    const all = [...this.#pending.values()];
    for (const pending of all) this.#remove(pending);
    for (const { isSent, reply } of all) {
      reply.fail(isSent ? lostFailure(this.#options.nodeId, why) : notSentFailure(this.#options.nodeId, why));
    }
  }

  #refusal({ call, bytes }: MeasuredCall): Failure | undefined {
    const { limits, nodeId } = this.#options;
    if (bytes + ITEM_OVERHEAD_BYTES > limits.maxFrameBytes) {
      return {
        reason: ErrorReason.BATCH_TOO_LARGE,
        message: `the request has ${call.payload.length} bytes, too many to be passed on to ${nodeId}; nothing was done`,
      };
    }
    // One call may always pass, however large.
    const isFull =
      this.#pending.size >= limits.maxCalls ||
      (this.#pending.size > 0 && this.#bytes + bytes > limits.maxCallBytes);
    if (!isFull) return undefined;
    return {
      reason: ErrorReason.OVERLOADED,
      message: `${this.#pending.size} calls (${this.#bytes} bytes) wait for ${nodeId} already; nothing was sent`,
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }

  #remove(pending: PendingCall): void {
    pending.isDone = true;
    this.#pending.delete(pending.measured.id);
    this.#bytes -= pending.measured.bytes;
    if (pending.deadline_ms === Number.POSITIVE_INFINITY) return;
    this.#withDeadline -= 1;
    if (this.#withDeadline > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #watch(): void {
    this.#withDeadline += 1;
    this.#timer ??= setInterval(() => this.#failLate(), DEADLINE_CHECK_MS);
  }

  #failLate(): void {
    const now_ms = this.#options.monotonic();
    const late = [...this.#pending.values()].filter(({ deadline_ms }) => deadline_ms <= now_ms);
    for (const pending of late) {
      this.cancel(pending);
      pending.reply.fail({
        reason: ErrorReason.DEADLINE_EXCEEDED,
        message: pending.isSent
          ? `${this.#options.nodeId} did not answer by the deadline of the call; a write may still be applied`
          : `the call could not be passed on to ${this.#options.nodeId} by its deadline; nothing was sent`,
      });
    }
  }
}

/** A call that never left this node. */
export function notSentFailure(nodeId: string, why: string): Failure {
  return {
    reason: ErrorReason.NOT_LEADER,
    message: `the call is for ${nodeId}, and this node has no link to it (${why}); nothing was sent`,
  };
}

/** A call that left, and whose answer cannot come any more. */
export function lostFailure(nodeId: string, why: string): Failure {
  return {
    reason: ErrorReason.NO_QUORUM,
    message: `the link to ${nodeId} was lost before its answer came (${why}); the call may have been carried out`,
  };
}
