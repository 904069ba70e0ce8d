/** Places of consumers and groups. */
import {
  StreamPositionSchema,
  StreamService,
  StreamServiceAckResponseSchema,
  StreamServiceGetOffsetResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { text, uint32, uint64 } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, option } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanCount } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { given } from '../call-fields.ts';
import { start } from './start.ts';

const { method } = StreamService;

const topic = argument('the topic');
const consumer = argument('the consumer or group');

export const ack = command({
  name: 'ack',
  summary: 'Commit a place: this message and every one before it in its partition are processed.',
  rpcs: [method.ack],
  specs: {
    topic,
    consumer,
    offset: argument('offset of the message', uint64),
    partition: option(uint32, 'the partition; 0 unless given', { short: 'p' }),
    memberId: option(text('id'), 'only if this subscription still holds the partition'),
  },
  async run(context, { topic, consumer, offset, partition, memberId }) {
    const answer = await context.client.stream.ack(
      { topic, consumer, offset, ...given({ partition, memberId }) },
      context.call(),
    );
    await context.output.answer(
      StreamServiceAckResponseSchema,
      answer,
      () => `${consumer} goes on at offset ${answer.committedOffset}`,
    );
    return ExitCode.done;
  },
});

export const seek = command({
  name: 'seek',
  summary: 'Move a consumer or group to another place.',
  rpcs: [method.seek],
  examples: [['gomsg stream seek events workers start', 'begin again']],
  specs: {
    topic,
    consumer,
    position: argument('where to: start, end, an offset, or a time', start),
    partition: option(uint32, 'only in this partition', { short: 'p' }),
  },
  async run(context, { topic, consumer, position, partition }) {
    const { output, client } = context;
    const { positions } = await client.stream.seek(
      { topic, consumer, position, ...given({ partition }) },
      context.call(),
    );
    if (output.isJson) {
      await output.jsonLines(positions.map((position) => messageToJson(StreamPositionSchema, position)));
    } else {
      await output.lines(positions.map(({ partition, offset }) => `${topic}#${partition}.${offset}`));
    }
    return ExitCode.done;
  },
});

export const offset = command({
  name: 'offset',
  aliases: ['get-offset'],
  summary: 'Show the committed place of a consumer or group, and how far it is behind.',
  rpcs: [method.getOffset],
  specs: { topic, consumer, partition: option(uint32, 'the partition; 0 unless given', { short: 'p' }) },
  async run(context, { topic, consumer, partition }) {
    const answer = await context.client.stream.getOffset(
      { topic, consumer, ...given({ partition }) },
      context.call(),
    );
    await context.output.answer(
      StreamServiceGetOffsetResponseSchema,
      answer,
      () => `${answer.offset} (${humanCount(answer.lag)} behind)`,
    );
    return ExitCode.done;
  },
});

export const consumerCommands: readonly AnyCommand[] = [ack, seek, offset];
