/** Calls repeated while a server is away. */
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorReason, GomsgError } from '@gomsg/client/errors';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 1_000;

/** gRPC codes with which a connection that is lost in the middle of a call shows itself. */
const LOST_CONNECTION_CODES: ReadonlySet<number> = new Set([
  1, // CANCELLED, which we did not ask for
  2, // UNKNOWN
  13, // INTERNAL
  14, // UNAVAILABLE
]);

/** Whether the same call may succeed later. It may also have been applied: only calls that apply once are repeated. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof GomsgError)) return false;
  if (error.reason === ErrorReason.UNSPECIFIED) return LOST_CONNECTION_CODES.has(error.code);
  return error.retryable;
}

export interface RetryPolicy {
  /** How long a call may go on failing. */
  readonly retryFor_ms: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Told when a call fails and will be repeated. */
  onRetry(error: GomsgError): void;
}

/**
 * The answer of the first try that succeeds. `attempt` counts from 0.
 * @throws the last error once it has failed for `retryFor_ms`, at once when repeating is no use or `signal` is aborted
 */
export async function withRetries<T>(policy: RetryPolicy, call: (attempt: number) => Promise<T>): Promise<T> {
  let failingSince_ms: number | undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call(attempt);
    } catch (error) {
      if (!isTransient(error) || policy.signal.aborted) throw error;
      const failure = error as GomsgError;
      const now_ms = performance.now();
      failingSince_ms ??= now_ms;
      const backoff_ms = Math.min(FIRST_DELAY_MS * 2 ** attempt, MAX_DELAY_MS) * (0.5 + Math.random() / 2);
      const wait_ms = Math.max(backoff_ms, failure.retryAfter_ms ?? 0);
      if (now_ms + wait_ms - failingSince_ms > policy.retryFor_ms) throw failure;
      policy.onRetry(failure);
      await delay(wait_ms, undefined, { signal: policy.signal }).catch(() => {
        throw failure;
      });
    }
  }
}
