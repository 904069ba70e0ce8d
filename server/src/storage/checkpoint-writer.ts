/** The main thread's end of the thread that writes LMDB. */

import { Worker } from 'node:worker_threads';
import type { CheckpointBatch, WriterAnswer, WriterOptions, WriterRequest } from './checkpoint-batch.ts';
import { StorageError } from './errors.ts';

/** Writes batches, one at a time. */
export interface CheckpointWriter {
  /** Resolves when the batch is flushed to disk; rejects when it may not be. */
  write(batch: CheckpointBatch): Promise<void>;
  close(): Promise<void>;
}

/** Heap of the writer thread. It holds a page of keys and one value at a time; LMDB's pages are outside the heap. */
const WRITER_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

/** The worker's file: beside this one as source, beside the bundle when built. */
function writerFile(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './lmdb-writer.ts' : './lmdb-writer.js', import.meta.url);
}

/** Starts its thread with the first batch, so that an idle node does without. */
export class ThreadedWriter implements CheckpointWriter {
  readonly #options: WriterOptions;
  #worker: Worker | undefined;
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  write(batch: CheckpointBatch): Promise<void> {
    if (this.#waiting !== undefined) throw new StorageError('the writer takes one batch at a time');
    const worker = this.#worker ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { resolve, reject };
    worker.ref();
    worker.postMessage({ kind: 'write', batch } satisfies WriterRequest);
    return promise;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    worker.ref();
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage({ kind: 'close' } satisfies WriterRequest);
    await ended;
  }

  #start(): Worker {
    // No inherited flags: what the server was started with (an inspector, a loader) is not meant for this thread.
    const worker = new Worker(writerFile(), {
      workerData: this.#options,
      resourceLimits: WRITER_LIMITS,
      execArgv: [],
      name: 'lmdb-writer',
    });
    worker.on('message', (answer: WriterAnswer) => {
      worker.unref();
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (answer.kind === 'flushed') waiting?.resolve();
      else waiting?.reject(new StorageError(`LMDB refused the write: ${answer.message}`));
    });
    worker.on('error', (error: Error) => this.#lose(error));
    worker.on('exit', (code) => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#lose(new StorageError(`the writer thread ended with code ${code}`));
    });
    this.#worker = worker;
    return worker;
  }

  #lose(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
