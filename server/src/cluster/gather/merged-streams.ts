/** Several streams read as one. Of each, one message at most waits to be taken: a slow reader slows them all. */
import { GomsgError } from '../../services/errors.ts';

interface Arrival {
  readonly stream: AsyncIterator<Uint8Array>;
  readonly result: IteratorResult<Uint8Array>;
}

export class MergedStreams {
  readonly #open: readonly (() => AsyncIterable<Uint8Array>)[];
  /** Those that were opened. */
  readonly #streams: AsyncIterator<Uint8Array>[] = [];
  readonly #signal: AbortSignal;
  readonly #arrived: Arrival[] = [];
  #failed: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param open opens each stream, when the first messages are asked for
   * @param signal ends the streams; when its reason is a GomsgError, with that
   */
  constructor(open: readonly (() => AsyncIterable<Uint8Array>)[], signal: AbortSignal) {
    this.#open = open;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * The first message of every stream; undefined when the caller went away, or a stream ended without one.
   * @throws what a stream could not be opened for, or failed with
   */
  async firstOfEach(): Promise<Uint8Array[] | undefined> {
    for (const open of this.#open) {
      const stream = open()[Symbol.asyncIterator]();
      this.#streams.push(stream);
      this.#pull(stream);
    }
    await this.#until(() => this.#arrived.length === this.#streams.length);
    if (this.#signal.aborted) return undefined;
    const arrived = this.#arrived.splice(0);
    for (const { stream } of arrived) this.#pull(stream);
    const messages = arrived.flatMap(({ result }) => (result.done ? [] : [result.value]));
    return messages.length === arrived.length ? messages : undefined;
  }

  /** The messages behind those, as they come, until the first stream ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      await this.#until(() => this.#arrived.length > 0);
      const next = this.#arrived.shift();
      if (this.#signal.aborted || next === undefined || next.result.done) return;
      yield next.result.value;
      this.#pull(next.stream);
    }
  }

  /** Ends those that were opened. */
  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    for (const stream of this.#streams) {
      // How a producer takes being stopped is of no interest to anyone.
      Promise.resolve(stream.return?.()).catch(() => {});
    }
  }

  /** @throws what a stream failed with, or the reason of the signal */
  async #until(condition: () => boolean): Promise<void> {
    while (!this.#signal.aborted && this.#failed === undefined && !condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#signal.reason instanceof GomsgError) throw this.#signal.reason;
    if (this.#failed !== undefined && !this.#signal.aborted) throw this.#failed.error;
  }

  #pull(stream: AsyncIterator<Uint8Array>): void {
    stream.next().then(
      (result) => {
        this.#arrived.push({ stream, result });
        this.#wake?.();
      },
      (error: unknown) => {
        this.#failed ??= { error };
        this.#wake?.();
      },
    );
  }

  readonly #onAbort = (): void => this.#wake?.();
}
