/**
 * The instruments hot paths write to: plain number fields and typed arrays, a few nanoseconds each. Nothing is
 * formatted, looked up or allocated until somebody scrapes (`exposition.ts`).
 */

/** Only ever grows. */
export class Counter {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/** Goes up and down. */
export class Gauge {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

/** What a histogram held at one moment. */
export interface HistogramSnapshot {
  /** Observations by bucket, not cumulative; the last bucket is everything past the last bound. */
  readonly counts: Float64Array;
  readonly sum: number;
}

/** Counts observations by size. */
export class Histogram {
  /** Upper bounds, inclusive, ascending. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** A linear walk: what is common is small, so it ends after a few steps. */
  observe(value: number): void {
    const bounds = this.bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  /** Observations so far. */
  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  snapshot(): HistogramSnapshot {
    return { counts: this.#counts.slice(), sum: this.#sum };
  }

  /**
   * The value below which a share of the observations lie, by linear interpolation inside its bucket (as
   * Prometheus' `histogram_quantile`); NaN when there are none. Past the last bound the answer is that bound.
   * @param quantile between 0 and 1.
   * @param since leaves out what an earlier snapshot had already counted.
   */
  quantile(quantile: number, since?: HistogramSnapshot): number {
    const counts = this.#counts.map((count, bucket) => count - (since?.counts[bucket] ?? 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return Number.NaN;
    const rank = quantile * total;
    let below = 0;
    for (let bucket = 0; bucket < this.bounds.length; bucket += 1) {
      const count = counts[bucket]!;
      if (count > 0 && below + count >= rank) {
        const lower = bucket === 0 ? 0 : this.bounds[bucket - 1]!;
        return lower + (this.bounds[bucket]! - lower) * ((rank - below) / count);
      }
      below += count;
    }
    return this.bounds.at(-1)!;
  }
}

/** From a fast sync to a slow call: 50 µs to 10 s. */
export const SECONDS_BOUNDS: readonly number[] = [
  50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 1e-3, 2e-3, 3e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10,
];

/** For counts: powers of two up to 16,384. */
export const COUNT_BOUNDS: readonly number[] = Array.from({ length: 15 }, (_, power) => 2 ** power);
