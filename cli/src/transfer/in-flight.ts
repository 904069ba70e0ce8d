/** Batches on their way, settled in the order of the file whatever the order in which they are answered. */
import type { Batch } from './batches.ts';

export class InFlight<Item> {
  readonly #max: number;
  readonly #keyOf: ((item: Item) => string) | undefined;
  readonly #settled: (batch: Batch<Item>) => void;
  readonly #batches: { batch: Batch<Item>; keys: ReadonlySet<string>; sent: Promise<void> }[] = [];

  /**
   * @param options.max batches on their way at once
   * @param options.keyOf two batches with an item of one key never overlap, so that the later one wins
   * @param options.settled told of each batch that is in, and all before it too
   */
  constructor(options: {
    max: number;
    keyOf?: (item: Item) => string;
    settled: (batch: Batch<Item>) => void;
  }) {
    this.#max = options.max;
    this.#keyOf = options.keyOf;
    this.#settled = options.settled;
  }

  /** Sends a batch once there is room; throws what an earlier batch failed with. */
  async add(batch: Batch<Item>, send: () => Promise<void>): Promise<void> {
    const keys = new Set(this.#keyOf === undefined ? [] : batch.items.map(this.#keyOf));
    while (this.#batches.length >= this.#max || this.#overlaps(keys)) await this.#settleOldest();
    const sent = send();
    // Awaited in its turn: a failure before that is not unhandled.
    sent.catch(() => {});
    this.#batches.push({ batch, keys, sent });
  }

  /** Waits for all; throws what the first failed with. */
  async drain(): Promise<void> {
    while (this.#batches.length > 0) await this.#settleOldest();
  }

  /** Waits until nothing is on its way, and counts what is in up to the first failure. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#batches.map(({ sent }) => sent));
    await this.drain().catch(() => {
      // It is the failure that led here, or one behind it.
    });
    this.#batches.length = 0;
  }

  async #settleOldest(): Promise<void> {
    const { batch, sent } = this.#batches[0]!;
    await sent;
    this.#batches.shift();
    this.#settled(batch);
  }

  #overlaps(keys: ReadonlySet<string>): boolean {
    return this.#batches.some((other) => [...keys].some((key) => other.keys.has(key)));
  }
}
