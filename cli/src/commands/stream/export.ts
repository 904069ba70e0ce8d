/** Stored messages of a topic into files. */
import {
  type PartitionInfo,
  type StreamMessage,
  StreamMessageSchema,
} from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { uint32, uint64 } from '../../arguments/kinds.ts';
import { argument, command, option } from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { messageToJson } from '../../output/json.ts';
import { exportSpecs, runExport } from '../../transfer/export.ts';

const PAGE_MESSAGES = 5_000;
const PAGE_BYTES = 1024 * 1024;

export const exportEvents = command({
  name: 'export',
  summary: 'Write the stored messages of a topic to a file, partition after partition, in their order.',
  description:
    'Fields: partition, offset, key, payload (payloadBase64 where it is no text), headers, publishedAt. "gomsg stream import" reads them back. It ends with what was there when it began.',
  rpcs: [],
  examples: [
    ['gomsg stream export events events.ndjson', 'all partitions'],
    ['gomsg stream export events - --whole-record', 'the payloads alone, a line each'],
  ],
  specs: {
    topic: argument('the topic'),
    ...exportSpecs,
    partition: option(uint32, 'only this partition', { short: 'p' }),
    offset: option(uint64, 'begin with this offset in each partition, where it is still kept'),
  },
  run(context, { topic, partition, offset = 0n, ...values }) {
    const wanted = once(() => partitionsOf(context, topic, partition));
    return runExport<StreamMessage>(context, values, {
      columns: ['partition', 'offset', 'key', 'payload', 'payloadBase64', 'headers', 'publishedAt'],
      async *pages(retrying) {
        for (const { partition, startOffset, endOffset } of await retrying(wanted)) {
          let next = startOffset > offset ? startOffset : offset;
          while (next < endOffset) {
            const limit = Math.min(Number(endOffset - next), PAGE_MESSAGES);
            const from = next;
            const page = await retrying(() =>
              context.client.stream.read(
                { topic, partition, offset: from, limit, maxBytes: PAGE_BYTES },
                context.call(),
              ),
            );
            yield page.messages;
            next = page.nextOffset;
          }
        }
      },
      toRecord(message) {
        const { topic: _, ...record } = messageToJson(StreamMessageSchema, message);
        return record;
      },
      content: ({ payload }) => payload,
      name: (message) => `message ${topic}#${message.partition}.${message.offset}`,
      async total() {
        const counts = (await wanted()).map(({ startOffset, endOffset }) =>
          Math.max(0, Number(endOffset - (startOffset > offset ? startOffset : offset))),
        );
        return counts.reduce((sum, count) => sum + count, 0);
      },
    });
  },
});

async function partitionsOf(
  context: CommandContext,
  topic: string,
  partition: number | undefined,
): Promise<readonly PartitionInfo[]> {
  const { info } = await context.client.stream.info({ topic }, context.call());
  const partitions = info?.partitions ?? [];
  return partition === undefined
    ? partitions
    : partitions.filter((candidate) => candidate.partition === partition);
}

/** The answer of the first call that succeeds, kept. */
function once<T>(call: () => Promise<T>): () => Promise<T> {
  let answer: T | undefined;
  return async () => {
    answer ??= await call();
    return answer;
  };
}
