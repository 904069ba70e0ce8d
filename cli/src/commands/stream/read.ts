/** Stored messages, once. */

import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { StreamService } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { moment, size, uint32, uint64 } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, option, optionalArgument } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { given, limit, pageLimit, pageSize, pages } from '../call-fields.ts';
import { meta, showMessages } from './show.ts';

const { method } = StreamService;

/** Most messages in one answer, by the contract. */
const MAX_MESSAGES_A_PAGE = 10_000;

export const read = command({
  name: 'read',
  summary: 'Show the stored messages of one partition, a line each.',
  rpcs: [method.read],
  examples: [['gomsg stream read events 100 -n 10', 'ten messages from offset 100 on']],
  specs: {
    topic: argument('the topic'),
    offset: optionalArgument('first offset; the oldest that is kept unless given', uint64),
    partition: option(uint32, 'the partition; 0 unless given', { short: 'p' }),
    limit,
    pageSize,
    maxBytes: option(size, 'ask the server for at most this many bytes at a time'),
    meta,
  },
  async run(
    context,
    { topic, offset, partition = 0, limit = Number.POSITIVE_INFINITY, pageSize, maxBytes, meta },
  ) {
    const { client, output } = context;
    let next = offset ?? (await oldestOffset(context, topic, partition));
    let left = limit;
    while (left > 0) {
      const most = Number.isFinite(left) ? left : undefined;
      const page = await client.stream.read(
        {
          topic,
          partition,
          offset: next,
          ...pageLimit(pageSize, most, MAX_MESSAGES_A_PAGE),
          ...given({ maxBytes }),
        },
        context.call(),
      );
      if (page.messages.length === 0) break;
      const messages = page.messages.slice(0, left);
      await showMessages(output, topic, messages, meta);
      left -= messages.length;
      next = page.nextOffset;
    }
    return ExitCode.done;
  },
});

async function oldestOffset(
  { client, call }: Parameters<typeof read.run>[0],
  topic: string,
  partition: number,
): Promise<bigint> {
  const { info } = await client.stream.info({ topic }, call());
  return info?.partitions.find((candidate) => candidate.partition === partition)?.startOffset ?? 0n;
}

export const readFrom = command({
  name: 'read-from',
  summary: 'Show the messages stored since a moment, of one partition or all, by time.',
  rpcs: [method.readFrom],
  fills: { cursor: 'page after page' },
  examples: [['gomsg stream read-from events 1h', 'the last hour']],
  specs: {
    topic: argument('the topic'),
    time: optionalArgument('the moment; from the oldest message on unless given', moment),
    partition: option(uint32, 'only this partition', { short: 'p' }),
    limit,
    pageSize,
    meta,
  },
  async run(context, { topic, time, partition, limit, pageSize, meta }) {
    const from = time === undefined ? {} : { time: timestampFromDate(time) };
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_MESSAGES_A_PAGE), cursor };
      const answer = await context.client.stream.readFrom(
        { topic, ...from, ...given({ partition }), ...page },
        context.call(),
      );
      return { items: answer.messages, nextCursor: answer.nextCursor };
    }, limit);
    for await (const messages of listing) await showMessages(context.output, topic, messages, meta);
    return ExitCode.done;
  },
});

export const readCommands: readonly AnyCommand[] = [read, readFrom];
