/** Which format a file has, and how it is opened. */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { choice } from '../arguments/kinds.ts';
import { option } from '../arguments/spec.ts';
import { fileError, STANDARD_STREAM } from '../commands/content-source.ts';
import { UsageError } from '../errors.ts';
import { readCsv } from './csv.ts';
import { readNdjson } from './ndjson.ts';
import type { FilePosition, RowReader } from './record.ts';

export type FileFormat = 'ndjson' | 'csv' | 'tsv';

export const formatOption = option(
  choice<FileFormat, FileFormat>({ ndjson: 'ndjson', csv: 'csv', tsv: 'tsv' }),
  'format of the file; by its extension unless given, ndjson for -',
);

const FORMATS_BY_EXTENSION: Readonly<Record<string, FileFormat>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'ndjson',
  '.csv': 'csv',
  '.tsv': 'tsv',
};

/** @throws UsageError when the extension says nothing */
export function formatOf(path: string, given: FileFormat | undefined): FileFormat {
  const format =
    given ?? (path === STANDARD_STREAM ? 'ndjson' : FORMATS_BY_EXTENSION[extname(path).toLowerCase()]);
  if (format !== undefined) return format;
  throw new UsageError(
    `the extension of ${path} does not tell its format`,
    'Add --format ndjson, csv or tsv.',
  );
}

export function delimiterOf(format: FileFormat): string {
  return format === 'tsv' ? '\t' : ',';
}

/** Reads a file, or standard input, from a position on. */
export function openRows(
  path: string,
  stdin: AsyncIterable<Uint8Array | string>,
  format: FileFormat,
  from: FilePosition,
): RowReader {
  const chunks = path === STANDARD_STREAM ? skipBytes(stdin, from.offset) : readFile(path, from.offset);
  return format === 'ndjson' ? readNdjson(chunks, from) : readCsv(chunks, from, delimiterOf(format));
}

const READ_AT_ONCE_BYTES = 256 * 1024;

async function* readFile(path: string, offset: number): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, {
      start: offset,
      highWaterMark: READ_AT_ONCE_BYTES,
    }) as AsyncIterable<Buffer>;
  } catch (error) {
    throw fileError(path, error);
  }
}

/** What cannot be sought is read past. */
async function* skipBytes(
  stream: AsyncIterable<Uint8Array | string>,
  count: number,
): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    if (left >= bytes.length) {
      left -= bytes.length;
    } else {
      yield bytes.subarray(left);
      left = 0;
    }
  }
}
