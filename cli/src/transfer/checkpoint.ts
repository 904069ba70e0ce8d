/**
 * How far an import has come, in a small file beside the imported one: what a rerun with --resume goes on from.
 *
 * Written whole under another name and renamed, so that it is always one moment's, also when the process is killed.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { fileError, STANDARD_STREAM } from '../commands/content-source.ts';
import { UsageError } from '../errors.ts';
import type { BatchLimits } from './batches.ts';
import type { FilePosition } from './record.ts';

const VERSION = 1;

/** The beginning of the file by which it is recognised, as far as it was imported: what is behind may be corrected. */
const MAX_FINGERPRINT_BYTES = 64 * 1024;

/** What is imported, and how: a resumed import must be the same one. */
export interface ImportIdentity {
  /** Such as `queue jobs`. */
  readonly target: string;
  /** The options that decide what becomes of a row. */
  readonly shape: string;
}

/** A session of calls and the place in it. */
export interface SessionPlace {
  readonly id: string;
  /** Sequence of the next batch. */
  readonly sequence: number;
}

export interface Checkpoint extends ImportIdentity {
  readonly version: typeof VERSION;
  readonly position: FilePosition;
  /** Of the beginning of the file; empty for standard input. */
  readonly fingerprint: string;
  readonly limits: BatchLimits;
  /** Rows left out so far. */
  readonly leftOut: number;
  readonly session?: SessionPlace;
}

export function checkpointPath(file: string, given: string | undefined): string | undefined {
  return given ?? (file === STANDARD_STREAM ? undefined : `${file}.gomsg-import`);
}

/** Of the first `offset` bytes, or of as many of them as are looked at. */
export function fingerprintOf(path: string, offset: number): string {
  if (path === STANDARD_STREAM) return '';
  const beginning = Buffer.alloc(fingerprintBytes(offset));
  let length: number;
  try {
    const file = openSync(path, 'r');
    try {
      length = readSync(file, beginning);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw fileError(path, error);
  }
  return createHash('sha256').update(beginning.subarray(0, length)).digest('hex');
}

/** How much of a file that was imported up to `offset` is looked at. */
export function fingerprintBytes(offset: number): number {
  return Math.min(offset, MAX_FINGERPRINT_BYTES);
}

/** Undefined when there is none. */
export function readCheckpoint(path: string): Checkpoint | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw fileError(path, error);
  }
  try {
    const checkpoint: Checkpoint = JSON.parse(text);
    if (checkpoint.version === VERSION) return checkpoint;
  } catch {
    // Said below: whatever it holds, it is no checkpoint.
  }
  throw new UsageError(
    `${path} is no record of an import`,
    'Remove it to begin again, or name another with --state.',
  );
}

export function writeCheckpoint(path: string, checkpoint: Omit<Checkpoint, 'version'>): void {
  const partial = `${path}.partial`;
  try {
    writeFileSync(partial, `${JSON.stringify({ version: VERSION, ...checkpoint })}\n`);
    renameSync(partial, path);
  } catch (error) {
    throw fileError(path, error);
  }
}

export function removeCheckpoint(path: string): void {
  rmSync(path, { force: true });
}

/** @throws UsageError when the recorded import is another one */
export function checkSame(path: string, recorded: Checkpoint, now: ImportIdentity, file: string): void {
  if (recorded.target !== now.target) {
    throw new UsageError(
      `${path} records an unfinished import into ${recorded.target}`,
      'Finish that one first, or name another record with --state.',
    );
  }
  if (recorded.shape !== now.shape) {
    throw new UsageError(
      `the unfinished import in ${path} was made with other options: ${recorded.shape}`,
      'Resume it with the same options.',
    );
  }
  const { offset } = recorded.position;
  const isShorter = file !== STANDARD_STREAM && statSync(file).size < offset;
  if (isShorter || recorded.fingerprint !== fingerprintOf(file, offset)) {
    throw new UsageError(
      `${file} is not the file that ${path} records`,
      'Resume with the file as it was, or begin again with --restart.',
    );
  }
}
