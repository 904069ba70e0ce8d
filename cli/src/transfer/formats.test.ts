import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from '../output/json.ts';
import { csvHeadings, csvLines, readCsv } from './csv.ts';
import { readNdjson } from './ndjson.ts';
import { type BadRow, FILE_START, isBad, type Row, type RowReader } from './record.ts';

/** The bytes in pieces of a size, as streams bring them. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAllRows(reader: RowReader): Promise<(Row | BadRow)[]> {
  const all: (Row | BadRow)[] = [];
  for await (const rows of reader.rows()) all.push(...rows);
  return all;
}

function good(rows: readonly (Row | BadRow)[]): Row[] {
  const bad = rows.find(isBad);
  if (bad !== undefined) throw new Error(`row ${bad.number}: ${bad.problem}`);
  return rows as Row[];
}

/** Anything that a field may hold, line ends, quotes and delimiters more often than by chance. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', ',', '\n', '\r', '\t', '\ufeff', '\0'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  ),
});

const columns = fc.uniqueArray(
  fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name !== '__proto__'),
  { minLength: 1, maxLength: 4 },
);

describe('CSV', () => {
  const files = columns.chain((names) =>
    fc.record({
      names: fc.constant(names),
      records: fc.array(
        fc
          .tuple(...names.map(() => text))
          .map((cells) => Object.fromEntries(names.map((name, at) => [name, cells[at]!]))),
      ),
      delimiter: fc.constantFrom(',', '\t'),
      chunk: fc.integer({ min: 1, max: 64 }),
    }),
  );

  it('comes back as it was written, in whatever pieces it is read', async () => {
    await fc.assert(
      fc.asyncProperty(files, async ({ names, records, delimiter, chunk }) => {
        const bytes = Buffer.from(csvHeadings(names, delimiter) + csvLines(names, records, delimiter));
        const rows = good(await readAllRows(readCsv(pieces(bytes, chunk), FILE_START, delimiter)));
        expect(rows.map(({ fields }) => fields)).toEqual(records);
        expect(rows.map(({ number }) => number)).toEqual(records.map((_, at) => at + 1));
      }),
      { numRuns: 60 },
    );
  });

  it('goes on behind any row', async () => {
    await fc.assert(
      fc.asyncProperty(files, fc.nat(), async ({ names, records, delimiter, chunk }, choice) => {
        const bytes = Buffer.from(csvHeadings(names, delimiter) + csvLines(names, records, delimiter));
        const rows = good(await readAllRows(readCsv(pieces(bytes, chunk), FILE_START, delimiter)));
        fc.pre(rows.length > 0);
        const { end, number } = rows[choice % rows.length]!;
        const from = { offset: end, rows: number, columns: names };
        const rest = good(await readAllRows(readCsv(pieces(bytes.subarray(end), chunk), from, delimiter)));
        expect(rest.map(({ fields }) => fields)).toEqual(records.slice(number));
        expect(rest.map((row) => row.end)).toEqual(rows.slice(number).map((row) => row.end));
      }),
      { numRuns: 60 },
    );
  });

  it('skips a byte order mark before the headings', async () => {
    const bytes = Buffer.from('\ufeffkey,value\r\na,1\r\n');
    const [row] = good(await readAllRows(readCsv(pieces(bytes, 5), FILE_START, ',')));
    expect(row).toMatchObject({ fields: { key: 'a', value: '1' }, end: bytes.length });
  });

  it('tells rows of another width, and reads on', async () => {
    const rows = await readAllRows(readCsv(pieces(Buffer.from('a,b\n1\n2,3\n'), 64), FILE_START, ','));
    expect(rows[0]).toMatchObject({ number: 1, problem: 'has 1 columns where the headings have 2' });
    expect(rows[1]).toMatchObject({ number: 2, fields: { a: '2', b: '3' } });
  });

  it('stops at a quote that is never closed, and says where', async () => {
    const reader = readCsv(pieces(Buffer.from('a\n"1\n2\n'), 64), FILE_START, ',');
    await expect(readAllRows(reader)).rejects.toThrow(/row 1: Quote Not Closed/);
  });

  it('refuses headings that repeat', async () => {
    await expect(
      readAllRows(readCsv(pieces(Buffer.from('a,a\n1,2\n'), 64), FILE_START, ',')),
    ).rejects.toThrow(/twice/);
  });
});

describe('NDJSON', () => {
  const records = fc.array(
    fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      fc.jsonValue(),
    ),
  );

  it('comes back as it was written and goes on behind any row, in whatever pieces it is read', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.integer({ min: 1, max: 64 }), fc.nat(), async (records, chunk, choice) => {
        const lines = records.map((record) => JSON.stringify(record));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const rows = good(await readAllRows(readNdjson(pieces(bytes, chunk), FILE_START)));
        expect(rows.map((row) => Buffer.from(row.whole()).toString())).toEqual(lines);
        expect(rows.map(({ fields }) => JSON.stringify(fields))).toEqual(
          lines.map((line) => JSON.stringify(JSON.parse(line))),
        );
        if (rows.length === 0) return;
        const { end, number } = rows[choice % rows.length]!;
        const rest = good(
          await readAllRows(readNdjson(pieces(bytes.subarray(end), chunk), { offset: end, rows: number })),
        );
        expect(rest.map((row) => Buffer.from(row.whole()).toString())).toEqual(lines.slice(number));
      }),
    );
  });

  it('takes empty lines, CRLF, a byte order mark and a last line without an end', async () => {
    const bytes = Buffer.from('\ufeff{"a":1}\r\n\n  \n{"a":2}');
    const rows = good(await readAllRows(readNdjson(pieces(bytes, 3), FILE_START)));
    expect(rows.map((row) => [row.number, Buffer.from(row.whole()).toString()])).toEqual([
      [1, '{"a":1}'],
      [2, '{"a":2}'],
    ]);
    expect(rows.at(-1)!.end).toBe(bytes.length);
  });

  it('tells lines that are no JSON object, and reads on', async () => {
    const rows = await readAllRows(
      readNdjson(pieces(Buffer.from('[{"a":1}]\n{oops\n{"a":2}\n'), 64), FILE_START),
    );
    expect(rows.map((row) => (isBad(row) ? 'bad' : 'good'))).toEqual(['bad', 'bad', 'good']);
    expect(rows[0]).toHaveProperty('problem', expect.stringContaining('jq -c'));
  });
});

it('integers of any length stay what they are in exported NDJSON', () => {
  expect(stringify({ version: 18446744073709551615n })).toBe('{"version":18446744073709551615}');
});
