/** Batches over as many threads as the machine has cores. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Batch, BatchResult } from './batch.ts';

/**
 * Longest time for one batch: a run whose event loop never comes to rest is stuck. Many times what one takes on a busy
 * machine.
 */
const BATCH_MS_MAX = 180_000;

export class Pool {
  readonly size: number;
  #players: Player[] = [];

  constructor(size = availableParallelism()) {
    this.size = size;
  }

  /** Plays the batches, in any order; `take` hears of each as it ends, and says whether to go on. */
  async run(batches: Iterable<Batch>, take: (batch: Batch, result: BatchResult) => boolean): Promise<void> {
    const iterator = batches[Symbol.iterator]();
    let goesOn = true;
    const lane = async (position: number): Promise<void> => {
      while (goesOn) {
        const { done, value } = iterator.next();
        if (done) return;
        if (this.#players[position]?.usable !== true) this.#players[position] = new Player();
        const result = await this.#players[position]!.play(value);
        if (!take(value, result)) goesOn = false;
      }
    };
    await Promise.all(Array.from({ length: this.size }, (_, position) => lane(position)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#players.map((player) => player.stop()));
    this.#players = [];
  }
}

/** One thread. */
class Player {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url));
  /** Ends the batch under way. */
  #end: ((result: BatchResult | string) => void) | undefined;
  usable = true;

  constructor() {
    this.#worker.on('message', (result: BatchResult) => this.#end?.(result));
    this.#worker.on('error', (error) => this.#fail(`the program failed: ${error}`));
    this.#worker.on('exit', () => this.#fail('nothing is left to do, and the run is not over'));
  }

  async play(batch: Batch): Promise<BatchResult> {
    const timer = setTimeout(() => this.#fail(`seeds from ${batch.from} on do not end`), BATCH_MS_MAX);
    const ended = new Promise<BatchResult | string>((resolve) => {
      this.#end = resolve;
    });
    this.#worker.postMessage(batch);
    const result = await ended;
    clearTimeout(timer);
    if (typeof result !== 'string') return result;
    const { from: seed, seeds } = batch;
    return { seeds, counts: {}, hash: 0, failed: [{ seed, invariant: undefined, message: result }] };
  }

  /** What it was doing is lost, and which seed of the batch it was is not known: the first stands for all. */
  #fail(message: string): void {
    this.usable = false;
    this.#end?.(message);
    void this.#worker.terminate();
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
