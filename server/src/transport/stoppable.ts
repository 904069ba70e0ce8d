/**
 * Messages whose reader can be let go at once, even while the producer has none to give. Not `Promise.race` against
 * a promise of the stop: each race would leave a reaction on it, and a subscription makes millions.
 */
export class Stoppable {
  readonly #messages: AsyncIterator<Uint8Array>;
  #reject: ((reason: Error) => void) | undefined;
  #stoppedBy: Error | undefined;
  #ended = false;

  constructor(messages: AsyncIterator<Uint8Array>) {
    this.#messages = messages;
  }

  /** The next message; rejects with the reason of the stop once there is one. Not to be called twice at once. */
  next(): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      if (this.#stoppedBy !== undefined) {
        reject(this.#stoppedBy);
        return;
      }
      this.#reject = reject;
      this.#messages.next().then(
        (next) => {
          if (next.done) this.#ended = true;
          resolve(next);
        },
        (error) => {
          this.#ended = true;
          reject(error);
        },
      );
    });
  }

  /** Makes the reader fail with the reason. True when the producer is to be stopped: it had not ended before. */
  stop(reason: Error): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#stoppedBy = reason;
    this.#reject?.(reason);
    return true;
  }
}
