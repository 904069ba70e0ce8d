/** Describes a topic as Info and List answer it. */
import { create } from '@bufbuild/protobuf';
import {
  type ConsumerInfo,
  ConsumerInfoSchema,
  type TopicInfo,
  TopicInfoSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import { msToDuration, msToTimestamp } from '../../state/durations.ts';
import { type ConsumerView, NO_OFFSET, partitionsOf } from '../../state/stream/consumer.ts';
import { settingsMessage } from '../../state/stream/settings.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import type { TopicView } from '../../state/stream/topic.ts';

/** The topic without its consumers. */
export function topicInfo(topic: TopicView, leaderNodeId: string): TopicInfo {
  let messages = 0;
  let bytes = 0;
  for (const partition of topic.partitions) {
    messages += partition.endOffset - partition.startOffset;
    bytes += partition.bytes;
  }
  return create(TopicInfoSchema, {
    topic: topic.name,
    settings: settingsMessage(topic.settings),
    partitions: topic.partitions.map((partition) => ({
      partition: partition.number,
      startOffset: BigInt(partition.startOffset),
      endOffset: BigInt(partition.endOffset),
      bytes: BigInt(partition.bytes),
      leaderNodeId,
    })),
    messages: BigInt(messages),
    bytes: BigInt(bytes),
    createdAt: msToTimestamp(topic.createdAt_ms),
  });
}

/** The consumers and groups of a topic, by name. */
export function consumerInfos(machine: StreamMachine, topic: TopicView, now_ms: number): ConsumerInfo[] {
  return [...topic.consumers.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((consumer) => consumerInfo(machine, topic, consumer, now_ms));
}

function consumerInfo(
  machine: StreamMachine,
  topic: TopicView,
  consumer: ConsumerView,
  now_ms: number,
): ConsumerInfo {
  let lag = 0;
  let oldest_ms: number | undefined;
  const offsets = [];
  for (const partition of topic.partitions) {
    const committed = consumer.offsets[partition.number] ?? NO_OFFSET;
    if (committed === NO_OFFSET) continue;
    const offset = Math.max(committed, partition.startOffset);
    const behind = partition.endOffset - offset;
    offsets.push({ partition: partition.number, offset: BigInt(offset), lag: BigInt(behind) });
    if (behind === 0) continue;
    lag += behind;
    const published_ms = machine.publishedAt_ms(partition, offset);
    oldest_ms = Math.min(oldest_ms ?? published_ms, published_ms);
  }
  return create(ConsumerInfoSchema, {
    name: consumer.name,
    group: consumer.group,
    members: consumer.members.map(({ id }) => ({
      memberId: id,
      partitions: partitionsOf(consumer, id),
    })),
    offsets,
    lag: BigInt(lag),
    ...(oldest_ms !== undefined && { lagTime: msToDuration(Math.max(0, now_ms - oldest_ms)) }),
  });
}
