import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { KeyValueSchema } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { StreamMessageSchema } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kvItem } from '../commands/kv/import.ts';
import { queueItem } from '../commands/queue/import.ts';
import { streamItem } from '../commands/stream/import.ts';
import { type JsonObject, messageToJson, stringify } from '../output/json.ts';
import { csvHeadings, csvLines, readCsv } from './csv.ts';
import { readNdjson } from './ndjson.ts';
import { type BadRow, FILE_START, isBad, type Row, type RowReader } from './record.ts';

const whole = { wholeRecord: false };

function row(fields: Record<string, unknown>): Row {
  return { number: 1, end: 1, fields, whole: () => Buffer.from(JSON.stringify(fields)) };
}

async function onlyRow(reader: RowReader): Promise<Row> {
  const all: (Row | BadRow)[] = [];
  for await (const rows of reader.rows()) all.push(...rows);
  const [first] = all;
  if (first === undefined || isBad(first)) throw new Error('expected one good row');
  return first;
}

async function* one(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** A record through both formats. */
async function throughFiles(record: JsonObject, columns: readonly string[]): Promise<Row[]> {
  return [
    await onlyRow(readNdjson(one(`${stringify(record)}\n`), FILE_START)),
    await onlyRow(
      readCsv(one(csvHeadings(columns, ',') + csvLines(columns, [record], ',')), FILE_START, ','),
    ),
  ];
}

describe('what is exported comes back as it was', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.string().map((text) => new Uint8Array(Buffer.from(text))),
  );
  const headers = fc.dictionary(
    fc.string().filter((name) => name !== '__proto__'),
    fc.string(),
  );

  it('keys with values and expiries', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1, unit: 'grapheme' }),
        bytes,
        fc.option(fc.nat(4e12)),
        async (key, value, expires) => {
          const entry = create(KeyValueSchema, {
            key,
            value,
            version: 1n,
            ...(expires !== null && { expiresAt: timestampFromMs(expires) }),
          });
          const record = messageToJson(KeyValueSchema, entry);
          for (const row of await throughFiles(record, [
            'key',
            'value',
            'valueBase64',
            'version',
            'expiresAt',
          ])) {
            const item = kvItem(row, {
              keyField: undefined,
              keyPrefix: undefined,
              valueField: undefined,
              ...whole,
            });
            expect(item).toMatchObject({ key, expiresAt_ms: expires ?? undefined });
            expect(Buffer.from((item as { value: Uint8Array }).value)).toEqual(Buffer.from(value));
          }
        },
      ),
    );
  });

  it('messages with keys, headers and partitions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        bytes,
        headers,
        fc.nat(1023),
        async (key, payload, headers, partition) => {
          const message = create(StreamMessageSchema, { key, payload, headers, partition });
          const record = messageToJson(StreamMessageSchema, message);
          for (const row of await throughFiles(record, [
            'partition',
            'offset',
            'key',
            'payload',
            'payloadBase64',
            'headers',
          ])) {
            const item = streamItem(row, {
              keyField: undefined,
              payloadField: undefined,
              partition: undefined,
              keepPartitions: true,
              ...whole,
            });
            expect(item).toMatchObject({ key, headers, partition });
            expect(Buffer.from((item as { payload: Uint8Array }).payload)).toEqual(Buffer.from(payload));
          }
        },
      ),
    );
  });
});

describe('records of any kind', () => {
  const city = { cityId: 3039154, name: 'El Tarter', population: 1052 };

  it('are a value as a whole under the key of a field', () => {
    const item = kvItem(row(city), {
      keyField: 'cityId',
      keyPrefix: 'city:',
      valueField: undefined,
      ...whole,
    });
    expect(item).toMatchObject({ key: 'city:3039154' });
    expect(Buffer.from((item as { value: Uint8Array }).value).toString()).toBe(JSON.stringify(city));
  });

  it('give one field as the value', () => {
    const item = kvItem(row(city), {
      keyField: 'name',
      keyPrefix: undefined,
      valueField: 'population',
      ...whole,
    });
    expect(item).toEqual({ key: 'El Tarter', value: Buffer.from('1052'), expiresAt_ms: undefined });
  });

  it('are payloads as a whole when they have no field payload, or when that is asked for', () => {
    const asQueue = queueItem(row(city), { payloadField: undefined, priority: 7, ...whole });
    expect(asQueue).toMatchObject({ payload: Buffer.from(JSON.stringify(city)), priority: 7 });
    const withPayload = { payload: 'p', id: 1 };
    expect(
      queueItem(row(withPayload), { payloadField: undefined, priority: undefined, wholeRecord: true }),
    ).toMatchObject({
      payload: Buffer.from(JSON.stringify(withPayload)),
    });
  });

  it('are refused with the reason when a field is missing or of the wrong kind', () => {
    const noValueField = { keyField: undefined, keyPrefix: undefined, valueField: undefined, ...whole };
    expect(kvItem(row(city), noValueField)).toMatch(/no key in the field key/);
    expect(kvItem(row({ key: 'k' }), noValueField)).toMatch(/no field value or valueBase64/);
    expect(kvItem(row({ key: { a: 1 }, value: '' }), noValueField)).toMatch(/no key/);
    expect(kvItem(row({ key: 'k', value: 'v', expiresAt: 'soon' }), noValueField)).toMatch(/no time/);
    expect(
      queueItem(row({ payload: 'p', priority: 999 }), {
        payloadField: undefined,
        priority: undefined,
        ...whole,
      }),
    ).toMatch(/0 to 255/);
    expect(
      queueItem(row({ payload: 'p', headers: [1] }), {
        payloadField: undefined,
        priority: undefined,
        ...whole,
      }),
    ).toMatch(/headers/);
  });

  it('keep their due time only while they are delayed', () => {
    const shape = { payloadField: undefined, priority: undefined, ...whole };
    const dueAt = '2030-01-01T00:00:00.000Z';
    expect(queueItem(row({ payload: 'p', state: 'delayed', dueAt }), shape)).toMatchObject({
      dueAt_ms: Date.parse(dueAt),
    });
    expect(queueItem(row({ payload: 'p', state: 'in-flight', dueAt }), shape)).toMatchObject({
      dueAt_ms: undefined,
    });
  });
});
