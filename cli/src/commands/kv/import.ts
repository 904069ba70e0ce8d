/** Files of keys and values into the store. */
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { duration, text } from '../../arguments/kinds.ts';
import { command, option, type Values } from '../../arguments/spec.ts';
import { contentFromJson } from '../../output/json.ts';
import { fieldContent, keyText, missingContent, timeField } from '../../transfer/fields.ts';
import { type ImportJob, runImport } from '../../transfer/import.ts';
import { importSpecs, shapeOf } from '../../transfer/import-options.ts';
import type { Row } from '../../transfer/record.ts';

/** A key on its way. */
export interface KvItem {
  readonly key: string;
  readonly value: Uint8Array;
  /** Unix milliseconds; undefined = never. */
  readonly expiresAt_ms: number | undefined;
}

const shapeSpecs = {
  keyField: option(text('field'), 'field or column that is the key; key unless given'),
  keyPrefix: option(text('prefix'), 'put this before every key'),
  valueField: option(
    text('field'),
    'field or column that is the value; with --key-field alone, the whole record is',
  ),
  ttl: option(duration, 'how long the keys live; a field expiresAt goes before'),
};

export const importKeys = command({
  name: 'import',
  summary: 'Store the records of a file as keys, resumable.',
  description: `Without --key-field and --value-field it reads what "gomsg kv export" writes: the fields key, value or valueBase64, and expiresAt. Keys whose expiresAt has passed are left out. Importing again stores the same keys again.`,
  rpcs: [],
  examples: [
    ['gomsg kv import cities.ndjson --key-field cityId', 'each record under its id'],
    ['gomsg kv import prices.csv --key-field sku --value-field price --key-prefix price:', 'one column'],
    ['gomsg kv import backup.ndjson --resume', 'goes on after an interruption'],
  ],
  specs: { ...importSpecs, ...shapeSpecs },
  run(context, values) {
    const { keyField, keyPrefix, valueField, ttl, wholeRecord } = values;
    const shape = shapeOf({
      'key-field': keyField,
      'key-prefix': keyPrefix,
      'value-field': valueField,
      ttl,
      'whole-record': wholeRecord,
    });
    const job: ImportJob<KvItem> = {
      target: 'kv',
      toItem: (row) => kvItem(row, values),
      sizeOf: ({ key, value }) => key.length + value.length,
      keyOf: ({ key }) => key,
      async send(items, call) {
        const now_ms = Date.now();
        const entries = items
          .filter(({ expiresAt_ms }) => expiresAt_ms === undefined || expiresAt_ms > now_ms)
          .map(({ key, value, expiresAt_ms }) => ({
            key,
            value,
            ...(expiresAt_ms !== undefined
              ? { ttl: durationFromMs(expiresAt_ms - now_ms) }
              : ttl !== undefined && { ttl: durationFromMs(ttl) }),
          }));
        if (entries.length > 0) await context.client.kv.setMany({ entries }, call);
      },
    };
    return runImport(context, { ...values, shape }, job);
  },
});

type Shape = Pick<
  Values<typeof shapeSpecs & typeof importSpecs>,
  'keyField' | 'keyPrefix' | 'valueField' | 'wholeRecord'
>;

/** The key that a row stands for, or why it stands for none. */
export function kvItem(
  row: Row,
  { keyField, keyPrefix = '', valueField, wholeRecord }: Shape,
): KvItem | string {
  const { fields } = row;
  const keyName = keyField ?? 'key';
  const key = keyText(fields[keyName]);
  if (key === undefined) return `has no key in the field ${keyName}; name another with --key-field`;
  const isWhole = wholeRecord || (keyField !== undefined && valueField === undefined);
  const value = isWhole
    ? row.whole()
    : valueField === undefined
      ? contentFromJson('value', fields)
      : fieldContent(fields[valueField]);
  if (value === undefined) {
    return valueField === undefined ? missingContent('value', '--value-field') : `has no field ${valueField}`;
  }
  const expiresAt_ms = isWhole || valueField !== undefined ? undefined : timeField(fields.expiresAt);
  if (Number.isNaN(expiresAt_ms)) return `expiresAt is no time: ${JSON.stringify(fields.expiresAt)}`;
  return { key: keyPrefix + key, value, expiresAt_ms };
}
