/** The commands about topics as a whole: Create, Configure, Delete, Purge. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  type StreamServiceConfigureRequest,
  StreamServiceConfigureResponseSchema,
  type StreamServiceCreateRequest,
  StreamServiceCreateResponseSchema,
  type StreamServiceDeleteRequest,
  StreamServiceDeleteResponseSchema,
  type StreamServicePurgeRequest,
  StreamServicePurgeResponseSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import { partitionNotFound, tooManyCommittedOffsets, tooManyTopics, topicNotFound } from './failures.ts';
import { MAX_COMMITTED_OFFSETS, MAX_PARTITIONS, MAX_TOPICS } from './limits.ts';
import type { StreamListener } from './listener.ts';
import { toSafeNumber } from './numbers.ts';
import type { Retention } from './retention.ts';
import { changedSettings, settingsMessage, settingsProblem } from './settings.ts';
import { defaultTopicSettings, type Topic, type TopicSettings } from './topic.ts';
import type { TopicTable } from './topic-table.ts';

/** Creates a topic where there is room for it. */
export function openTopic(
  table: TopicTable,
  name: string,
  stamp_ms: number,
  settings: TopicSettings = defaultTopicSettings,
): Topic | Failure {
  if (table.size >= MAX_TOPICS || table.partitions + settings.partitions > MAX_PARTITIONS) {
    return tooManyTopics(name);
  }
  return table.create(name, settings, stamp_ms);
}

export class TopicCommands {
  readonly #table: TopicTable;
  readonly #retention: Retention;

  constructor(table: TopicTable, retention: Retention) {
    this.#table = table;
    this.#retention = retention;
  }

  create(request: StreamServiceCreateRequest, stamp_ms: number): Outcome {
    const { topic: name } = request;
    if (this.#table.get(name)) {
      return {
        reason: ErrorReason.ALREADY_EXISTS,
        subject: name,
        message: `topic ${name} exists already`,
      };
    }
    const settings = changedSettings(defaultTopicSettings, request.settings);
    const problem = settingsProblem(name, settings);
    if (problem) return problem;
    const topic = openTopic(this.#table, name, stamp_ms, settings);
    if ('reason' in topic) return topic;
    return toBinary(
      StreamServiceCreateResponseSchema,
      create(StreamServiceCreateResponseSchema, { settings: settingsMessage(settings) }),
    );
  }

  configure(request: StreamServiceConfigureRequest, listener: StreamListener | undefined): Outcome {
    const topic = this.#table.get(request.topic);
    if (!topic) return topicNotFound(request.topic);
    const before = topic.partitions.length;
    const settings = changedSettings(topic.settings, request.settings);
    const added = settings.partitions - before;
    const problem = settingsProblem(topic.name, settings, before);
    if (problem) return problem;
    if (this.#table.partitions + added > MAX_PARTITIONS) return tooManyTopics(topic.name);
    if (this.#table.committedOffsets + added * topic.consumers.size > MAX_COMMITTED_OFFSETS) {
      return tooManyCommittedOffsets(topic.name);
    }

    topic.settings = settings;
    this.#table.touch(topic);
    for (const partition of topic.partitions) {
      this.#retention.trimToSize(partition);
      this.#table.schedule(partition);
    }
    if (added > 0) {
      this.#table.grow(topic);
      listener?.topicChanged(topic.id);
      for (const consumer of topic.consumers.values()) {
        if (consumer.members.length === 0) continue;
        consumer.assign();
        listener?.assigned(topic.id, consumer.name);
      }
    }
    return toBinary(
      StreamServiceConfigureResponseSchema,
      create(StreamServiceConfigureResponseSchema, { settings: settingsMessage(settings) }),
    );
  }

  delete(request: StreamServiceDeleteRequest, listener: StreamListener | undefined): Outcome {
    const topic = this.#table.get(request.topic);
    if (topic) {
      this.#table.delete(topic);
      listener?.topicChanged(topic.id);
    }
    return toBinary(
      StreamServiceDeleteResponseSchema,
      create(StreamServiceDeleteResponseSchema, { deleted: topic !== undefined }),
    );
  }

  purge(request: StreamServicePurgeRequest): Outcome {
    const topic = this.#table.get(request.topic);
    if (!topic) return topicNotFound(request.topic);
    const { partition: only, beforeOffset } = request;
    if (only !== undefined && only >= topic.partitions.length) {
      return partitionNotFound(topic.name, only, topic.partitions.length);
    }
    let purged = 0;
    for (const partition of topic.partitions) {
      if (only !== undefined && only !== partition.number) continue;
      const end = beforeOffset === undefined ? partition.endOffset : toSafeNumber(beforeOffset);
      purged += this.#retention.purge(partition, end);
    }
    return toBinary(
      StreamServicePurgeResponseSchema,
      create(StreamServicePurgeResponseSchema, { purged: BigInt(purged) }),
    );
  }
}
