/**
 * Records of topics, consumers and counters: a version byte, then varints. Only `save` writes them, so they are made
 * for size, not for speed.
 */
import { ByteReader, type ByteWriter } from '../wire.ts';
import { Consumer, type Member, NO_OFFSET } from './consumer.ts';
import type { StreamLayout } from './layout.ts';
import { Topic } from './topic.ts';

const VERSION = 1;

export function writeTopic(writer: ByteWriter, topic: Topic): void {
  const { settings } = topic;
  writer.reset().u8(VERSION);
  writer.varint(topic.id).varint(topic.createdAt_ms).varint(topic.nextPartition);
  writer.varint(settings.partitions).varint(settings.retentionAge_ms);
  writer.varint(settings.retentionBytes).varint(settings.retentionMessages);
  for (const partition of topic.partitions) {
    writer.varint(partition.startOffset).varint(partition.endOffset);
    writer.varint(partition.startPosition).varint(partition.endPosition);
    writer.varint(partition.firstStamp_ms).varint(partition.lastStamp_ms);
  }
}

export function readTopic(name: string, record: Uint8Array, layout: StreamLayout): Topic {
  const reader = new ByteReader(record);
  checkVersion(reader, 'topic');
  const id = reader.varint();
  const createdAt_ms = reader.varint();
  const nextPartition = reader.varint();
  const settings = {
    partitions: reader.varint(),
    retentionAge_ms: reader.varint(),
    retentionBytes: reader.varint(),
    retentionMessages: reader.varint(),
  };
  const topic = new Topic(id, name, settings, createdAt_ms);
  topic.nextPartition = nextPartition;
  topic.grow(layout);
  for (const partition of topic.partitions) {
    partition.startOffset = reader.varint();
    partition.endOffset = reader.varint();
    partition.startPosition = reader.varint();
    partition.endPosition = reader.varint();
    partition.firstStamp_ms = reader.varint();
    partition.lastStamp_ms = reader.varint();
  }
  return topic;
}

export function writeConsumer(writer: ByteWriter, consumer: Consumer): void {
  writer.reset().u8(VERSION);
  writer.varint(consumer.group ? 1 : 0).varint(consumer.generation);
  writer.varint(consumer.members.length);
  for (const { id, partitions } of consumer.members) {
    writer.varint(Buffer.byteLength(id)).utf8(id);
    // One more than their number, so that 0 can stand for all partitions.
    writer.varint(partitions === undefined ? 0 : partitions.length + 1);
    for (const partition of partitions ?? []) writer.varint(partition);
  }
  const placeOf = new Map(consumer.members.map(({ id }, place) => [id, place]));
  writer.varint(consumer.offsets.length);
  for (const [partition, offset] of consumer.offsets.entries()) {
    const owner = consumer.owners[partition];
    writer.varint(offset === NO_OFFSET ? 0 : offset + 1);
    writer.varint(owner === undefined ? 0 : (placeOf.get(owner) ?? 0) + 1);
  }
}

export function readConsumer(name: string, record: Uint8Array): Consumer {
  const reader = new ByteReader(record);
  checkVersion(reader, 'consumer');
  const group = reader.varint() === 1;
  const generation = reader.varint();
  const members: Member[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const id = reader.utf8(reader.varint());
    const asked = reader.varint();
    const partitions = asked === 0 ? undefined : Array.from({ length: asked - 1 }, () => reader.varint());
    members.push({ id, partitions });
  }
  const consumer = new Consumer(name, reader.varint());
  consumer.group = group;
  consumer.generation = generation;
  consumer.members = members;
  for (const partition of consumer.offsets.keys()) {
    consumer.offsets[partition] = reader.varint() - 1;
    consumer.owners[partition] = members[reader.varint() - 1]?.id;
  }
  return consumer;
}

function checkVersion(reader: ByteReader, what: string): void {
  const version = reader.u8();
  if (version !== VERSION) {
    throw new Error(`a ${what} record has version ${version}; this program knows ${VERSION}`);
  }
}
