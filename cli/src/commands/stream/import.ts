/** Files of messages into a topic. */
import { text, uint32 } from '../../arguments/kinds.ts';
import { argument, command, flag, option, type Values } from '../../arguments/spec.ts';
import { UsageError } from '../../errors.ts';
import { contentFromJson } from '../../output/json.ts';
import { fieldContent, headersField, keyText } from '../../transfer/fields.ts';
import { type ImportJob, runImport } from '../../transfer/import.ts';
import { doubtfulSpec, importSpecs, shapeOf } from '../../transfer/import-options.ts';
import type { Row } from '../../transfer/record.ts';
import { given } from '../call-fields.ts';

/** A message on its way. */
export interface StreamItem {
  readonly payload: Uint8Array;
  readonly key: string;
  readonly headers: Record<string, string>;
  /** Undefined = by its key. */
  readonly partition: number | undefined;
}

const shapeSpecs = {
  keyField: option(text('field'), 'field or column that is the key of the message'),
  payloadField: option(text('field'), 'field or column that is the payload'),
  partition: option(uint32, 'append to this partition, whatever the keys', { short: 'p' }),
  keepPartitions: flag('append each message to the partition that it was exported from'),
};

export const importEvents = command({
  name: 'import',
  summary: 'Publish the records of a file, in their order and each once, resumable.',
  description:
    'Records with a field payload or payloadBase64 are read as "gomsg stream export" writes them, with key and headers; any other record is the payload itself. Batches are sent in a session, so that one that is sent again, after a lost connection or a killed client, is published once.',
  rpcs: [],
  examples: [
    ['gomsg stream import events events.ndjson', 'a message a line'],
    [
      'gomsg stream import cities cities.csv --key-field country',
      'the records of a country in one partition',
    ],
    ['gomsg stream import events events.ndjson --resume', 'goes on after an interruption'],
  ],
  specs: {
    topic: argument('the topic; created when it does not exist'),
    ...importSpecs,
    ...shapeSpecs,
    doubtful: doubtfulSpec,
  },
  run(context, { topic, ...values }) {
    const { keyField, payloadField, partition, keepPartitions, wholeRecord } = values;
    if (partition !== undefined && keepPartitions) {
      throw new UsageError('--partition and --keep-partitions exclude each other');
    }
    const shape = shapeOf({
      'key-field': keyField,
      'payload-field': payloadField,
      partition,
      'keep-partitions': keepPartitions,
      'whole-record': wholeRecord,
    });
    const job: ImportJob<StreamItem> = {
      target: `stream ${topic}`,
      toItem: (row) => streamItem(row, values),
      sizeOf: ({ payload, key, headers }) => payload.length + key.length + JSON.stringify(headers).length,
      // A batch goes to one partition, or to those of its keys.
      belongsWith: (item, before) => item.partition === before.partition,
      async send(items, call) {
        const messages = items.map(({ payload, key, headers }) => ({ payload, key, headers }));
        await context.client.stream.publishBatch(
          { topic, messages, ...given({ partition: items[0]?.partition }) },
          call,
        );
      },
    };
    return runImport(context, { ...values, shape }, job);
  },
});

type Shape = Pick<
  Values<typeof shapeSpecs & typeof importSpecs>,
  'keyField' | 'payloadField' | 'partition' | 'keepPartitions' | 'wholeRecord'
>;

/** The message that a row stands for, or why it stands for none. */
export function streamItem(row: Row, shape: Shape): StreamItem | string {
  const { keyField, payloadField, keepPartitions, wholeRecord } = shape;
  const { fields } = row;
  const isField = payloadField !== undefined && !wholeRecord;
  const exported = isField || wholeRecord ? undefined : contentFromJson('payload', fields);
  const payload = isField ? fieldContent(fields[payloadField]) : (exported ?? row.whole());
  if (payload === undefined) return `has no field ${payloadField}`;

  const ownKey =
    keyField === undefined ? (exported === undefined ? '' : (fields.key ?? '')) : fields[keyField];
  const key = ownKey === '' ? '' : keyText(ownKey);
  if (key === undefined) return `has no key in the field ${keyField ?? 'key'}`;
  const headers = exported === undefined ? {} : headersField(fields.headers);
  if (headers === undefined) return 'headers must be an object of texts';
  if (!keepPartitions) return { payload, key, headers, partition: shape.partition };
  const partition = Number(fields.partition === '' ? undefined : fields.partition);
  if (!(Number.isInteger(partition) && partition >= 0)) return 'has no number in the field partition';
  return { payload, key, headers, partition };
}
