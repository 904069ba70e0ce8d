/** Messages into topics. */
import {
  StreamPositionSchema,
  StreamService,
  StreamServicePublishResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { text, uint32, uint64 } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, option, rest } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { messageToJson } from '../../output/json.ts';
import { given, headerFields, headers } from '../call-fields.ts';
import { contentArgument, contentFile, readContent } from '../content-source.ts';

const { method } = StreamService;

/** Most messages in one call, by the contract. */
const MAX_MESSAGES_A_CALL = 10_000;

const messageSpecs = {
  key: option(text('key'), 'messages of one key keep their order'),
  headers,
  partition: option(uint32, 'append to this partition, whatever the key', { short: 'p' }),
};

export const publish = command({
  name: 'publish',
  aliases: ['pub'],
  summary: 'Append a message to a topic; shows its id: topic#partition.offset.',
  rpcs: [method.publish],
  examples: [
    ['gomsg stream publish events "user signup"', 'a message'],
    ['gomsg stream publish events --key alice --file event.json', 'a file, in order with others of alice'],
  ],
  specs: {
    topic: argument('the topic; created when it does not exist'),
    payload: contentArgument('payload'),
    file: contentFile('payload'),
    ...messageSpecs,
    expectedOffset: option(uint64, 'only when the message gets this offset'),
  },
  async run(context, { topic, payload, file, key, headers, partition, expectedOffset }) {
    const answer = await context.client.stream.publish(
      {
        topic,
        payload: await readContent(context, 'payload', payload, file),
        ...given({ key, partition, expectedOffset }),
        ...headerFields(headers),
      },
      context.call(),
    );
    await context.output.answer(StreamServicePublishResponseSchema, answer, () => answer.messageId);
    return ExitCode.done;
  },
});

export const publishBatch = command({
  name: 'publish-batch',
  summary: 'Append several messages to a topic; shows their ids.',
  description: 'For messages from a file there is "gomsg stream import".',
  rpcs: [method.publishBatch],
  fills: { messages: 'from the arguments, one for each message' },
  examples: [['gomsg stream publish-batch events one two three', 'three messages']],
  specs: {
    topic: argument('the topic; created when it does not exist'),
    payloads: rest('the payloads'),
    ...messageSpecs,
  },
  async run(context, { topic, payloads, key, headers, partition }) {
    const { client, output } = context;
    for (let from = 0; from < payloads.length; from += MAX_MESSAGES_A_CALL) {
      const messages = payloads.slice(from, from + MAX_MESSAGES_A_CALL).map((payload) => ({
        payload: Buffer.from(payload),
        ...given({ key }),
        ...headerFields(headers),
      }));
      const { positions } = await client.stream.publishBatch(
        { topic, messages, ...given({ partition }) },
        context.call(),
      );
      if (output.isJson) {
        await output.jsonLines(positions.map((position) => messageToJson(StreamPositionSchema, position)));
      } else {
        await output.lines(positions.map(({ partition, offset }) => `${topic}#${partition}.${offset}`));
      }
    }
    return ExitCode.done;
  },
});

export const publishCommands: readonly AnyCommand[] = [publish, publishBatch];
