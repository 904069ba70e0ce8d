/**
 * The stream machine of a group: topics, their partitions and messages, consumers and groups.
 *
 * Topics and consumers live in memory and are written down at `save`; messages go to the store entry by entry, one row
 * a partition, encoded as they will be answered (`layout.ts`, `pending-row.ts`). So a publish costs a copy of its bytes,
 * and a read hands out rows.
 *
 * A topic lives whole in the group of its name. Nothing here needs that: offsets, rows, retention and committed offsets
 * are per partition, and only the turn of keyless messages and the sharing out of a group look at all partitions.
 */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { JoinConsumerSchema, LeaveConsumerSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  StreamServiceAckRequestSchema,
  StreamServiceConfigureRequestSchema,
  StreamServiceCreateRequestSchema,
  StreamServiceDeleteRequestSchema,
  StreamServicePurgeRequestSchema,
  StreamServiceSeekRequestSchema,
  type StreamStart,
} from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import { guarded, type ReportBug } from '../guarded-listener.ts';
import { internalMethod } from '../internal-methods.ts';
import type { ApplyContext, Command, Machine, StateStore } from '../machine.ts';
import { Appender } from './appender.ts';
import { ConsumerCommands } from './consumer-commands.ts';
import { StreamLayout } from './layout.ts';
import type { StreamListener } from './listener.ts';
import { type MergeCursor, readMerged } from './merged-read.ts';
import { streamMethod } from './method-numbers.ts';
import { type MessageChunks, PartitionReader } from './partition-reader.ts';
import { Publishing } from './publishing.ts';
import { Retention } from './retention.ts';
import { offsetAtTime, rowAt } from './rows.ts';
import { type DefaultStart, startOffsetIn } from './start-position.ts';
import type { Partition, PartitionView, TopicView } from './topic.ts';
import { TopicCommands } from './topic-commands.ts';
import { TopicTable } from './topic-table.ts';

const STREAM_LISTENER_METHODS = [
  'appended',
  'topicChanged',
  'assigned',
  'committed',
  'moved',
  'reloaded',
] as const satisfies readonly (keyof StreamListener)[];

export class StreamMachine implements Machine {
  readonly methods: readonly number[] = [
    ...Object.values(streamMethod),
    internalMethod.joinConsumer,
    internalMethod.leaveConsumer,
  ];
  readonly #reportBug: ReportBug | undefined;
  #listener: StreamListener | undefined;
  /** The same, kept from doing harm. */
  #guarded: StreamListener | undefined;
  readonly #store: StateStore;
  readonly #table: TopicTable;
  readonly #appender: Appender;
  readonly #retention: Retention;
  readonly #publishing: Publishing;
  readonly #topics: TopicCommands;
  readonly #consumers: ConsumerCommands;
  readonly #endPartition = (partition: Partition): void => {
    this.#retention.trimToSize(partition);
    this.#guarded?.appended(partition.topic.id, partition.number);
  };

  /** `reportBug` is told what a listener throws; undefined: it is thrown. */
  constructor(store: StateStore, group: number, reportBug?: ReportBug) {
    this.#reportBug = reportBug;
    this.#store = store;
    this.#table = new TopicTable(store, new StreamLayout(group));
    this.#appender = new Appender(store, this.#table);
    this.#retention = new Retention(store, this.#table, this.#appender);
    this.#publishing = new Publishing(this.#table, this.#appender);
    this.#topics = new TopicCommands(this.#table, this.#retention);
    this.#consumers = new ConsumerCommands(store, this.#table, this.#appender);
  }

  /** Is told what changes; one at most, and on every replica that has one. */
  get listener(): StreamListener | undefined {
    return this.#listener;
  }

  set listener(listener: StreamListener | undefined) {
    this.#listener = listener;
    this.#guarded = listener && guarded(listener, STREAM_LISTENER_METHODS, this.#reportBug);
  }

  apply(command: Command, context: ApplyContext): Outcome {
    const { stamp_ms } = context;
    switch (command.method) {
      case streamMethod.publish:
        return this.#publishing.publish(command.payload, stamp_ms);
      case streamMethod.publishBatch:
        return this.#publishing.publishBatch(command.payload, stamp_ms);
      case streamMethod.ack:
        return this.#consumers.ack(decoded(StreamServiceAckRequestSchema, command), this.#guarded);
      case streamMethod.create:
        return this.#topics.create(decoded(StreamServiceCreateRequestSchema, command), stamp_ms);
      case streamMethod.configure:
        return this.#topics.configure(decoded(StreamServiceConfigureRequestSchema, command), this.#guarded);
      case streamMethod.seek:
        return this.#consumers.seek(
          decoded(StreamServiceSeekRequestSchema, command),
          stamp_ms,
          this.#guarded,
        );
      case streamMethod.delete:
        return this.#topics.delete(decoded(StreamServiceDeleteRequestSchema, command), this.#guarded);
      case streamMethod.purge:
        return this.#topics.purge(decoded(StreamServicePurgeRequestSchema, command));
      case internalMethod.joinConsumer:
        return this.#consumers.join(decoded(JoinConsumerSchema, command), stamp_ms, this.#guarded);
      case internalMethod.leaveConsumer:
        return this.#consumers.leave(decoded(LeaveConsumerSchema, command), this.#guarded);
      default:
        return {
          reason: ErrorReason.METHOD_NOT_FOUND,
          message: `${command.method} is no command of streams`,
        };
    }
  }

  endEntry(): void {
    this.#appender.endEntry(this.#endPartition);
  }

  expireDue(context: ApplyContext): boolean {
    return this.#retention.removeExpired(context.stamp_ms);
  }

  nextDue_ms(): number | undefined {
    return this.#table.due.first?.heapDue_ms;
  }

  save(): void {
    this.#table.save();
  }

  load(): void {
    this.#table.load();
    this.#guarded?.reloaded();
  }

  /** Topics of the group, and the messages that they keep with their bytes as stored. Walks all partitions. */
  totals(): { readonly topics: number; readonly messages: number; readonly bytes: number } {
    let messages = 0;
    let bytes = 0;
    for (const topic of this.#table.all()) {
      for (const partition of topic.partitions) {
        messages += partition.endOffset - partition.startOffset;
        bytes += partition.bytes;
      }
    }
    return { topics: this.#table.size, messages, bytes };
  }

  /** Views hold between two entries only: look them up anew for every read. */
  topic(name: string): TopicView | undefined {
    return this.#table.get(name);
  }

  topicById(id: number): TopicView | undefined {
    return this.#table.byId(id);
  }

  /** Names of all topics in order. */
  topicNames(): readonly string[] {
    return this.#table.names();
  }

  allTopics(): Iterable<TopicView> {
    return this.#table.all();
  }

  /** A reader of messages, for one request or one subscription. */
  reader(): PartitionReader {
    return new PartitionReader(this.#store);
  }

  /** Adds messages of several partitions to `into` by time, and moves the cursors on. */
  readMerged(cursors: readonly MergeCursor[], into: MessageChunks): void {
    readMerged(this.#store, cursors, into);
  }

  /** Offset of the first kept message published at or after `time_ms`; the end when there is none. */
  offsetAtTime(partition: PartitionView, time_ms: number): number {
    return offsetAtTime(this.#store, partition, time_ms);
  }

  /** The offset that a start means in a partition, or OFFSET_OUT_OF_RANGE. */
  startOffset(
    topic: TopicView,
    partition: PartitionView,
    start: StreamStart | undefined,
    whenUnset: DefaultStart,
  ): number | Failure {
    return startOffsetIn(this.#store, topic.name, partition, start, whenUnset);
  }

  /** When the message at a kept offset was published. */
  publishedAt_ms(partition: PartitionView, offset: number): number {
    return rowAt(this.#store, partition, offset).stamp_ms;
  }
}

/** The request of a command: as the leader's service decoded it, or from the log. */
function decoded<T extends DescMessage>(schema: T, command: Command): MessageShape<T> {
  return (command.request as MessageShape<T> | undefined) ?? fromBinary(schema, command.payload);
}
