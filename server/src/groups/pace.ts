/** A rate that a node keeps with what it sends: a leaky bucket without a bucket, so that it never sends a burst. */

/** Shorter waits are none: timers are not finer. */
const WAIT_MS_MIN = 1;

export interface PaceOptions {
  readonly bytesPerSecond: number;
  /** Milliseconds of a clock that is never set. Default: `performance.now`. */
  readonly monotonic?: () => number;
  /** Default: a timer. */
  readonly wait?: (ms: number) => Promise<void>;
}

export class Pace {
  readonly bytesPerSecond: number;
  readonly #monotonic: () => number;
  readonly #wait: (ms: number) => Promise<void>;
  /** When all that was sent is through at the rate. */
  #free_ms = Number.NEGATIVE_INFINITY;

  constructor({ bytesPerSecond, monotonic = () => performance.now(), wait = timer }: PaceOptions) {
    this.bytesPerSecond = bytesPerSecond;
    this.#monotonic = monotonic;
    this.#wait = wait;
  }

  /** Resolves when more may be sent after these bytes. Whoever asks while others wait waits behind them. */
  async sent(bytes: number): Promise<void> {
    const now_ms = this.#monotonic();
    this.#free_ms = Math.max(this.#free_ms, now_ms) + (1000 * bytes) / this.bytesPerSecond;
    const wait_ms = this.#free_ms - now_ms;
    if (wait_ms >= WAIT_MS_MIN) await this.#wait(wait_ms);
  }
}

function timer(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
