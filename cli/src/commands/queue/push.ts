/** Messages into queues. */
import { QueueService, QueueServicePushResponseSchema } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { duration, integer, text } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, option, rest } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { durationField, given, headerFields, headers } from '../call-fields.ts';
import { contentArgument, contentFile, readContent } from '../content-source.ts';

const { method } = QueueService;

/** Most messages in one call, by the contract. */
const MAX_MESSAGES_A_CALL = 10_000;

const messageSpecs = {
  delay: option(duration, 'how long until it can be taken'),
  priority: option(integer({ min: 0, max: 255 }), '0 to 255; higher is handed out earlier'),
  headers,
};

export const push = command({
  name: 'push',
  summary: 'Add a message to a queue; shows its id.',
  rpcs: [method.push],
  examples: [
    ['gomsg queue push jobs "backup database"', 'a message'],
    ['gomsg queue push jobs --file job.json --delay 2h', 'a file, two hours from now'],
  ],
  specs: {
    queue: argument('the queue; created when it does not exist'),
    payload: contentArgument('payload'),
    file: contentFile('payload'),
    ...messageSpecs,
    dedupId: option(text('id'), 'not added again when this id was pushed within the dedup window'),
  },
  async run(context, { queue, payload, file, delay, priority, headers, dedupId }) {
    const answer = await context.client.queue.push(
      {
        queue,
        payload: await readContent(context, 'payload', payload, file),
        ...durationField('delay', delay),
        ...given({ priority, dedupId }),
        ...headerFields(headers),
      },
      context.call(),
    );
    await context.output.answer(QueueServicePushResponseSchema, answer, () => answer.messageId);
    return ExitCode.done;
  },
});

export const pushBatch = command({
  name: 'push-batch',
  summary: 'Add several messages to a queue, all or none of each 10,000; shows their ids.',
  description: 'For messages from a file there is "gomsg queue import".',
  rpcs: [method.pushBatch],
  fills: { messages: 'from the arguments, one for each message' },
  examples: [['gomsg queue push-batch jobs one two three', 'three messages']],
  specs: {
    queue: argument('the queue; created when it does not exist'),
    payloads: rest('the payloads'),
    ...messageSpecs,
  },
  async run(context, { queue, payloads, delay, priority, headers }) {
    const { client, output } = context;
    for (let from = 0; from < payloads.length; from += MAX_MESSAGES_A_CALL) {
      const messages = payloads.slice(from, from + MAX_MESSAGES_A_CALL).map((payload) => ({
        payload: Buffer.from(payload),
        ...durationField('delay', delay),
        ...given({ priority }),
        ...headerFields(headers),
      }));
      const { messageIds } = await client.queue.pushBatch({ queue, messages }, context.call());
      if (output.isJson) await output.jsonLines(messageIds.map((messageId) => ({ messageId })));
      else await output.lines(messageIds);
    }
    return ExitCode.done;
  },
});

export const pushCommands: readonly AnyCommand[] = [push, pushBatch];
