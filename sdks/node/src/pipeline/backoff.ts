/** Waits that double, with jitter, so that many clients of a node that came back do not come at once. */
export interface BackoffSettings {
  /** The first wait, in milliseconds. */
  readonly first_ms: number;
  /** The longest wait. */
  readonly longest_ms: number;
}

/** The wait before try number `attempt` (from 0): half of it is certain, the rest by `random` (0 to 1). */
export function backoffDelay_ms(attempt: number, settings: BackoffSettings, random = Math.random()): number {
  const full = Math.min(settings.longest_ms, settings.first_ms * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random;
}
