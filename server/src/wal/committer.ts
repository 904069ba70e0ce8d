import type { Batch } from './batch.ts';
import { WalFailedError } from './errors.ts';
import { type Done, type LogFiles, promised } from './log-files.ts';
import type { Segment } from './segment.ts';
import type { SegmentSpace } from './segment-space.ts';

/**
 * Up to this many bytes a batch is written with `writeSync`: a copy into the page cache, 11 µs for 4 KiB and 26 µs
 * for 64 KiB (p50), against 34 and 51 µs through the thread pool, with 10 % less CPU a flush. Larger ones (139 µs
 * for 512 KiB) would hold up the event loop.
 */
const SYNC_WRITE_BYTES_MAX = 256 * 1024;

export interface CommitterOptions {
  files: LogFiles;
  space: SegmentSpace;
  /** Drawn at this start of the log. */
  session: number;
  /** 0: fdatasync before a batch counts as committed; else that many milliseconds later at most. */
  fsyncIntervalMs: number;
  /** The newest segment on disk. */
  segment: Segment | undefined;
  /** Sequence of the last batch in the log; whether it is durable is not known. */
  lastBatch: number;
  onDurable(sequence: number): void;
  /** The first batch of this segment is durable, and so is its name. */
  onSegment(segment: Segment): void;
  onFailure(error: WalFailedError): void;
}

/**
 * Puts batches on disk, one after the other. Not one is written while the one before is being synced: recovery
 * takes a batch as proof that the one before was durable.
 */
export class Committer {
  readonly #options: CommitterOptions;
  /** Last batch that is known to be durable. */
  #durable = 0;
  /** Last batch that was written. */
  #written: number;
  #segment: Segment | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#written = options.lastBatch;
    this.#segment = options.segment;
  }

  /** Writes the batches in order; `done` is called when all are committed, and never after a failure. */
  commit(batches: readonly Batch[], done: () => void): void {
    this.#next(batches, 0, done);
  }

  /** Makes everything written durable. */
  sync(done: Done): void {
    const written = this.#written;
    if (this.#durable === written) {
      done();
      return;
    }
    this.#segment!.file!.fdatasync((error) => {
      if (error) this.#fail(error);
      else this.#becameDurable(written);
      done(error);
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #next(batches: readonly Batch[], i: number, done: () => void): void {
    if (this.#stopped) return;
    const batch = batches[i];
    if (batch === undefined) {
      done();
      return;
    }
    const next = () => this.#next(batches, i + 1, done);
    if (batch.opensSegment) {
      this.#startSegment(batch).then(next, (error: unknown) => this.#fail(error));
    } else {
      this.#write(batch, (error) => {
        if (error) this.#fail(error);
        else this.#wrote(batch, next);
      });
    }
  }

  #wrote(batch: Batch, next: () => void): void {
    this.#written = batch.sequence;
    if (this.#options.fsyncIntervalMs === 0) {
      this.sync((error) => {
        if (!error) next();
      });
    } else {
      this.#timer ??= setTimeout(() => this.#syncInBackground(), this.#options.fsyncIntervalMs);
      queueMicrotask(next); // never back in the caller's own stack
    }
  }

  #write(batch: Batch, done: Done): void {
    const bytes = batch.seal(this.#durable, this.#options.session);
    const file = batch.segment.file!;
    if (bytes.length > SYNC_WRITE_BYTES_MAX) {
      file.write(bytes, batch.position, done);
      return;
    }
    let failure: Error | null = null;
    try {
      file.writeSync(bytes, batch.position);
    } catch (error) {
      failure = error as Error;
    }
    done(failure);
  }

  /** The segment appears under its name with a durable header and first batch, after all before it is durable. */
  async #startSegment(batch: Batch): Promise<void> {
    const { files, space } = this.#options;
    if (this.#durable < this.#written) await promised((done) => this.sync(done));
    const { segment } = batch;
    const spare = await space.take(segment.capacity);
    segment.file = spare.file;
    await promised((done) => this.#write(batch, done));
    await promised((done) => spare.file.fdatasync(done));
    await files.rename(spare.name, segment.name);
    await files.syncDirectory();
    this.#segment = segment;
    this.#written = batch.sequence;
    this.#becameDurable(batch.sequence);
    this.#options.onSegment(segment);
  }

  #syncInBackground(): void {
    this.sync((error) => {
      this.#timer = undefined;
      if (error) return;
      if (this.#durable < this.#written && !this.#stopped) {
        this.#timer = setTimeout(() => this.#syncInBackground(), this.#options.fsyncIntervalMs);
      }
    });
  }

  #becameDurable(sequence: number): void {
    if (sequence <= this.#durable) return;
    this.#durable = sequence;
    this.#options.onDurable(sequence);
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onFailure(error instanceof WalFailedError ? error : new WalFailedError(error));
  }
}
