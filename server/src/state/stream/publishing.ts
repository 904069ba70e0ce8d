/** The commands that append: Publish and PublishBatch. Every replica reads the encoded request, and that only. */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import type { Appender } from './appender.ts';
import { malformed, messageTooLarge, partitionNotFound, unexpectedOffset } from './failures.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { MalformedRequestError, PublishScan, TooManyMessagesError } from './publish-scan.ts';
import { publishBatchResponse, publishResponse } from './responses.ts';
import { defaultTopicSettings, partitionOfKey, Topic } from './topic.ts';
import { openTopic } from './topic-commands.ts';
import type { TopicTable } from './topic-table.ts';

export class Publishing {
  readonly #table: TopicTable;
  readonly #appender: Appender;
  readonly #scan = new PublishScan();

  constructor(table: TopicTable, appender: Appender) {
    this.#table = table;
    this.#appender = appender;
  }

  publish(payload: Uint8Array, stamp_ms: number): Outcome {
    const scan = this.#scan;
    try {
      scan.publish(payload);
    } catch (error) {
      return scanFailure(error);
    }
    const known = this.#table.get(scan.topic);
    const refusal = this.#refusal(known) ?? this.#unexpected(known);
    if (refusal) return refusal;
    const topic = known ?? openTopic(this.#table, scan.topic, stamp_ms);
    if (!(topic instanceof Topic)) return topic;
    const partition = this.#target(topic, 0);
    const offset = this.#appender.append(topic.partitions[partition]!, scan, 0, stamp_ms);
    return publishResponse(topic.nameBytes, partition, offset);
  }

  publishBatch(payload: Uint8Array, stamp_ms: number): Outcome {
    const scan = this.#scan;
    try {
      scan.publishBatch(payload);
    } catch (error) {
      return scanFailure(error);
    }
    const known = this.#table.get(scan.topic);
    const refusal = this.#refusal(known);
    if (refusal) return refusal;
    const topic = known ?? openTopic(this.#table, scan.topic, stamp_ms);
    if (!(topic instanceof Topic)) return topic;
    const positions: number[] = [];
    for (let i = 0; i < scan.count; i++) {
      const partition = this.#target(topic, i);
      const offset = this.#appender.append(topic.partitions[partition]!, scan, i, stamp_ms);
      positions.push(partition, offset);
    }
    return publishBatchResponse(positions);
  }

  /** Why the scanned request cannot be done, whatever is stored. */
  #refusal(topic: Topic | undefined): Failure | undefined {
    const scan = this.#scan;
    const partitions = topic?.partitions.length ?? defaultTopicSettings.partitions;
    if (scan.partition >= partitions) return partitionNotFound(scan.topic, scan.partition, partitions);
    for (let i = 0; i < scan.count; i++) {
      const bytes = scan.bytesOf(i);
      if (bytes > MAX_MESSAGE_BYTES) return messageTooLarge(scan.topic, bytes);
    }
    return undefined;
  }

  /** Why the message would not get the offset that the scanned Publish expects, when it expects one. */
  #unexpected(topic: Topic | undefined): Failure | undefined {
    const scan = this.#scan;
    if (scan.expectedOffset < 0) return undefined;
    const partitions = topic?.partitions.length ?? defaultTopicSettings.partitions;
    const { keyFrom, keyTo } = scan.place(0);
    if (scan.partition < 0 && keyTo === keyFrom && partitions > 1) {
      return malformed('expected_offset needs a key, a partition, or a topic of one partition');
    }
    const partition =
      scan.partition >= 0 ? scan.partition : partitionOfKey(scan.source, keyFrom, keyTo, partitions);
    const endOffset = topic?.partitions[partition]?.endOffset ?? 0;
    if (endOffset === scan.expectedOffset) return undefined;
    return unexpectedOffset(scan.topic, partition, scan.expectedOffset, endOffset);
  }

  /** The partition that publication `index` goes to; without a key it takes a turn. */
  #target(topic: Topic, index: number): number {
    const scan = this.#scan;
    if (scan.partition >= 0) return scan.partition;
    const partitions = topic.partitions.length;
    if (partitions === 1) return 0;
    const { keyFrom, keyTo } = scan.place(index);
    if (keyTo > keyFrom) return partitionOfKey(scan.source, keyFrom, keyTo, partitions);
    const turn = topic.nextPartition;
    topic.nextPartition = turn + 1 < partitions ? turn + 1 : 0;
    return turn;
  }
}

/** The failure that something thrown by a scan stands for. */
export function scanFailure(error: unknown): Failure {
  if (error instanceof MalformedRequestError) return malformed(`the request is malformed: ${error.message}`);
  if (error instanceof TooManyMessagesError) {
    return { reason: ErrorReason.BATCH_TOO_LARGE, message: error.message };
  }
  throw error;
}
