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
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  constructor(size = availableParallelism()) {
    this.size = size;
  }

  /** Plays the batches, in any order; `take` hears of each as it ends. What follows `false` from it is left out. */
  async run(
    batches: Iterable<Batch>,
    take: (batch: Batch, result: BatchResult) => boolean | undefined,
  ): Promise<void> {
    const iterator = batches[Symbol.iterator]();
    let goesOn = true;
    const lane = async (): Promise<void> => {
      while (goesOn) {
        const { done, value } = iterator.next();
        if (done) return;
        const result = await this.#play(value);
        if (take(value, result) === false) goesOn = false;
      }
    };
    await Promise.all(Array.from({ length: this.size }, lane));
  }

  async #play(batch: Batch): Promise<BatchResult> {
    const worker = this.#idle.pop() ?? this.#start();
    const { promise, resolve } = Promise.withResolvers<BatchResult>();
    const stuck = (message: string): void => {
      this.#all.delete(worker);
      void worker.terminate();
      const { from: seed, seeds } = batch;
      resolve({ seeds, counts: {}, hash: 0, failed: [{ seed, invariant: undefined, message }] });
    };
    const timer = setTimeout(() => stuck(`seeds from ${batch.from} on do not end`), BATCH_MS_MAX);
    worker.once('message', (result: BatchResult) => {
      this.#idle.push(worker);
      resolve(result);
    });
    worker.once('error', (error) =>
      stuck(`the program failed: ${error instanceof Error ? error.stack : error}`),
    );
    worker.once('exit', () => stuck('nothing is left to do, and the run is not over'));
    worker.postMessage(batch);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      worker.removeAllListeners();
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url));
    this.#all.add(worker);
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }
}
