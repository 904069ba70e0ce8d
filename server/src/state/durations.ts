/** Protobuf durations and timestamps as milliseconds, the unit of all time inside the server. */
import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';

/**
 * A duration in whole milliseconds, rounded up, so that a positive duration never becomes none.
 * The result may be negative or beyond every sensible bound: callers at the edge check it first.
 */
export function durationToMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + Math.ceil(duration.nanos / 1e6);
}

/** Milliseconds as a Duration. */
export function msToDuration(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) });
}

/** Unix milliseconds, not negative, as a Timestamp. */
export function msToTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, {
    seconds: BigInt(seconds),
    nanos: Math.round((ms - seconds * 1000) * 1e6),
  });
}
