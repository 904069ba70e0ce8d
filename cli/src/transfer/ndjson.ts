/** NDJSON (JSON Lines): one JSON object a line. */

import { CommandError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { humanBytes } from '../output/human.ts';
import { type BadRow, type FilePosition, MAX_RECORD_BYTES, type Row, type RowReader } from './record.ts';

const LINE_FEED = 0x0a;
const BOM = Buffer.from('\ufeff');

/** `chunks` begin at `from.offset`. Empty lines are no rows. */
export function readNdjson(chunks: AsyncIterable<Uint8Array>, from: FilePosition): RowReader {
  return { columns: undefined, rows: () => ndjsonRows(chunks, from) };
}

async function* ndjsonRows(
  chunks: AsyncIterable<Uint8Array>,
  from: FilePosition,
): AsyncGenerator<readonly (Row | BadRow)[]> {
  let offset = from.offset;
  let number = from.rows;
  let carried: Buffer[] = [];
  let carriedBytes = 0;

  const take = (line: Buffer, lineBytes: number): (Row | BadRow)[] => {
    const isFirst = offset === 0;
    offset += lineBytes;
    const record = isFirst && line.subarray(0, BOM.length).equals(BOM) ? line.subarray(BOM.length) : line;
    if (isBlank(record)) return [];
    number += 1;
    return [parseLine(record, number, offset)];
  };

  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const rows: (Row | BadRow)[] = [];
    let start = 0;
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, start)) {
      const piece = bytes.subarray(start, at);
      const line = carriedBytes === 0 ? piece : Buffer.concat([...carried, piece]);
      rows.push(...take(line, line.length + 1));
      carried = [];
      carriedBytes = 0;
      start = at + 1;
    }
    if (start < bytes.length) {
      carried.push(bytes.subarray(start));
      carriedBytes += bytes.length - start;
      if (carriedBytes > MAX_RECORD_BYTES) throw tooLong(number + 1);
    }
    if (rows.length > 0) yield rows;
  }
  if (carriedBytes > 0) {
    const line = Buffer.concat(carried);
    yield take(line, line.length);
  }
}

function parseLine(line: Buffer, number: number, end: number): Row | BadRow {
  const text = line.toString('utf8');
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (error) {
    const hint = number === 1 && text.startsWith('[') ? '; a JSON array becomes lines with: jq -c ".[]"' : '';
    return { number, end, problem: `${error instanceof Error ? error.message : 'no JSON'}${hint}` };
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    const hint = Array.isArray(fields) ? '; an array becomes lines with: jq -c ".[]"' : '';
    return { number, end, problem: `expected a JSON object, not ${text.slice(0, 40)}${hint}` };
  }
  const withoutReturn = line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  return { number, end, fields: fields as Record<string, unknown>, whole: () => withoutReturn };
}

const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

function isBlank(line: Buffer): boolean {
  return line.length < 1024 && line.every((byte) => BLANKS.has(byte));
}

function tooLong(number: number): CommandError {
  return new CommandError(`row ${number} is longer than ${humanBytes(MAX_RECORD_BYTES)}`, {
    exitCode: ExitCode.failed,
    action: 'Check that the file has one JSON object a line.',
  });
}
