import type { Failure } from '../../state/failure.ts';
import { failureOf } from './intercept.ts';

/** How a stream ended: well, with a failure, or because the caller left. */
export type StreamOutcome = undefined | Failure | 'left';

/**
 * Passes messages on and tells once how they ended. No generator: a generator would hold `return()` back until the
 * producer's next message, which may never come.
 */
export class WatchedIterator implements AsyncIterator<Uint8Array> {
  readonly #messages: AsyncIterator<Uint8Array>;
  #onEnd: ((outcome: StreamOutcome) => void) | undefined;

  constructor(messages: AsyncIterator<Uint8Array>, onEnd: (outcome: StreamOutcome) => void) {
    this.#messages = messages;
    this.#onEnd = onEnd;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const next = await this.#messages.next();
      if (next.done) this.#ended(undefined);
      return next;
    } catch (error) {
      this.#ended(failureOf(error));
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#ended('left');
    await this.#messages.return?.();
    return { done: true, value: undefined };
  }

  #ended(outcome: StreamOutcome): void {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.(outcome);
  }
}
