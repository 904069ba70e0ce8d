/** Keys and values into files. */
import { type KeyValue, KeyValueSchema } from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { text } from '../../arguments/kinds.ts';
import { command, option } from '../../arguments/spec.ts';
import { messageToJson } from '../../output/json.ts';
import { exportSpecs, runExport } from '../../transfer/export.ts';
import { given } from '../call-fields.ts';

export const exportKeys = command({
  name: 'export',
  summary: 'Write keys and values to a file, in byte order of the keys.',
  description:
    'Fields: key, value (valueBase64 where it is no text), version, expiresAt. "gomsg kv import" reads them back. Keys written meanwhile may or may not be in it.',
  rpcs: [],
  examples: [
    ['gomsg kv export backup.ndjson', 'everything'],
    ['gomsg kv export users.csv --prefix user:', 'a part'],
    ['gomsg kv export - --whole-record > cities.ndjson', 'the values alone, a line each'],
  ],
  specs: {
    ...exportSpecs,
    prefix: option(text('prefix'), 'only keys that begin with this'),
    start: option(text('key'), 'first key of a range'),
    end: option(text('key'), 'end of a range, itself not in it'),
  },
  run(context, values) {
    const range = given({ prefix: values.prefix, start: values.start, end: values.end });
    return runExport<KeyValue>(context, values, {
      columns: ['key', 'value', 'valueBase64', 'version', 'expiresAt'],
      async *pages(retrying) {
        let cursor: Uint8Array = new Uint8Array(0);
        do {
          const page = await retrying(() =>
            context.client.kv.scan(
              { ...range, cursor, limit: PAGE_KEYS, maxBytes: PAGE_BYTES },
              context.call(),
            ),
          );
          yield page.entries;
          cursor = page.nextCursor;
        } while (cursor.length > 0);
      },
      toRecord: (entry) => messageToJson(KeyValueSchema, entry),
      content: ({ value }) => value,
      name: ({ key }) => `the value of ${key}`,
    });
  },
});

const PAGE_KEYS = 5_000;
const PAGE_BYTES = 1024 * 1024;
