/** Messages out of queues: pop and consume, and what settles their deliveries. */

import { ErrorReason, GomsgError } from '@gomsg/client/errors';
import {
  MessageState,
  type QueueDelivery,
  QueueDeliverySchema,
  QueueService,
  QueueServiceExtendResponseSchema,
  QueueServiceNackResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { count, duration, integer, text } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, flag, option, rest } from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanEnum, humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { durationField, given } from '../call-fields.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const { method } = QueueService;

const noAck = flag(
  'do not acknowledge: show the delivery id, a tab and the payload; then ack, nack or extend it',
);
const lease = option(duration, "how long the deliveries are leased; the queue's setting unless given");

export const pop = command({
  name: 'pop',
  summary: 'Take a message: show its payload and acknowledge it.',
  description:
    'It is acknowledged once it is written out; when that fails it comes again after its lease. Into a pipe or file a single message is written as its exact bytes, several a line each. Exits 1 when none is ready.',
  rpcs: [method.pop],
  examples: [
    ['gomsg queue pop jobs --wait 30s', 'waits for a message'],
    ['gomsg queue pop jobs --no-ack', 'keeps the lease; "gomsg queue ack ID" settles it'],
  ],
  specs: {
    queue: argument('the queue; created when it does not exist'),
    maxMessages: option(integer({ min: 1, max: 1_000 }), 'take up to this many', { short: 'n' }),
    wait: option(duration, 'wait this long when none is ready, up to 10m'),
    lease,
    noAck,
  },
  async run(context, { queue, maxMessages, wait, lease, noAck }) {
    const { client, output } = context;
    const { deliveries } = await client.queue.pop(
      { queue, ...given({ maxMessages }), ...durationField('wait', wait), ...durationField('lease', lease) },
      context.call(wait),
    );
    if (deliveries.length === 0) {
      output.note(`no message is ready in ${queue}`);
      return ExitCode.no;
    }
    const single = (maxMessages ?? 1) === 1;
    await settleAfter(context, deliveries, noAck, () => show(context, deliveries, { noAck, single }));
    return ExitCode.done;
  },
});

export const consume = command({
  name: 'consume',
  aliases: ['sub'],
  summary: 'Take messages as they come, a line each, until Ctrl-C.',
  description:
    'Each is acknowledged once it is written out. With --no-ack they stay leased while the command runs, and are ready again when it ends.',
  rpcs: [method.consume],
  specs: {
    queue: argument('the queue; created when it does not exist'),
    credit: option(integer({ min: 1, max: 10_000 }), 'most unacknowledged messages at a time'),
    lease,
    count: option(count, 'end after this many messages', { short: 'n' }),
    noAck,
  },
  async run(context, { queue, credit, lease, count = Number.POSITIVE_INFINITY, noAck }) {
    // Never more than are wanted: what is handed out beyond them counts as a delivery that failed.
    const enough = credit ?? (count <= DEFAULT_CREDIT ? count : undefined);
    const responses = context.client.queue.consume(
      { queue, ...given({ credit: enough }), ...durationField('lease', lease) },
      context.stream(),
    );
    let left = count;
    await untilInterrupted(context.signal, responses, async ({ subscribed, deliveries }) => {
      if (subscribed) context.output.note(`consuming ${queue}; Ctrl-C ends`);
      const wanted = deliveries.slice(0, left);
      left -= wanted.length;
      await settleAfter(context, wanted, noAck, () => show(context, wanted, { noAck, single: false }));
      return left > 0;
    });
    return ExitCode.done;
  },
});

/** The server's, when the request names none. */
const DEFAULT_CREDIT = 100;

async function show(
  { output }: CommandContext,
  deliveries: readonly QueueDelivery[],
  { noAck, single }: { noAck: boolean; single: boolean },
): Promise<void> {
  if (output.isJson) {
    await output.jsonLines(deliveries.map((delivery) => messageToJson(QueueDeliverySchema, delivery)));
  } else if (single && !noAck) {
    for (const { payload } of deliveries) await output.content(payload);
  } else {
    await output.contentLines(
      deliveries,
      ({ payload }) => payload,
      ({ deliveryId }) => (noAck ? `${deliveryId}\t` : ''),
    );
  }
}

/** Acknowledges what was shown; gives back at once what could not be. */
async function settleAfter(
  context: CommandContext,
  deliveries: readonly QueueDelivery[],
  noAck: boolean,
  showAll: () => Promise<void>,
): Promise<void> {
  const { queue } = context.client;
  // What was shown is settled even when Ctrl-C comes meanwhile.
  const { signal: _, ...call } = context.call();
  try {
    await showAll();
  } catch (error) {
    await Promise.allSettled(deliveries.map(({ deliveryId }) => queue.nack({ deliveryId }, call)));
    throw error;
  }
  if (noAck) return;
  for (const { deliveryId } of deliveries) {
    await queue.ack({ deliveryId }, call).catch((error: unknown) => {
      if (!(error instanceof GomsgError && error.reason === ErrorReason.DELIVERY_NOT_FOUND)) throw error;
      context.output.warn(
        `gomsg: the lease of ${deliveryId} ran out before it was acknowledged: it comes again`,
      );
    });
  }
}

export const ack = command({
  name: 'ack',
  summary: 'Settle deliveries: their messages are done.',
  description: 'Exits 1 when one was settled already or its lease ran out.',
  rpcs: [method.ack],
  specs: { deliveryId: rest('ids of deliveries, as pop --no-ack shows them') },
  async run(context, { deliveryId: ids }) {
    for (const deliveryId of ids) {
      await context.client.queue.ack({ deliveryId }, context.call());
      if (context.output.isJson) await context.output.json({ deliveryId });
    }
    if (!context.output.isJson) await context.output.line('OK');
    return ExitCode.done;
  },
});

export const nack = command({
  name: 'nack',
  summary: 'Give a delivery back: its message comes again, or is dead; shows where it went.',
  rpcs: [method.nack],
  specs: {
    deliveryId: argument('id of the delivery'),
    delay: option(duration, "how long until it can be taken again; the queue's retry backoff unless given"),
    deadLetter: flag('make the message dead instead'),
    error: option(text('text'), 'why; shown by peek --state dead'),
  },
  async run(context, { deliveryId, delay, deadLetter, error }) {
    const answer = await context.client.queue.nack(
      { deliveryId, ...durationField('delay', delay), deadLetter, ...given({ error }) },
      context.call(),
    );
    await context.output.answer(QueueServiceNackResponseSchema, answer, () =>
      humanEnum(MessageState, answer.state),
    );
    return ExitCode.done;
  },
});

export const extend = command({
  name: 'extend',
  summary: 'Set the end of a lease, counted from now.',
  rpcs: [method.extend],
  specs: {
    deliveryId: argument('id of the delivery'),
    lease: option(duration, "how long from now; the queue's setting unless given"),
  },
  async run(context, { deliveryId, lease }) {
    const answer = await context.client.queue.extend(
      { deliveryId, ...durationField('lease', lease) },
      context.call(),
    );
    await context.output.answer(
      QueueServiceExtendResponseSchema,
      answer,
      () => `lease ends ${humanTime(answer.leaseExpiresAt)}`,
    );
    return ExitCode.done;
  },
});

export const takeCommands: readonly AnyCommand[] = [pop, consume, ack, nack, extend];
