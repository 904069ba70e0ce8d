/** CSV (RFC 4180) with headings in its first record, also with other delimiters. */
import { Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { CommandError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { type Json, type JsonObject, stringify as stringifyJson } from '../output/json.ts';
import { type BadRow, type FilePosition, MAX_RECORD_BYTES, type Row, type RowReader } from './record.ts';

/** Rows handed on at a time. */
const ROWS_A_CHUNK = 256;

/** `chunks` begin at `from.offset`, behind the headings where `from.columns` has them. */
export function readCsv(chunks: AsyncIterable<Uint8Array>, from: FilePosition, delimiter: string): RowReader {
  return new CsvReader(chunks, from, delimiter);
}

class CsvReader implements RowReader {
  columns: readonly string[] | undefined;
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #from: FilePosition;
  readonly #delimiter: string;

  constructor(chunks: AsyncIterable<Uint8Array>, from: FilePosition, delimiter: string) {
    this.#chunks = chunks;
    this.#from = from;
    this.#delimiter = delimiter;
    this.columns = from.columns;
  }

  async *rows(): AsyncGenerator<readonly (Row | BadRow)[]> {
    const parser = parse({
      delimiter: this.#delimiter,
      // Only the start of the file can have one: behind it the same bytes are data.
      bom: this.#from.offset === 0,
      info: true,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: MAX_RECORD_BYTES,
    });
    const source = Readable.from(this.#chunks, { objectMode: false });
    source.on('error', (error) => parser.destroy(error));
    source.pipe(parser);
    let number = this.#from.rows;
    let rows: (Row | BadRow)[] = [];
    try {
      for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
        const end = this.#from.offset + info.bytes;
        if (this.columns === undefined) {
          this.columns = checkColumns(record);
          continue;
        }
        number += 1;
        rows.push(toRow(this.columns, record, number, end));
        if (rows.length >= ROWS_A_CHUNK) {
          yield rows;
          rows = [];
        }
      }
    } catch (error) {
      throw error instanceof CsvError ? malformed(error, number + 1) : error;
    } finally {
      source.destroy();
      parser.destroy();
    }
    if (rows.length > 0) yield rows;
  }
}

function checkColumns(columns: readonly string[]): readonly string[] {
  const repeated = columns.find((column, at) => columns.indexOf(column) !== at);
  if (repeated === undefined) return columns;
  throw new CommandError(`the headings have ${JSON.stringify(repeated)} twice`, {
    exitCode: ExitCode.failed,
    action: 'Give every column a name of its own in the first line.',
  });
}

function toRow(
  columns: readonly string[],
  record: readonly string[],
  number: number,
  end: number,
): Row | BadRow {
  if (record.length !== columns.length) {
    return { number, end, problem: `has ${record.length} columns where the headings have ${columns.length}` };
  }
  const fields = Object.fromEntries(columns.map((column, at) => [column, record[at]]));
  return { number, end, fields, whole: () => Buffer.from(JSON.stringify(fields)) };
}

function malformed(error: CsvError, number: number): CommandError {
  return new CommandError(`row ${number}: ${error.message}`, {
    exitCode: ExitCode.failed,
    action: 'Correct the row: behind it the file cannot be told apart into rows.',
    cause: error,
  });
}

/**
 * Lines of a CSV file; what is no string is written as JSON, unset fields are empty. Written here rather than by
 * csv-stringify, with which exporting a million messages took more than twice as long.
 */
export function csvLines(
  columns: readonly string[],
  records: readonly JsonObject[],
  delimiter: string,
): string {
  return records.map((record) => line(columns.map((column) => cell(record[column], delimiter)))).join('');

  function line(cells: readonly string[]): string {
    // A record of one empty cell would be an empty line, which is no record.
    return cells.length === 1 && cells[0] === '' ? '""\n' : `${cells.join(delimiter)}\n`;
  }
}

export function csvHeadings(columns: readonly string[], delimiter: string): string {
  return `${columns.map((column) => cell(column, delimiter)).join(delimiter)}\n`;
}

/** A carriage return alone ends no record, but would be taken for a part of the line end behind it. */
const QUOTED = /["\r\n\ufeff]/;

function cell(value: Json | undefined, delimiter: string): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : stringifyJson(value);
  return QUOTED.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text;
}
