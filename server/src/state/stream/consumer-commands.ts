/** The commands about consumers and groups: Ack, Seek, and the joining and leaving of members. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { JoinConsumer, LeaveConsumer } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  StreamAssignmentSchema,
  type StreamServiceAckRequest,
  type StreamServiceSeekRequest,
  StreamServiceSeekResponseSchema,
  StreamStartSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import type { StateStore } from '../machine.ts';
import type { Appender } from './appender.ts';
import { type Consumer, type Member, NO_OFFSET, partitionsOf } from './consumer.ts';
import {
  consumerNotFound,
  malformed,
  memberFenced,
  offsetOutOfRange,
  partitionNotFound,
  tooManyCommittedOffsets,
  tooManyMembers,
  topicNotFound,
} from './failures.ts';
import { MAX_COMMITTED_OFFSETS, MAX_MEMBERS } from './limits.ts';
import type { StreamListener } from './listener.ts';
import { toSafeNumber } from './numbers.ts';
import { ackResponse } from './responses.ts';
import { emptyPartition, startOffsetIn } from './start-position.ts';
import { defaultTopicSettings, Topic } from './topic.ts';
import { openTopic } from './topic-commands.ts';
import type { TopicTable } from './topic-table.ts';

/** What LeaveConsumer answers: it has nothing to say. */
const nothing = new Uint8Array();

/** Partition and offset. */
interface Place {
  readonly partition: number;
  readonly offset: number;
}

export class ConsumerCommands {
  readonly #store: StateStore;
  readonly #table: TopicTable;
  readonly #appender: Appender;

  constructor(store: StateStore, table: TopicTable, appender: Appender) {
    this.#store = store;
    this.#table = table;
    this.#appender = appender;
  }

  ack(request: StreamServiceAckRequest, listener: StreamListener | undefined): Outcome {
    const { consumer: name, partition: number, memberId } = request;
    const topic = this.#table.get(request.topic);
    if (!topic) return topicNotFound(request.topic);
    const partition = topic.partitions[number];
    if (!partition) return partitionNotFound(topic.name, number, topic.partitions.length);
    const consumer = topic.consumers.get(name);
    if (!consumer) return consumerNotFound(topic.name, name);
    if (memberId !== '' && consumer.owners[number] !== memberId) {
      return memberFenced(topic.name, name, memberId, number);
    }
    const offset = toSafeNumber(request.offset);
    if (offset >= partition.endOffset) return offsetOutOfRange(topic.name, partition, offset);
    if (offset >= consumer.offsets[number]!) {
      consumer.offsets[number] = offset + 1;
      this.#table.touchConsumer(topic, consumer);
      listener?.committed(topic.id, name, number);
    }
    return ackResponse(Math.max(consumer.offsets[number]!, partition.startOffset));
  }

  seek(request: StreamServiceSeekRequest, stamp_ms: number, listener: StreamListener | undefined): Outcome {
    const { consumer: name, position, partition: only } = request;
    if (position?.position.case === undefined) return malformed('position is required');
    const known = this.#table.get(request.topic);
    const count = known?.partitions.length ?? defaultTopicSettings.partitions;
    if (only !== undefined && only >= count) return partitionNotFound(request.topic, only, count);
    const numbers = only === undefined ? range(count) : [only];
    const places = this.#places(request.topic, known, numbers, (partition) =>
      startOffsetIn(this.#store, request.topic, partition, position, 'earliest'),
    );
    if (!Array.isArray(places)) return places;

    const topic = known ?? openTopic(this.#table, request.topic, stamp_ms);
    if (!(topic instanceof Topic)) return topic;
    const consumer = this.#open(topic, name);
    if ('reason' in consumer) return consumer;
    for (const { partition, offset } of places) {
      consumer.offsets[partition] = offset;
      listener?.moved(topic.id, name, partition);
    }
    this.#table.touchConsumer(topic, consumer);
    return toBinary(
      StreamServiceSeekResponseSchema,
      create(StreamServiceSeekResponseSchema, { positions: places.map(positionMessage) }),
    );
  }

  /** Answers with the member's StreamAssignment. Joining again under the same id changes nothing. */
  join(request: JoinConsumer, stamp_ms: number, listener: StreamListener | undefined): Outcome {
    const { consumer: name, memberId: id, group } = request;
    const known = this.#table.get(request.topic);
    const existing = known?.consumers.get(name);
    if (known && existing?.hasMember(id)) return assignmentMessage(known, existing, id);
    const wanted = request.partitions.length === 0 ? undefined : ascending(request.partitions);
    const refusal = joinRefusal(request, known, existing, wanted);
    if (refusal) return refusal;

    // Every partition that the member reads gets a committed offset now, so that the place it begins at is known from
    // here on, whatever is published or removed before its first acknowledgement.
    const count = known?.partitions.length ?? defaultTopicSettings.partitions;
    const open = (wanted ?? range(count)).filter((n) => (existing?.offsets[n] ?? NO_OFFSET) === NO_OFFSET);
    const start = request.start.length === 0 ? undefined : fromBinary(StreamStartSchema, request.start);
    const places = this.#places(request.topic, known, open, (partition) =>
      startOffsetIn(this.#store, request.topic, partition, start, 'earliest'),
    );
    if (!Array.isArray(places)) return places;

    const topic = known ?? openTopic(this.#table, request.topic, stamp_ms);
    if (!(topic instanceof Topic)) return topic;
    const consumer = this.#open(topic, name);
    if ('reason' in consumer) return consumer;
    for (const { partition, offset } of places) consumer.offsets[partition] = offset;
    const member: Member = { id, partitions: wanted };
    consumer.group = group;
    consumer.members = group ? [...consumer.members, member] : [member];
    this.#assign(topic, consumer, listener);
    return assignmentMessage(topic, consumer, id);
  }

  leave(request: LeaveConsumer, listener: StreamListener | undefined): Outcome {
    const topic = this.#table.get(request.topic);
    const consumer = topic?.consumers.get(request.consumer);
    if (!topic || !consumer?.hasMember(request.memberId)) return nothing;
    consumer.members = consumer.members.filter((member) => member.id !== request.memberId);
    this.#assign(topic, consumer, listener);
    return nothing;
  }

  #assign(topic: Topic, consumer: Consumer, listener: StreamListener | undefined): void {
    consumer.assign();
    this.#table.touchConsumer(topic, consumer);
    listener?.assigned(topic.id, consumer.name);
  }

  /** The offset of every one of the partitions, or the first failure. The entry's own messages count. */
  #places(
    name: string,
    topic: Topic | undefined,
    numbers: readonly number[],
    offsetIn: (partition: Topic['partitions'][number] | typeof emptyPartition) => number | Failure,
  ): Place[] | Failure {
    const places: Place[] = [];
    for (const number of numbers) {
      const partition = topic?.partitions[number];
      if (topic && !partition) return partitionNotFound(name, number, topic.partitions.length);
      if (partition) this.#appender.flush(partition);
      const offset = offsetIn(partition ?? emptyPartition);
      if (typeof offset !== 'number') return offset;
      places.push({ partition: number, offset });
    }
    return places;
  }

  #open(topic: Topic, name: string): Consumer | Failure {
    const existing = topic.consumers.get(name);
    if (existing) return existing;
    if (this.#table.committedOffsets + topic.partitions.length > MAX_COMMITTED_OFFSETS) {
      return tooManyCommittedOffsets(topic.name);
    }
    return this.#table.createConsumer(topic, name);
  }
}

/** Why a subscription cannot join; undefined when it can. */
function joinRefusal(
  request: JoinConsumer,
  topic: Topic | undefined,
  consumer: Consumer | undefined,
  wanted: readonly number[] | undefined,
): Failure | undefined {
  const count = topic?.partitions.length ?? defaultTopicSettings.partitions;
  const last = wanted?.at(-1);
  if (last !== undefined && last >= count) return partitionNotFound(request.topic, last, count);
  if (consumer === undefined || consumer.members.length === 0) return undefined;
  if (consumer.group !== request.group) {
    const [is, asked] = consumer.group ? ['group', 'consumer'] : ['consumer', 'group'];
    return {
      reason: ErrorReason.INVALID_SETTINGS,
      subject: request.consumer,
      message: `${request.consumer} is a ${is} with open subscriptions, so no ${asked} can have its name`,
    };
  }
  if (request.group && consumer.members.length >= MAX_MEMBERS) return tooManyMembers(request.consumer);
  return undefined;
}

function assignmentMessage(topic: Topic, consumer: Consumer, memberId: string): Uint8Array {
  const positions = partitionsOf(consumer, memberId).map((partition) =>
    positionMessage({
      partition,
      offset: Math.max(consumer.offsets[partition]!, topic.partitions[partition]!.startOffset),
    }),
  );
  return toBinary(
    StreamAssignmentSchema,
    create(StreamAssignmentSchema, { generation: BigInt(consumer.generation), positions }),
  );
}

function positionMessage({ partition, offset }: Place) {
  return { partition, offset: BigInt(offset) };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function ascending(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
