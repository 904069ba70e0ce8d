/**
 * The simplest thing that behaves as streams do, for one group: arrays of decoded messages, and plain loops over them.
 * It knows of rows only what the contract shows of them: that retention removes them whole.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { JoinConsumer, LeaveConsumer } from '../../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../../gen/gomsg/v1/common_pb.js';
import {
  type StreamMessage,
  StreamMessageSchema,
  type StreamPublication,
  type StreamServiceAckRequest,
  type StreamServiceConfigureRequest,
  type StreamServiceCreateRequest,
  type StreamServiceDeleteRequest,
  type StreamServicePublishBatchRequest,
  type StreamServicePublishRequest,
  type StreamServicePurgeRequest,
  StreamServiceReadResponseSchema,
  type StreamServiceSeekRequest,
  type StreamStart,
  type TopicSettings,
} from '../../../gen/gomsg/v1/stream_pb.js';
import { durationToMs, msToTimestamp } from '../../durations.ts';

interface ModelRow {
  readonly stamp_ms: number;
  readonly messages: StreamMessage[];
  bytes: number;
}

export interface ModelPartition {
  rows: ModelRow[];
  start: number;
  end: number;
  /** Whether the next message begins a row. */
  closed: boolean;
  /** Whether the entry appended to it. */
  appended: boolean;
}

export interface ModelConsumer {
  group: boolean;
  generation: number;
  members: { id: string; partitions: number[] | undefined }[];
  offsets: (number | undefined)[];
}

export interface ModelTopic {
  partitions: ModelPartition[];
  age_ms: number;
  bytes: number;
  messages: number;
  turn: number;
  consumers: Map<string, ModelConsumer>;
}

/** What a command gives: a plain value, or the reason why it failed. */
export type ModelOutcome = { ok: unknown } | { reason: ErrorReason };
const refuse = (reason: ErrorReason): ModelOutcome => ({ reason });

export const MODEL_ROW_BYTES = 128 * 1024;

export class StreamModel {
  readonly topics = new Map<string, ModelTopic>();
  now_ms = 0;

  publish(request: StreamServicePublishRequest): ModelOutcome {
    const topic = this.topics.get(request.topic);
    const count = topic?.partitions.length ?? 1;
    const expected = request.expectedOffset;
    if ((request.partition ?? 0) >= count) return refuse(ErrorReason.PARTITION_NOT_FOUND);
    const fixed = request.partition ?? (request.key === '' ? undefined : slowCrc16(request.key) % count);
    if (expected !== undefined) {
      if (fixed === undefined && count > 1) return refuse(ErrorReason.INVALID_REQUEST);
      if (BigInt(topic?.partitions[fixed ?? 0]?.end ?? 0) !== expected)
        return refuse(ErrorReason.CONDITION_FAILED);
    }
    const [partition, offset] = this.#append(this.#open(request.topic), request, request.partition);
    return {
      ok: { messageId: `${request.topic}#${partition}.${offset}`, partition, offset: BigInt(offset) },
    };
  }

  publishBatch(request: StreamServicePublishBatchRequest): ModelOutcome {
    const count = this.topics.get(request.topic)?.partitions.length ?? 1;
    if ((request.partition ?? 0) >= count) return refuse(ErrorReason.PARTITION_NOT_FOUND);
    const topic = this.#open(request.topic);
    const positions = request.messages.map((message) => {
      const [partition, offset] = this.#append(topic, message, request.partition);
      return { partition, offset: BigInt(offset) };
    });
    return { ok: { positions } };
  }

  create(request: StreamServiceCreateRequest): ModelOutcome {
    if (this.topics.has(request.topic)) return refuse(ErrorReason.ALREADY_EXISTS);
    const partitions = request.settings?.partitions ?? 1;
    if (partitions < 1 || partitions > 1024) return refuse(ErrorReason.INVALID_SETTINGS);
    return { ok: this.#configure(this.#open(request.topic), request.settings) };
  }

  configure(request: StreamServiceConfigureRequest): ModelOutcome {
    const topic = this.topics.get(request.topic);
    if (!topic) return refuse(ErrorReason.TOPIC_NOT_FOUND);
    const partitions = request.settings?.partitions ?? topic.partitions.length;
    if (partitions < topic.partitions.length || partitions > 1024)
      return refuse(ErrorReason.INVALID_SETTINGS);
    for (const partition of topic.partitions) partition.closed = true;
    return { ok: this.#configure(topic, request.settings) };
  }

  delete(request: StreamServiceDeleteRequest): ModelOutcome {
    return { ok: { deleted: this.topics.delete(request.topic) } };
  }

  purge(request: StreamServicePurgeRequest): ModelOutcome {
    const topic = this.topics.get(request.topic);
    if (!topic) return refuse(ErrorReason.TOPIC_NOT_FOUND);
    if ((request.partition ?? 0) >= topic.partitions.length) return refuse(ErrorReason.PARTITION_NOT_FOUND);
    let purged = 0;
    for (const [number, partition] of topic.partitions.entries()) {
      if (request.partition !== undefined && request.partition !== number) continue;
      const to = Math.min(Number(request.beforeOffset ?? partition.end), partition.end);
      purged += Math.max(0, to - partition.start);
      partition.start = Math.max(partition.start, to);
      partition.closed = true;
      while (partition.rows.length > 0 && lastOffset(partition.rows[0]!) < partition.start) {
        partition.rows.shift();
      }
    }
    return { ok: { purged: BigInt(purged) } };
  }

  ack(request: StreamServiceAckRequest, owner: string | undefined): ModelOutcome {
    const topic = this.topics.get(request.topic);
    if (!topic) return refuse(ErrorReason.TOPIC_NOT_FOUND);
    const partition = topic.partitions[request.partition];
    if (!partition) return refuse(ErrorReason.PARTITION_NOT_FOUND);
    const consumer = topic.consumers.get(request.consumer);
    if (!consumer) return refuse(ErrorReason.CONSUMER_NOT_FOUND);
    if (request.memberId !== '' && owner !== request.memberId) return refuse(ErrorReason.MEMBER_FENCED);
    const offset = Number(request.offset);
    if (offset >= partition.end) return refuse(ErrorReason.OFFSET_OUT_OF_RANGE);
    const committed = Math.max(offset + 1, consumer.offsets[request.partition] ?? 0);
    consumer.offsets[request.partition] = committed;
    return { ok: { committedOffset: BigInt(Math.max(committed, partition.start)) } };
  }

  seek(request: StreamServiceSeekRequest): ModelOutcome {
    const topic = this.topics.get(request.topic);
    const count = topic?.partitions.length ?? 1;
    if (request.position?.position.case === undefined) return refuse(ErrorReason.INVALID_REQUEST);
    if ((request.partition ?? 0) >= count) return refuse(ErrorReason.PARTITION_NOT_FOUND);
    const numbers = request.partition === undefined ? [...Array(count).keys()] : [request.partition];
    const offsets = this.#startOffsets(topic, numbers, request.position);
    if (!offsets) return refuse(ErrorReason.OFFSET_OUT_OF_RANGE);
    const consumer = this.#consumer(this.#open(request.topic), request.consumer);
    for (const [i, number] of numbers.entries()) consumer.offsets[number] = offsets[i]!;
    return {
      ok: {
        positions: numbers.map((partition, i) => ({ partition, offset: BigInt(offsets[i]!) })),
      },
    };
  }

  /** The answer's generation only: the sharing out has its own test, and its rules are checked on the machine. */
  join(request: JoinConsumer, start: StreamStart | undefined): ModelOutcome {
    const topic = this.topics.get(request.topic);
    const known = topic?.consumers.get(request.consumer);
    if (known?.members.some(({ id }) => id === request.memberId)) return { ok: known.generation };
    const count = topic?.partitions.length ?? 1;
    if (request.partitions.some((partition) => partition >= count))
      return refuse(ErrorReason.PARTITION_NOT_FOUND);
    if (known && known.members.length > 0 && known.group !== request.group)
      return refuse(ErrorReason.INVALID_SETTINGS);
    const wanted =
      request.partitions.length > 0 ? [...new Set(request.partitions)] : [...Array(count).keys()];
    const numbers = wanted.filter((partition) => known?.offsets[partition] === undefined);
    const offsets = this.#startOffsets(topic, numbers, start);
    if (!offsets) return refuse(ErrorReason.OFFSET_OUT_OF_RANGE);
    const consumer = this.#consumer(this.#open(request.topic), request.consumer);
    for (const [i, number] of numbers.entries()) consumer.offsets[number] = offsets[i]!;
    const member = {
      id: request.memberId,
      partitions: request.partitions.length > 0 ? request.partitions : undefined,
    };
    consumer.group = request.group;
    consumer.members = request.group ? [...consumer.members, member] : [member];
    return { ok: ++consumer.generation };
  }

  leave(request: LeaveConsumer): ModelOutcome {
    const consumer = this.topics.get(request.topic)?.consumers.get(request.consumer);
    if (consumer?.members.some(({ id }) => id === request.memberId)) {
      consumer.members = consumer.members.filter(({ id }) => id !== request.memberId);
      consumer.generation++;
    }
    return { ok: undefined };
  }

  endEntry(): void {
    for (const topic of this.topics.values()) {
      for (const partition of topic.partitions) {
        if (partition.appended) trimToSize(topic, partition);
        partition.appended = false;
        partition.closed = true;
      }
    }
  }

  expire(): void {
    for (const topic of this.topics.values()) {
      if (topic.age_ms === 0) continue;
      for (const partition of topic.partitions) {
        const kept = partition.rows.filter(({ stamp_ms }) => stamp_ms + topic.age_ms > this.now_ms);
        if (kept.length === partition.rows.length) continue;
        partition.rows = kept;
        partition.start = Number(kept[0]?.messages[0]?.offset ?? partition.end);
      }
    }
  }

  /** When the next row is too old. */
  nextDue_ms(): number | undefined {
    const dues = [...this.topics.values()]
      .filter(({ age_ms }) => age_ms > 0)
      .flatMap(({ age_ms, partitions }) =>
        partitions.flatMap(({ rows }) => (rows[0] ? [rows[0].stamp_ms + age_ms] : [])),
      );
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  messages(topic: string, partition: number): StreamMessage[] {
    const { rows, start } = this.topics.get(topic)!.partitions[partition]!;
    return rows.flatMap(({ messages }) => messages).filter(({ offset }) => offset >= start);
  }

  #open(name: string): ModelTopic {
    const known = this.topics.get(name);
    if (known) return known;
    const topic: ModelTopic = {
      partitions: [newPartition()],
      age_ms: 7 * 86_400_000,
      bytes: 0,
      messages: 0,
      turn: 0,
      consumers: new Map(),
    };
    this.topics.set(name, topic);
    return topic;
  }

  #consumer(topic: ModelTopic, name: string): ModelConsumer {
    const known = topic.consumers.get(name);
    if (known) return known;
    const consumer: ModelConsumer = {
      group: false,
      generation: 0,
      members: [],
      offsets: topic.partitions.map(() => undefined),
    };
    topic.consumers.set(name, consumer);
    return consumer;
  }

  #configure(topic: ModelTopic, settings: TopicSettings | undefined): unknown {
    if (settings?.retentionAge) topic.age_ms = durationToMs(settings.retentionAge);
    if (settings?.retentionBytes !== undefined) topic.bytes = Number(settings.retentionBytes);
    if (settings?.retentionMessages !== undefined) topic.messages = Number(settings.retentionMessages);
    for (const partition of topic.partitions) trimToSize(topic, partition);
    const wanted = settings?.partitions ?? topic.partitions.length;
    if (wanted > topic.partitions.length) {
      while (topic.partitions.length < wanted) topic.partitions.push(newPartition());
      for (const consumer of topic.consumers.values()) {
        const readsAll = consumer.offsets.every((offset) => offset !== undefined);
        while (consumer.offsets.length < wanted) consumer.offsets.push(readsAll ? 0 : undefined);
        if (consumer.members.length > 0) consumer.generation++;
      }
    }
    return {
      partitions: topic.partitions.length,
      age_ms: topic.age_ms,
      bytes: topic.bytes,
      messages: topic.messages,
    };
  }

  #append(
    topic: ModelTopic,
    { key, payload, headers }: Pick<StreamPublication, 'key' | 'payload' | 'headers'>,
    asked: number | undefined,
  ): [number, number] {
    const count = topic.partitions.length;
    let number = asked ?? 0;
    if (asked === undefined && key !== '') number = slowCrc16(key) % count;
    else if (asked === undefined && count > 1) number = topic.turn++ % count;
    const partition = topic.partitions[number]!;
    const message = create(StreamMessageSchema, {
      partition: number,
      offset: BigInt(partition.end),
      key,
      payload,
      headers,
      publishedAt: msToTimestamp(this.now_ms),
    });
    const bytes = toBinary(
      StreamServiceReadResponseSchema,
      create(StreamServiceReadResponseSchema, { messages: [message] }),
    ).length;
    const open = partition.closed ? undefined : partition.rows.at(-1);
    if (open && open.bytes + bytes <= MODEL_ROW_BYTES) {
      open.messages.push(message);
      open.bytes += bytes;
    } else {
      partition.rows.push({ stamp_ms: this.now_ms, messages: [message], bytes });
    }
    partition.closed = false;
    partition.appended = true;
    return [number, partition.end++];
  }

  #startOffsets(
    topic: ModelTopic | undefined,
    numbers: readonly number[],
    start: StreamStart | undefined,
  ): number[] | undefined {
    const offsets: number[] = [];
    for (const number of numbers) {
      const partition = topic?.partitions[number] ?? newPartition();
      partition.closed = true;
      const offset = startOffset(partition, start);
      if (offset === undefined) return undefined;
      offsets.push(offset);
    }
    return offsets;
  }
}

function newPartition(): ModelPartition {
  return { rows: [], start: 0, end: 0, closed: true, appended: false };
}

function lastOffset(row: ModelRow): number {
  return Number(row.messages.at(-1)!.offset);
}

function startOffset(partition: ModelPartition, start: StreamStart | undefined): number | undefined {
  const position = start?.position;
  if (position?.case === 'latest') return partition.end;
  if (position?.case === 'offset') {
    const offset = Number(position.value);
    return offset >= partition.start && offset <= partition.end ? offset : undefined;
  }
  if (position?.case === 'time') {
    const { seconds, nanos } = position.value;
    const from_ms = Number(seconds) * 1000 + nanos / 1e6;
    const first = partition.rows.find(({ stamp_ms }) => stamp_ms >= from_ms)?.messages[0];
    return first ? Math.max(Number(first.offset), partition.start) : partition.end;
  }
  return partition.start;
}

/** Drops the oldest row as long as the rest is still at least the limit. */
function trimToSize(topic: ModelTopic, partition: ModelPartition): void {
  for (;;) {
    const [first, ...rest] = partition.rows;
    if (!first || rest.length === 0) return;
    const messages = rest.reduce((sum, row) => sum + row.messages.length, 0);
    const bytes = rest.reduce((sum, row) => sum + row.bytes, 0);
    const tooMany = topic.messages > 0 && messages >= topic.messages;
    const tooLarge = topic.bytes > 0 && bytes >= topic.bytes;
    if (!tooMany && !tooLarge) return;
    partition.rows.shift();
    partition.start = Number(rest[0]!.messages[0]!.offset);
  }
}

/** CRC-16/XMODEM bit by bit. */
function slowCrc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text, 'utf8')) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : ((crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}
