/** Queues as such: create, configure, list, stats, purge, delete, redrive. */
import {
  QueueService,
  QueueServiceDeleteResponseSchema,
  QueueServicePurgeResponseSchema,
  QueueServiceRedriveResponseSchema,
  type QueueSettings,
  QueueSettingsSchema,
  type QueueStats,
  QueueStatsSchema,
} from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import { count, duration, integer, size, uint32 } from '../../arguments/kinds.ts';
import {
  type AnyCommand,
  argument,
  command,
  option,
  optionalArgument,
  type Values,
} from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanBytes, humanCount, humanDuration, humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { facts, table } from '../../output/table.ts';
import { durationField, given, limit, pageLimit, pageSize, pages } from '../call-fields.ts';
import { messageState } from './states.ts';

const { method } = QueueService;

/** Most queues in one answer, by the contract. */
const MAX_QUEUES_A_PAGE = 1_000;

const settingSpecs = {
  lease: option(duration, 'how long a delivery is leased when the consumer does not say (30s)'),
  maxDeliveries: option(uint32, 'deliveries after which a message is dead; 0 = no limit (16)'),
  retryBackoff: option(duration, 'delay before the first retry; doubles with each further one (none)'),
  retryBackoffMax: option(duration, 'longest delay before a retry (5m)'),
  messageTtl: option(duration, 'how long a message may wait to be handed out; 0 = for ever (0)'),
  deadLetterTtl: option(duration, 'how long a dead message is kept; 0 = for ever (14d)'),
  maxMessages: option(integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), 'most messages; 0 = no limit (0)'),
  maxBytes: option(size, 'most payload bytes; 0 = no limit (0)'),
  dedupWindow: option(duration, 'how long a dedup id is remembered; 0 = not at all (5m)'),
};

function settingsOf(values: Values<typeof settingSpecs>) {
  return {
    ...durationField('lease', values.lease),
    ...durationField('retryBackoff', values.retryBackoff),
    ...durationField('retryBackoffMax', values.retryBackoffMax),
    ...durationField('messageTtl', values.messageTtl),
    ...durationField('deadLetterTtl', values.deadLetterTtl),
    ...durationField('dedupWindow', values.dedupWindow),
    ...given({
      maxDeliveries: values.maxDeliveries,
      maxMessages: values.maxMessages === undefined ? undefined : BigInt(values.maxMessages),
      maxBytes: values.maxBytes === undefined ? undefined : BigInt(values.maxBytes),
    }),
  };
}

const settingsFill = { settings: 'from the options, one for each setting' };

export const create = command({
  name: 'create',
  summary: 'Create a queue with settings of its own.',
  description: 'Queues also appear by themselves, with default settings, on the first push or pop.',
  rpcs: [method.create],
  fills: settingsFill,
  examples: [['gomsg queue create jobs --lease 5m --max-deliveries 5', 'five tries of five minutes']],
  specs: { queue: argument('the queue'), ...settingSpecs },
  async run(context, { queue, ...values }) {
    const { settings } = await context.client.queue.create(
      { queue, settings: settingsOf(values) },
      context.call(),
    );
    await showSettings(context.output, settings);
    return ExitCode.done;
  },
});

export const configure = command({
  name: 'configure',
  aliases: ['config'],
  summary: 'Change settings of a queue; those that are not named stay.',
  rpcs: [method.configure],
  fills: settingsFill,
  specs: { queue: argument('the queue'), ...settingSpecs },
  async run(context, { queue, ...values }) {
    const { settings } = await context.client.queue.configure(
      { queue, settings: settingsOf(values) },
      context.call(),
    );
    await showSettings(context.output, settings);
    return ExitCode.done;
  },
});

async function showSettings(
  output: Parameters<typeof create.run>[0]['output'],
  settings: QueueSettings | undefined,
) {
  if (settings === undefined) return;
  await output.answer(QueueSettingsSchema, settings, () => facts(settingsFacts(settings)));
}

function settingsFacts(settings: QueueSettings): [string, string][] {
  return [
    ['lease', humanDuration(settings.lease)],
    ['max deliveries', settings.maxDeliveries ? humanCount(settings.maxDeliveries) : 'no limit'],
    ['retry backoff', orZero(humanDuration(settings.retryBackoff), 'none')],
    ['retry backoff max', humanDuration(settings.retryBackoffMax)],
    ['message ttl', orZero(humanDuration(settings.messageTtl), 'for ever')],
    ['dead letter ttl', orZero(humanDuration(settings.deadLetterTtl), 'for ever')],
    ['max messages', settings.maxMessages ? humanCount(settings.maxMessages) : 'no limit'],
    ['max bytes', settings.maxBytes ? humanBytes(settings.maxBytes) : 'no limit'],
    ['dedup window', orZero(humanDuration(settings.dedupWindow), 'off')],
  ];
}

function orZero(shown: string, zero: string): string {
  return shown === '0 ms' || shown === '-' ? zero : shown;
}

export const stats = command({
  name: 'stats',
  aliases: ['info'],
  summary: 'Show the figures and settings of a queue.',
  rpcs: [method.stats],
  specs: { queue: argument('the queue') },
  async run(context, { queue }) {
    const { stats } = await context.client.queue.stats({ queue }, context.call());
    if (stats === undefined) return ExitCode.failed;
    await context.output.answer(QueueStatsSchema, stats, () =>
      facts([...statsFacts(stats), ...(stats.settings === undefined ? [] : settingsFacts(stats.settings))]),
    );
    return ExitCode.done;
  },
});

function statsFacts(stats: QueueStats): [string, string][] {
  return [
    ['queue', stats.queue],
    ['messages', humanCount(stats.size)],
    ['ready', humanCount(stats.ready)],
    ['delayed', humanCount(stats.delayed)],
    ['in flight', humanCount(stats.inFlight)],
    ['dead', humanCount(stats.dead)],
    ['size', humanBytes(stats.bytes)],
    ['oldest ready', humanDuration(stats.oldestReadyAge)],
    ['consumers', humanCount(stats.consumers)],
    ['pushed', humanCount(stats.pushedTotal)],
    ['delivered', humanCount(stats.deliveredTotal)],
    ['acked', humanCount(stats.ackedTotal)],
    ['returned', humanCount(stats.returnedTotal)],
    ['died', humanCount(stats.deadTotal)],
    ['expired', humanCount(stats.expiredTotal)],
    ['created', humanTime(stats.createdAt)],
  ];
}

export const list = command({
  name: 'list',
  aliases: ['ls'],
  summary: 'List the queues with their figures.',
  rpcs: [method.list],
  fills: { cursor: 'page after page' },
  specs: { prefix: optionalArgument('only names that begin with this'), limit, pageSize },
  async run(context, { prefix, limit, pageSize }) {
    const { client, output } = context;
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_QUEUES_A_PAGE), cursor };
      const { queues, nextCursor } = await client.queue.list(
        { ...given({ prefix }), ...page },
        context.call(),
      );
      return { items: queues, nextCursor };
    }, limit);
    for await (const queues of listing) {
      if (output.isJson)
        await output.jsonLines(queues.map((stats) => messageToJson(QueueStatsSchema, stats)));
      else if (queues.length > 0) await output.table(table(listColumns, queues));
    }
    return ExitCode.done;
  },
});

const listColumns = [
  { title: 'QUEUE', cell: (stats: QueueStats) => stats.queue },
  { title: 'READY', align: 'right', cell: (stats: QueueStats) => humanCount(stats.ready) },
  { title: 'DELAYED', align: 'right', cell: (stats: QueueStats) => humanCount(stats.delayed) },
  { title: 'IN FLIGHT', align: 'right', cell: (stats: QueueStats) => humanCount(stats.inFlight) },
  { title: 'DEAD', align: 'right', cell: (stats: QueueStats) => humanCount(stats.dead) },
  { title: 'SIZE', align: 'right', cell: (stats: QueueStats) => humanBytes(stats.bytes) },
  { title: 'CONSUMERS', align: 'right', cell: (stats: QueueStats) => humanCount(stats.consumers) },
  { title: 'OLDEST', align: 'right', cell: (stats: QueueStats) => humanDuration(stats.oldestReadyAge) },
] as const;

export const purge = command({
  name: 'purge',
  summary: 'Remove the messages of a queue, of one state or all; shows how many.',
  rpcs: [method.purge],
  specs: { queue: argument('the queue'), state: option(messageState, 'only messages of this state') },
  async run(context, { queue, state }) {
    const answer = await context.client.queue.purge({ queue, ...given({ state }) }, context.call());
    await context.output.answer(QueueServicePurgeResponseSchema, answer, () => String(answer.purged));
    return ExitCode.done;
  },
});

export const del = command({
  name: 'delete',
  aliases: ['del', 'rm'],
  summary: 'Remove a queue with its messages and settings.',
  description: 'Exits 1 when there was no such queue.',
  rpcs: [method.delete],
  specs: { queue: argument('the queue') },
  async run(context, { queue }) {
    const answer = await context.client.queue.delete({ queue }, context.call());
    await context.output.answer(QueueServiceDeleteResponseSchema, answer, () =>
      answer.deleted ? 'OK' : 'there was no such queue',
    );
    return answer.deleted ? ExitCode.done : ExitCode.no;
  },
});

export const redrive = command({
  name: 'redrive',
  summary: 'Make dead messages ready again, oldest first; shows how many.',
  rpcs: [method.redrive],
  specs: { queue: argument('the queue'), limit: option(count, 'at most this many', { short: 'n' }) },
  async run(context, { queue, limit }) {
    const answer = await context.client.queue.redrive({ queue, ...given({ limit }) }, context.call());
    await context.output.answer(QueueServiceRedriveResponseSchema, answer, () => String(answer.redriven));
    return ExitCode.done;
  },
});

export const settingsCommands: readonly AnyCommand[] = [create, configure, list, stats, purge, redrive, del];
