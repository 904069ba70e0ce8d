/** Files of messages into a queue. */
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { duration, integer, text } from '../../arguments/kinds.ts';
import { argument, command, option, type Values } from '../../arguments/spec.ts';
import { contentFromJson } from '../../output/json.ts';
import { fieldContent, headersField, timeField } from '../../transfer/fields.ts';
import { type ImportJob, runImport } from '../../transfer/import.ts';
import { doubtfulSpec, importSpecs, shapeOf } from '../../transfer/import-options.ts';
import type { Row } from '../../transfer/record.ts';

/** A message on its way. */
export interface QueueItem {
  readonly payload: Uint8Array;
  readonly headers: Record<string, string>;
  readonly priority: number;
  /** Unix milliseconds when it becomes ready; undefined = at once. */
  readonly dueAt_ms: number | undefined;
}

const MAX_PRIORITY = 255;

const shapeSpecs = {
  payloadField: option(text('field'), 'field or column that is the payload'),
  priority: option(
    integer({ min: 0, max: MAX_PRIORITY }),
    'priority of the messages; a field priority goes before',
  ),
  delay: option(duration, 'how long until the messages can be taken; a field dueAt goes before'),
};

export const importMessages = command({
  name: 'import',
  summary: 'Push the records of a file, in their order and each once, resumable.',
  description:
    'Records with a field payload or payloadBase64 are read as "gomsg queue export" writes them, with headers, priority and, for delayed ones, dueAt; any other record is the payload itself. Batches are sent in a session, so that one that is sent again, after a lost connection or a killed client, is pushed once.',
  rpcs: [],
  examples: [
    ['gomsg queue import jobs jobs.ndjson', 'a message a line'],
    ['gomsg queue import jobs jobs.csv --payload-field url', 'one column'],
    ['gomsg queue import jobs jobs.ndjson --resume', 'goes on after an interruption'],
  ],
  specs: {
    queue: argument('the queue; created when it does not exist'),
    ...importSpecs,
    ...shapeSpecs,
    doubtful: doubtfulSpec,
  },
  run(context, { queue, ...values }) {
    const { payloadField, priority, delay, wholeRecord } = values;
    const shape = shapeOf({ 'payload-field': payloadField, priority, delay, 'whole-record': wholeRecord });
    const job: ImportJob<QueueItem> = {
      target: `queue ${queue}`,
      toItem: (row) => queueItem(row, values),
      sizeOf: ({ payload, headers }) => payload.length + JSON.stringify(headers).length,
      async send(items, call) {
        const now_ms = Date.now();
        const messages = items.map(({ dueAt_ms, ...message }) => {
          const delay_ms = dueAt_ms === undefined ? delay : dueAt_ms - now_ms;
          return {
            ...message,
            ...(delay_ms !== undefined && delay_ms > 0 && { delay: durationFromMs(delay_ms) }),
          };
        });
        await context.client.queue.pushBatch({ queue, messages }, call);
      },
    };
    return runImport(context, { ...values, shape }, job);
  },
});

type Shape = Pick<
  Values<typeof shapeSpecs & typeof importSpecs>,
  'payloadField' | 'priority' | 'wholeRecord'
>;

/** The message that a row stands for, or why it stands for none. */
export function queueItem(row: Row, { payloadField, priority = 0, wholeRecord }: Shape): QueueItem | string {
  const { fields } = row;
  const plain = { headers: {}, priority, dueAt_ms: undefined };
  if (payloadField !== undefined && !wholeRecord) {
    const payload = fieldContent(fields[payloadField]);
    return payload === undefined ? `has no field ${payloadField}` : { payload, ...plain };
  }
  const exported = wholeRecord ? undefined : contentFromJson('payload', fields);
  if (exported === undefined) return { payload: row.whole(), ...plain };
  const headers = headersField(fields.headers);
  if (headers === undefined) return 'headers must be an object of texts';
  const ownPriority =
    fields.priority === undefined || fields.priority === '' ? priority : Number(fields.priority);
  if (!(Number.isInteger(ownPriority) && ownPriority >= 0 && ownPriority <= MAX_PRIORITY)) {
    return `priority must be 0 to ${MAX_PRIORITY}, not ${JSON.stringify(fields.priority)}`;
  }
  // Of a message in flight or dead it is another moment.
  const isDelayed = fields.state === undefined || fields.state === 'delayed';
  const dueAt_ms = isDelayed ? timeField(fields.dueAt) : undefined;
  if (Number.isNaN(dueAt_ms)) return `dueAt is no time: ${JSON.stringify(fields.dueAt)}`;
  return { payload: exported, headers, priority: ownPriority, dueAt_ms };
}
