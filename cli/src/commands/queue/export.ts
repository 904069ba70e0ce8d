/** Messages of a queue into files: a copy, or the messages themselves. */

import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  MessageState,
  type PeekedMessage,
  PeekedMessageSchema,
  type QueueDelivery,
  QueueDeliverySchema,
} from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { argument, command, flag, options } from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { humanEnum } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { type ExportJob, exportSpecs, runExport } from '../../transfer/export.ts';
import { STANDARD_STREAM } from '../content-source.ts';
import { ackAll } from './ack-all.ts';
import { MAX_PEEKED_A_PAGE } from './peek.ts';
import { messageState } from './states.ts';

/** Messages that a queue still hands out, or will. */
const LIVE_STATES: readonly MessageState[] = [
  MessageState.READY,
  MessageState.DELAYED,
  MessageState.IN_FLIGHT,
];

const MAX_POPPED_A_PAGE = 1_000;

/** Longer than any page takes to be written and acknowledged. */
const DRAIN_LEASE_MS = 60_000;

export const exportMessages = command({
  name: 'export',
  summary: 'Write the messages of a queue to a file, or with --drain move them there.',
  description:
    'Fields: payload (payloadBase64 where it is no text), headers, priority, state, messageId, deliveries, pushedAt and, by the state, dueAt and error. "gomsg queue import" reads them back. Without --drain nothing is taken; messages that others take meanwhile may be missing. --drain takes ready messages, appends them to the file, and acknowledges them once they are on disk: one that is interrupted leaves nothing out, and may have written its last messages twice.',
  rpcs: [],
  examples: [
    ['gomsg queue export jobs jobs.ndjson', 'a copy'],
    ['gomsg queue export jobs dead.ndjson --state dead', 'the dead ones, with why they died'],
    ['gomsg queue export jobs jobs.ndjson --drain', 'moves the ready ones'],
  ],
  specs: {
    queue: argument('the queue'),
    ...exportSpecs,
    state: options(
      messageState,
      'only messages of this state; may be given several times; all but dead unless given',
    ),
    drain: flag('take the ready messages'),
  },
  run(context, { queue, state, drain, ...values }) {
    if (!drain)
      return runExport(context, values, copyJob(context, queue, state.length === 0 ? LIVE_STATES : state));
    if (state.length > 0) throw new UsageError('--drain takes ready messages; it excludes --state');
    if (values.file === STANDARD_STREAM) {
      throw new UsageError('--drain needs a file', 'Into a pipe there is "gomsg queue consume".');
    }
    return runExport(context, values, drainJob(context, queue));
  },
});

function copyJob(
  context: CommandContext,
  queue: string,
  states: readonly MessageState[],
): ExportJob<PeekedMessage> {
  const { client } = context;
  return {
    columns: [
      'payload',
      'payloadBase64',
      'headers',
      'priority',
      'state',
      'messageId',
      'deliveries',
      'pushedAt',
      'dueAt',
      'deliveryId',
      'error',
    ],
    async *pages(retrying) {
      for (const state of states) {
        let cursor: Uint8Array = new Uint8Array(0);
        do {
          const page = await retrying(() =>
            client.queue.peek({ queue, state, cursor, limit: MAX_PEEKED_A_PAGE }, context.call()),
          );
          yield page.messages;
          cursor = page.nextCursor;
        } while (cursor.length > 0);
      }
    },
    toRecord: (message) => ({
      ...messageToJson(PeekedMessageSchema, message),
      state: humanEnum(MessageState, message.state).replace(' ', '-'),
    }),
    content: ({ payload }) => payload,
    name: ({ messageId }) => `message ${messageId}`,
    async total() {
      const { stats } = await client.queue.stats({ queue }, context.call());
      if (stats === undefined) return undefined;
      const counts = {
        [MessageState.UNSPECIFIED]: 0n,
        [MessageState.READY]: stats.ready,
        [MessageState.DELAYED]: stats.delayed,
        [MessageState.IN_FLIGHT]: stats.inFlight,
        [MessageState.DEAD]: stats.dead,
      };
      return Number(states.reduce((sum, state) => sum + counts[state], 0n));
    },
  };
}

function drainJob(context: CommandContext, queue: string): ExportJob<QueueDelivery> {
  const { client } = context;
  return {
    columns: ['payload', 'payloadBase64', 'headers', 'priority', 'messageId', 'pushedAt'],
    async *pages(retrying) {
      for (;;) {
        // Not in a session: a pop whose answer was lost is repeated, and its messages come again after their lease.
        const { deliveries } = await retrying(() =>
          client.queue.pop(
            { queue, maxMessages: MAX_POPPED_A_PAGE, lease: durationFromMs(DRAIN_LEASE_MS) },
            context.call(),
          ),
        );
        if (deliveries.length === 0) return;
        yield deliveries;
      }
    },
    toRecord: (delivery) => {
      const {
        deliveryId: _id,
        queue: _queue,
        leaseExpiresAt: _lease,
        attempt: _attempt,
        ...record
      } = messageToJson(QueueDeliverySchema, delivery);
      return record;
    },
    content: ({ payload }) => payload,
    name: ({ messageId }) => `message ${messageId}`,
    async total() {
      const { stats } = await client.queue.stats({ queue }, context.call());
      return Number(stats?.ready ?? 0n);
    },
    async written(deliveries) {
      const lost = await ackAll(
        context,
        deliveries.map(({ deliveryId }) => deliveryId),
      );
      if (lost > 0)
        context.output.warn(`gomsg: ${lost} messages were not acknowledged in time: they come again`);
    },
  };
}
