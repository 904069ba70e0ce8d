/** Streams end by Ctrl-C, and that is a good end. */
import { ErrorReason, GomsgError } from '@gomsg/client/errors';

/** Hands on each response until the stream ends, `take` says false, or the signal is aborted. */
export async function untilInterrupted<Response>(
  signal: AbortSignal,
  responses: AsyncIterable<Response>,
  take: (response: Response) => Promise<boolean>,
): Promise<void> {
  try {
    for await (const response of responses) {
      if (!(await take(response))) return;
    }
  } catch (error) {
    if (signal.aborted && error instanceof GomsgError && error.reason === ErrorReason.CANCELED) return;
    throw error;
  }
}
