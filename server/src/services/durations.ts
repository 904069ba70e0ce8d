/** Checks the durations of requests. */
import type { Duration } from '@bufbuild/protobuf/wkt';
import { durationToMs } from '../state/durations.ts';
import { ErrorReason, GomsgError } from './errors.ts';

/** The longest duration that any field takes: 100 years of 365.25 days. */
export const MAX_DURATION_MS = 100 * 365.25 * 24 * 3600 * 1000;

/** What a field accepts, inclusive. */
export interface DurationBounds {
  /** Default 1: zero has no meaning. */
  readonly min_ms?: number;
  /** Default MAX_DURATION_MS. */
  readonly max_ms?: number;
}

/**
 * The milliseconds of a duration, rounded up; undefined when the field is unset.
 * @param field name of the request's field, for the message
 * @throws GomsgError INVALID_DURATION when it is outside of the bounds or malformed
 */
export function checkDuration(
  duration: Duration | undefined,
  field: string,
  bounds: DurationBounds = {},
): number | undefined {
  if (duration === undefined) return undefined;
  const min_ms = bounds.min_ms ?? 1;
  const max_ms = bounds.max_ms ?? MAX_DURATION_MS;
  const ms = durationToMs(duration);
  // The seconds and nanos of a well-formed Duration have one sign; -0.5 ms must not pass as a rounded-up 0.
  if (
    duration.nanos >= 0 &&
    duration.nanos < 1_000_000_000 &&
    duration.seconds >= 0n &&
    ms >= min_ms &&
    ms <= max_ms
  ) {
    return ms;
  }
  throw new GomsgError({
    reason: ErrorReason.INVALID_DURATION,
    subject: field,
    message: `${field} must be between ${describeMs(min_ms)} and ${describeMs(max_ms)}, not ${describe(duration)}`,
  });
}

function describe(duration: Duration): string {
  return `${Number(duration.seconds) + duration.nanos / 1e9} s`;
}

function describeMs(ms: number): string {
  if (ms === 0) return '0';
  if (ms < 1000) return `${ms} ms`;
  const days = ms / 86_400_000;
  return days >= 1 ? `${days} days` : `${ms / 1000} s`;
}
