/** Tells several streams of something, each for itself. */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../state/failure.ts';

/** What a stream ends with that could not take what it was told. */
export const STREAM_FAILED: Failure = {
  reason: ErrorReason.INTERNAL,
  message: 'the stream failed unexpectedly; the log of the server says why',
};

/** A stream that can be ended. */
export interface Told {
  fail(failure: Failure): void;
}

/**
 * One that throws has a bug, which costs it its own stream: it fails. All others are told as ever.
 * @throws what the first one threw, in the end: whoever tells reports it
 */
export function tellEach<T extends Told>(streams: Iterable<T>, tell: (stream: T) => void): void {
  let first: { readonly error: unknown } | undefined;
  for (const stream of streams) {
    try {
      tell(stream);
    } catch (error) {
      first ??= { error };
      stream.fail(STREAM_FAILED);
    }
  }
  if (first !== undefined) throw first.error;
}
