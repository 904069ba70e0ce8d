/** Messages as they come. */
import { type StreamMessage, StreamService } from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { count, integer, text, uint32 } from '../../arguments/kinds.ts';
import { argument, command, flag, option, options } from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { ExitCode } from '../../exit-codes.ts';
import { given } from '../call-fields.ts';
import { untilInterrupted } from '../until-interrupted.ts';
import { meta, showMessages } from './show.ts';
import { start } from './start.ts';

export const subscribe = command({
  name: 'subscribe',
  aliases: ['sub'],
  summary: 'Show messages as they come, a line each, until Ctrl-C.',
  description:
    'With a consumer or group, messages are acknowledged once they are written out, and a later subscription goes on behind them.',
  rpcs: [StreamService.method.subscribe],
  fills: { start: 'from --from' },
  examples: [
    ['gomsg stream subscribe events', 'what is published from now on'],
    ['gomsg stream subscribe events --from start', 'everything that is kept, and then what comes'],
    ['gomsg stream subscribe events --group workers', 'shared with the other members of the group'],
  ],
  specs: {
    topic: argument('the topic; created when it does not exist'),
    from: option(start, 'where to begin; for a consumer or group only where it has no place yet'),
    consumer: option(text('name'), 'go on from this consumer’s place, and move it'),
    group: option(text('name'), 'join this group: each message goes to one member'),
    credit: option(integer({ min: 1, max: 100_000 }), 'most unacknowledged messages at a time'),
    partitions: options(uint32, 'only this partition; may be given several times'),
    count: option(count, 'end after this many messages', { short: 'n' }),
    noAck: flag('do not acknowledge: the consumer or group keeps its place'),
    meta,
  },
  async run(context, values) {
    const {
      topic,
      from,
      consumer,
      group,
      credit,
      partitions,
      count = Number.POSITIVE_INFINITY,
      noAck,
      meta,
    } = values;
    if (consumer !== undefined && group !== undefined)
      throw new UsageError('--consumer and --group exclude each other');
    const responses = context.client.stream.subscribe(
      { topic, ...given({ start: from, consumer, group, credit }), partitions: [...partitions] },
      context.stream(),
    );
    const name = consumer ?? group;
    let memberId = '';
    let left = count;
    await untilInterrupted(context.signal, responses, async (response) => {
      if (response.subscribed) {
        memberId = response.memberId;
        context.output.note(`subscribed to ${topic}; Ctrl-C ends`);
      }
      const messages = response.messages.slice(0, left);
      left -= messages.length;
      await showMessages(context.output, topic, messages, meta);
      if (name !== undefined && !noAck)
        await acknowledge(context, { topic, consumer: name, memberId }, messages);
      return left > 0;
    });
    return ExitCode.done;
  },
});

/** One Ack a partition: it settles everything up to the offset. */
async function acknowledge(
  context: CommandContext,
  place: { topic: string; consumer: string; memberId: string },
  messages: readonly StreamMessage[],
): Promise<void> {
  // What was shown is settled even when Ctrl-C comes meanwhile.
  const { signal: _, ...call } = context.call();
  const newest = new Map(messages.map(({ partition, offset }) => [partition, offset]));
  for (const [partition, offset] of newest) {
    await context.client.stream.ack({ ...place, partition, offset }, call);
  }
}
