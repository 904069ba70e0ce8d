/** What files of records are made of, whatever their format. */

/** One record of a file. */
export interface Row {
  /** From 1, headings not counted. */
  readonly number: number;
  /** Offset in bytes right behind it: where reading goes on. */
  readonly end: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The record itself as a value: the line as it is in NDJSON, a JSON object of the columns in CSV. */
  whole(): Uint8Array;
}

/** A record that cannot be read, between others that can. */
export interface BadRow {
  readonly number: number;
  readonly end: number;
  readonly problem: string;
}

export function isBad(row: Row | BadRow): row is BadRow {
  return 'problem' in row;
}

/** Where in a file reading begins: the start, or behind the last row that was taken. */
export interface FilePosition {
  /** Bytes before it. */
  readonly offset: number;
  /** Rows before it. */
  readonly rows: number;
  /** The headings of a CSV file, once they were read. */
  readonly columns?: readonly string[] | undefined;
}

export const FILE_START: FilePosition = Object.freeze({ offset: 0, rows: 0 });

/** Reads rows, some at a time, and no faster than they are taken. */
export interface RowReader {
  /** The headings, once rows were read; undefined in formats without. */
  readonly columns: readonly string[] | undefined;
  rows(): AsyncIterable<readonly (Row | BadRow)[]>;
}

/** A record longer than this is taken for a file of another kind. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;
