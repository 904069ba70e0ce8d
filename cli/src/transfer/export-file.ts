/** Where records are written: a file, whole or not at all, or standard output. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { fileError, STANDARD_STREAM } from '../commands/content-source.ts';
import { CommandError, UsageError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { type JsonObject, stringify } from '../output/json.ts';
import type { Output } from '../output/output.ts';
import { csvHeadings, csvLines } from './csv.ts';
import { delimiterOf, type FileFormat } from './file-format.ts';

/** Takes records and is no faster than the disk or the reader behind it. */
export interface RecordWriter {
  write(records: readonly JsonObject[]): Promise<void>;
  /** Values that are records by themselves, the reverse of an import of whole records: in NDJSON their exact bytes. */
  writeWhole(values: readonly WholeValue[]): Promise<void>;
  /** Everything written so far is on disk. */
  sync(): Promise<void>;
  /** The last record is written. */
  finish(): Promise<void>;
  /** Something failed: leaves no half of a file behind, unless it was written in place. */
  abandon(): Promise<void>;
}

export interface WholeValue {
  /** For the message when it is no record: `key a`. */
  readonly name: string;
  readonly content: Uint8Array;
}

export interface RecordWriterOptions {
  readonly path: string;
  readonly format: FileFormat;
  /** Columns of CSV; undefined = the fields of the first record. */
  readonly columns: readonly string[] | undefined;
  /**
   * Written in place, behind what the file has: for records that exist nowhere else once they are written. Otherwise
   * under another name, which becomes the file's at the end.
   */
  readonly append: boolean;
}

export async function openRecordWriter(options: RecordWriterOptions, output: Output): Promise<RecordWriter> {
  if (options.path === STANDARD_STREAM) return new EncodingWriter(options, new StandardOutput(output), true);
  const { path, append } = options;
  const writtenPath = append ? path : `${path}.partial`;
  try {
    const handle = await open(writtenPath, append ? 'a' : 'w');
    const isEmpty = (await handle.stat()).size === 0;
    return new EncodingWriter(options, new FileTarget(handle, writtenPath, path), isEmpty);
  } catch (error) {
    throw fileError(path, error);
  }
}

interface Target {
  write(text: string | Uint8Array): Promise<void>;
  sync(): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

class StandardOutput implements Target {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  write(text: string | Uint8Array): Promise<void> {
    return this.#output.write(text);
  }

  async sync(): Promise<void> {}
  async finish(): Promise<void> {}
  async abandon(): Promise<void> {}
}

class FileTarget implements Target {
  readonly #handle: FileHandle;
  readonly #writtenPath: string;
  readonly #path: string;

  constructor(handle: FileHandle, writtenPath: string, path: string) {
    this.#handle = handle;
    this.#writtenPath = writtenPath;
    this.#path = path;
  }

  async write(text: string | Uint8Array): Promise<void> {
    try {
      await this.#handle.appendFile(text);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  async finish(): Promise<void> {
    await this.sync();
    await this.#handle.close();
    if (this.#writtenPath !== this.#path) await rename(this.#writtenPath, this.#path);
  }

  async abandon(): Promise<void> {
    await this.#handle.close();
    if (this.#writtenPath !== this.#path) await rm(this.#writtenPath, { force: true });
  }
}

class EncodingWriter implements RecordWriter {
  readonly #format: FileFormat;
  readonly #target: Target;
  #columns: readonly string[] | undefined;
  #needsHeadings: boolean;

  constructor({ format, columns }: RecordWriterOptions, target: Target, isEmpty: boolean) {
    this.#format = format;
    this.#columns = columns;
    this.#target = target;
    this.#needsHeadings = format !== 'ndjson' && isEmpty;
  }

  async write(records: readonly JsonObject[]): Promise<void> {
    if (records.length > 0) await this.#target.write(this.#encode(records));
  }

  writeWhole(values: readonly WholeValue[]): Promise<void> {
    if (this.#format !== 'ndjson') return this.write(values.map(parsedRecord));
    return this.#target.write(Buffer.concat(values.flatMap((value) => [lineOf(value), LINE_FEED])));
  }

  sync(): Promise<void> {
    return this.#target.sync();
  }

  async finish(): Promise<void> {
    if (this.#needsHeadings && this.#columns !== undefined)
      await this.#target.write(this.#headings(this.#columns));
    await this.#target.finish();
  }

  abandon(): Promise<void> {
    return this.#target.abandon();
  }

  #encode(records: readonly JsonObject[]): string {
    if (this.#format === 'ndjson') return records.map((record) => `${stringify(record)}\n`).join('');
    this.#columns ??= Object.keys(records[0]!);
    const headings = this.#needsHeadings ? this.#headings(this.#columns) : '';
    return headings + csvLines(this.#columns, records, delimiterOf(this.#format));
  }

  #headings(columns: readonly string[]): string {
    this.#needsHeadings = false;
    return csvHeadings(columns, delimiterOf(this.#format));
  }
}

const LINE_FEED = Buffer.from('\n');

function lineOf({ name, content }: WholeValue): Uint8Array {
  if (content.indexOf(LINE_FEED[0]!) === -1) return content;
  throw noRecord(`${name} has line feeds`);
}

function parsedRecord({ name, content }: WholeValue): JsonObject {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    throw noRecord(`${name} is no JSON`);
  }
  if (typeof record === 'object' && record !== null && !Array.isArray(record)) return record as JsonObject;
  throw noRecord(`${name} is no JSON object`);
}

function noRecord(problem: string): CommandError {
  return new CommandError(`${problem}, so it is no record by itself`, {
    exitCode: ExitCode.failed,
    action: 'Export without --whole-record.',
  });
}

export function checkColumns(columns: string | undefined): readonly string[] | undefined {
  if (columns === undefined) return undefined;
  const names = columns.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new UsageError(`--columns has an empty name: ${columns}`);
}
