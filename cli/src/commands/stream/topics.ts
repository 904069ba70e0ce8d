/** Topics as such: create, configure, list, info, purge, delete. */
import {
  type ConsumerInfo,
  type PartitionInfo,
  StreamService,
  StreamServiceDeleteResponseSchema,
  StreamServicePurgeResponseSchema,
  type TopicInfo,
  TopicInfoSchema,
  type TopicSettings,
  TopicSettingsSchema,
} from '@gomsg/client/gen/gomsg/v1/stream_pb.js';
import { duration, integer, size, uint32, uint64 } from '../../arguments/kinds.ts';
import {
  type AnyCommand,
  argument,
  command,
  option,
  optionalArgument,
  type Values,
} from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanBytes, humanCount, humanDuration, humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { facts, table } from '../../output/table.ts';
import { durationField, given, limit, pageLimit, pageSize, pages } from '../call-fields.ts';

const { method } = StreamService;

/** Most topics in one answer, by the contract. */
const MAX_TOPICS_A_PAGE = 1_000;

const settingSpecs = {
  partitions: option(integer({ min: 1, max: 1024 }), 'number of partitions; can grow, never shrink (1)'),
  retentionAge: option(duration, 'how long messages are kept; 0 = for ever (7d)'),
  retentionBytes: option(size, 'bytes kept a partition; 0 = no limit (0)'),
  retentionMessages: option(
    integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    'messages kept a partition; 0 = no limit (0)',
  ),
};

function settingsOf(values: Values<typeof settingSpecs>) {
  return {
    ...durationField('retentionAge', values.retentionAge),
    ...given({
      partitions: values.partitions,
      retentionBytes: values.retentionBytes === undefined ? undefined : BigInt(values.retentionBytes),
      retentionMessages:
        values.retentionMessages === undefined ? undefined : BigInt(values.retentionMessages),
    }),
  };
}

const settingsFill = { settings: 'from the options, one for each setting' };

export const create = command({
  name: 'create',
  summary: 'Create a topic with settings of its own.',
  description: 'Topics also appear by themselves, with default settings, on the first publish or subscribe.',
  rpcs: [method.create],
  fills: settingsFill,
  examples: [
    ['gomsg stream create events --partitions 8 --retention-age 30d', 'eight partitions, kept a month'],
  ],
  specs: { topic: argument('the topic'), ...settingSpecs },
  async run(context, { topic, ...values }) {
    const { settings } = await context.client.stream.create(
      { topic, settings: settingsOf(values) },
      context.call(),
    );
    await showSettings(context, settings);
    return ExitCode.done;
  },
});

export const configure = command({
  name: 'configure',
  aliases: ['config'],
  summary: 'Change settings of a topic; those that are not named stay.',
  rpcs: [method.configure],
  fills: settingsFill,
  specs: { topic: argument('the topic'), ...settingSpecs },
  async run(context, { topic, ...values }) {
    const { settings } = await context.client.stream.configure(
      { topic, settings: settingsOf(values) },
      context.call(),
    );
    await showSettings(context, settings);
    return ExitCode.done;
  },
});

async function showSettings({ output }: CommandContext, settings: TopicSettings | undefined): Promise<void> {
  if (settings === undefined) return;
  await output.answer(TopicSettingsSchema, settings, () => facts(settingsFacts(settings)));
}

function settingsFacts(settings: TopicSettings): [string, string][] {
  const age = humanDuration(settings.retentionAge);
  return [
    ['partitions', humanCount(settings.partitions ?? 1)],
    ['retention age', age === '0 ms' || age === '-' ? 'for ever' : age],
    ['retention bytes', settings.retentionBytes ? humanBytes(settings.retentionBytes) : 'no limit'],
    ['retention messages', settings.retentionMessages ? humanCount(settings.retentionMessages) : 'no limit'],
  ];
}

export const info = command({
  name: 'info',
  aliases: ['stats'],
  summary: 'Describe a topic: settings, partitions, consumers and groups with their lag.',
  rpcs: [method.info],
  specs: { topic: argument('the topic') },
  async run(context, { topic }) {
    const { info } = await context.client.stream.info({ topic }, context.call());
    if (info === undefined) return ExitCode.failed;
    await context.output.answer(TopicInfoSchema, info, () => describe(info));
    return ExitCode.done;
  },
});

function describe(info: TopicInfo): string[] {
  return [
    ...facts([
      ['topic', info.topic],
      ['messages', humanCount(info.messages)],
      ['size', humanBytes(info.bytes)],
      ['created', humanTime(info.createdAt)],
      ...(info.settings === undefined ? [] : settingsFacts(info.settings)),
    ]),
    '',
    ...table(partitionColumns, info.partitions),
    ...(info.consumers.length === 0 ? [] : ['', ...table(consumerColumns, info.consumers)]),
  ];
}

const partitionColumns = [
  { title: 'PARTITION', align: 'right', cell: (partition: PartitionInfo) => String(partition.partition) },
  { title: 'FIRST', align: 'right', cell: (partition: PartitionInfo) => String(partition.startOffset) },
  { title: 'NEXT', align: 'right', cell: (partition: PartitionInfo) => String(partition.endOffset) },
  {
    title: 'MESSAGES',
    align: 'right',
    cell: (partition: PartitionInfo) => humanCount(partition.endOffset - partition.startOffset),
  },
  { title: 'SIZE', align: 'right', cell: (partition: PartitionInfo) => humanBytes(partition.bytes) },
  { title: 'LEADER', cell: (partition: PartitionInfo) => partition.leaderNodeId },
] as const;

const consumerColumns = [
  { title: 'CONSUMER', cell: (consumer: ConsumerInfo) => consumer.name },
  { title: 'KIND', cell: (consumer: ConsumerInfo) => (consumer.group ? 'group' : 'consumer') },
  { title: 'MEMBERS', align: 'right', cell: (consumer: ConsumerInfo) => String(consumer.members.length) },
  {
    title: 'OFFSETS',
    cell: (consumer: ConsumerInfo) =>
      consumer.offsets.map(({ partition, offset }) => `${partition}:${offset}`).join(' '),
  },
  { title: 'LAG', align: 'right', cell: (consumer: ConsumerInfo) => humanCount(consumer.lag) },
  { title: 'BEHIND', align: 'right', cell: (consumer: ConsumerInfo) => humanDuration(consumer.lagTime) },
] as const;

export const list = command({
  name: 'list',
  aliases: ['ls'],
  summary: 'List the topics.',
  rpcs: [method.list],
  fills: { cursor: 'page after page' },
  specs: { prefix: optionalArgument('only names that begin with this'), limit, pageSize },
  async run(context, { prefix, limit, pageSize }) {
    const { client, output } = context;
    const listing = pages(async (cursor, most) => {
      const page = { ...pageLimit(pageSize, most, MAX_TOPICS_A_PAGE), cursor };
      const { topics, nextCursor } = await client.stream.list(
        { ...given({ prefix }), ...page },
        context.call(),
      );
      return { items: topics, nextCursor };
    }, limit);
    for await (const topics of listing) {
      if (output.isJson) await output.jsonLines(topics.map((topic) => messageToJson(TopicInfoSchema, topic)));
      else if (topics.length > 0) await output.table(table(listColumns, topics));
    }
    return ExitCode.done;
  },
});

const listColumns = [
  { title: 'TOPIC', cell: (topic: TopicInfo) => topic.topic },
  {
    title: 'PARTITIONS',
    align: 'right',
    cell: (topic: TopicInfo) => humanCount(topic.settings?.partitions ?? topic.partitions.length),
  },
  { title: 'MESSAGES', align: 'right', cell: (topic: TopicInfo) => humanCount(topic.messages) },
  { title: 'SIZE', align: 'right', cell: (topic: TopicInfo) => humanBytes(topic.bytes) },
  { title: 'CREATED', cell: (topic: TopicInfo) => humanTime(topic.createdAt) },
] as const;

export const purge = command({
  name: 'purge',
  summary: 'Remove the stored messages of a topic; shows how many. Offsets go on from where they are.',
  rpcs: [method.purge],
  specs: {
    topic: argument('the topic'),
    beforeOffset: option(uint64, 'only messages below this offset'),
    partition: option(uint32, 'only this partition', { short: 'p' }),
  },
  async run(context, { topic, beforeOffset, partition }) {
    const answer = await context.client.stream.purge(
      { topic, ...given({ beforeOffset, partition }) },
      context.call(),
    );
    await context.output.answer(StreamServicePurgeResponseSchema, answer, () => String(answer.purged));
    return ExitCode.done;
  },
});

export const del = command({
  name: 'delete',
  aliases: ['del', 'rm'],
  summary: 'Remove a topic with its messages, consumers and settings.',
  description: 'Exits 1 when there was no such topic.',
  rpcs: [method.delete],
  specs: { topic: argument('the topic') },
  async run(context, { topic }) {
    const answer = await context.client.stream.delete({ topic }, context.call());
    await context.output.answer(StreamServiceDeleteResponseSchema, answer, () =>
      answer.deleted ? 'OK' : 'there was no such topic',
    );
    return answer.deleted ? ExitCode.done : ExitCode.no;
  },
});

export const topicCommands: readonly AnyCommand[] = [create, configure, list, info, purge, del];
