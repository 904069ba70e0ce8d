/** How long to wait before the next try: doubling up to a cap, each cut by up to a half at random. */
export class Backoff {
  readonly #min_ms: number;
  readonly #max_ms: number;
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 to 1. */
  constructor(min_ms: number, max_ms: number, random: () => number) {
    this.#min_ms = min_ms;
    this.#max_ms = max_ms;
    this.#random = random;
  }

  /** The wait behind one more failure. */
  next_ms(): number {
    const full_ms = Math.min(this.#max_ms, this.#min_ms * 2 ** this.#failures);
    if (full_ms < this.#max_ms) this.#failures += 1;
    return full_ms * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
