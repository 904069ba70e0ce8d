/** How far one import is: in memory, and in its checkpoint file where it has one. */
import { UsageError } from '../errors.ts';
import type { Batch, BatchLimits } from './batches.ts';
import {
  checkpointPath,
  checkSame,
  fingerprintBytes,
  fingerprintOf,
  type ImportIdentity,
  readCheckpoint,
  removeCheckpoint,
  type SessionPlace,
  writeCheckpoint,
} from './checkpoint.ts';
import type { FileFormat } from './file-format.ts';
import { boundedBatch, type ImportOptions } from './import-options.ts';
import { FILE_START, type FilePosition } from './record.ts';

export class ImportRecord {
  /** Undefined where nothing can be recorded: standard input without --state. */
  readonly path: string | undefined;
  /** A resumed import keeps those of its first run, so that its batches are the same. */
  readonly limits: BatchLimits;
  readonly #file: string;
  readonly #identity: ImportIdentity;
  #fingerprint = { bytes: 0, text: '' };
  #position: FilePosition;
  #session: SessionPlace | undefined;
  #leftOut: number;

  private constructor(
    path: string | undefined,
    file: string,
    identity: ImportIdentity,
    state: {
      limits: BatchLimits;
      position: FilePosition;
      session?: SessionPlace | undefined;
      leftOut: number;
    },
  ) {
    this.path = path;
    this.limits = state.limits;
    this.#file = file;
    this.#identity = identity;
    this.#position = state.position;
    this.#session = state.session;
    this.#leftOut = state.leftOut;
  }

  /** @throws UsageError when what is recorded and what --resume and --restart ask for do not fit */
  static open(target: string, format: FileFormat, options: ImportOptions): ImportRecord {
    const { file, resume, restart } = options;
    if (resume && restart) throw new UsageError('--resume and --restart exclude each other');
    if (options.doubtful !== undefined && !resume) throw new UsageError('--doubtful is for --resume');
    const path = checkpointPath(file, options.state);
    if (path === undefined && resume) {
      throw new UsageError('--resume of standard input needs --state', 'Give the same --state to every run.');
    }
    const shape = `--format ${format} ${options.shape}`.trim();
    const identity = { target, shape };
    const recorded = path === undefined || restart ? undefined : readCheckpoint(path);
    if (resume && recorded === undefined) {
      // Not begun from the start: a script that repeats a finished import must not import it twice.
      throw new UsageError(
        `there is no unfinished import: ${path} does not exist`,
        'If it was never begun, leave out --resume.',
      );
    }
    if (path === undefined || recorded === undefined) {
      const limits = { maxRows: boundedBatch(options.batch), maxBytes: options.batchBytes };
      return new ImportRecord(path, file, identity, { limits, position: FILE_START, leftOut: 0 });
    }
    checkSame(path, recorded, identity, file);
    if (resume) return new ImportRecord(path, file, identity, recorded);
    throw new UsageError(
      `${path} records an unfinished import, up to row ${recorded.position.rows}`,
      'Go on with --resume, or begin again with --restart.',
    );
  }

  get position(): FilePosition {
    return this.#position;
  }

  /** Of the run before, where it had one. */
  get session(): SessionPlace | undefined {
    return this.#session;
  }

  /** Rows that could not be read, over all runs. */
  get leftOut(): number {
    return this.#leftOut;
  }

  advance(batch: Batch<unknown>, columns: readonly string[] | undefined): void {
    this.#position = { offset: batch.end, rows: batch.lastRow, columns };
    this.#leftOut += batch.rows - batch.items.length;
  }

  /** Writes the checkpoint. */
  save(session: SessionPlace | undefined): void {
    this.#session = session;
    if (this.path === undefined) return;
    writeCheckpoint(this.path, {
      ...this.#identity,
      limits: this.limits,
      position: this.#position,
      fingerprint: this.#fingerprintNow(),
      leftOut: this.#leftOut,
      ...(session !== undefined && { session }),
    });
  }

  #fingerprintNow(): string {
    const bytes = fingerprintBytes(this.#position.offset);
    if (this.#fingerprint.text === '' || bytes !== this.#fingerprint.bytes) {
      this.#fingerprint = { bytes, text: fingerprintOf(this.#file, bytes) };
    }
    return this.#fingerprint.text;
  }

  /** The import is done. */
  remove(): void {
    if (this.path !== undefined) removeCheckpoint(this.path);
  }
}

/** What to tell somebody whose import ended early. */
export function resumeHint({ path }: ImportRecord): string {
  return path === undefined
    ? 'Standard input without --state cannot be resumed: what was imported stays.'
    : 'Run the same command with --resume to go on.';
}
