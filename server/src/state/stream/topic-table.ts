/** All topics of a group, in memory, and what of them has to be written down at the next save. */

import { DueHeap } from '../due-heap.ts';
import { prefixEnd, readUtf8Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import { ByteReader, ByteWriter } from '../wire.ts';
import { Consumer } from './consumer.ts';
import type { StreamLayout } from './layout.ts';
import { readConsumer, readTopic, writeConsumer, writeTopic } from './records.ts';
import { type Partition, Topic, type TopicSettings } from './topic.ts';

export class TopicTable {
  readonly layout: StreamLayout;
  /** Partitions that hold messages of a limited age, by when the oldest row is too old. */
  readonly due = new DueHeap<Partition>();
  readonly #store: StateStore;
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<number, Topic>();
  readonly #dirtyTopics: Topic[] = [];
  readonly #dirtyConsumers: { readonly topic: Topic; readonly consumer: Consumer }[] = [];
  readonly #writer = new ByteWriter();
  /** Names in order; undefined when a topic came or went since they were last wanted. */
  #names: string[] | undefined;
  #nextTopicId = 1;
  #countersDirty = false;
  #partitions = 0;
  #committedOffsets = 0;

  constructor(store: StateStore, layout: StreamLayout) {
    this.#store = store;
    this.layout = layout;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Partitions of all topics. */
  get partitions(): number {
    return this.#partitions;
  }

  /** Committed offsets that consumers have room for, over all topics. */
  get committedOffsets(): number {
    return this.#committedOffsets;
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  byId(id: number): Topic | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Topic> {
    return this.#byName.values();
  }

  /** All names, ascending by UTF-16 code unit, which for the characters of names is byte order. */
  names(): readonly string[] {
    this.#names ??= [...this.#byName.keys()].sort((a, b) => (a < b ? -1 : 1));
    return this.#names;
  }

  create(name: string, settings: TopicSettings, stamp_ms: number): Topic {
    const topic = new Topic(this.#nextTopicId++, name, settings, stamp_ms);
    this.#countersDirty = true;
    topic.grow(this.layout);
    this.#add(topic);
    this.touch(topic);
    return topic;
  }

  /** Makes the partitions that the settings ask for, in the topic and in its consumers. */
  grow(topic: Topic): void {
    const before = topic.partitions.length;
    topic.grow(this.layout);
    const added = topic.partitions.length - before;
    this.#partitions += added;
    for (const consumer of topic.consumers.values()) {
      consumer.grow(topic.partitions.length);
      this.#committedOffsets += added;
      this.touchConsumer(topic, consumer);
    }
    this.touch(topic);
  }

  delete(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    this.#names = undefined;
    this.#partitions -= topic.partitions.length;
    this.#committedOffsets -= topic.consumers.size * topic.partitions.length;
    for (const partition of topic.partitions) this.due.remove(partition);
    this.#store.delete(this.layout.topic(topic.name));
    this.#deletePrefix(this.layout.consumers(topic.id));
    this.#deletePrefix(this.layout.rows(topic.id));
  }

  createConsumer(topic: Topic, name: string): Consumer {
    const consumer = new Consumer(name, topic.partitions.length);
    topic.consumers.set(name, consumer);
    this.#committedOffsets += topic.partitions.length;
    this.touchConsumer(topic, consumer);
    return consumer;
  }

  /** Notes that the topic has to be saved. */
  touch(topic: Topic): void {
    if (topic.dirty) return;
    topic.dirty = true;
    this.#dirtyTopics.push(topic);
  }

  touchConsumer(topic: Topic, consumer: Consumer): void {
    if (consumer.dirty) return;
    consumer.dirty = true;
    this.#dirtyConsumers.push({ topic, consumer });
  }

  /** Sets when the oldest row of the partition is too old. */
  schedule(partition: Partition): void {
    const { retentionAge_ms } = partition.topic.settings;
    const kept = partition.startOffset < partition.endOffset && retentionAge_ms > 0;
    this.due.set(partition, kept ? partition.firstStamp_ms + retentionAge_ms : Number.POSITIVE_INFINITY);
  }

  save(): void {
    for (const topic of this.#dirtyTopics.splice(0)) {
      topic.dirty = false;
      if (this.#byId.get(topic.id) !== topic) continue;
      writeTopic(this.#writer, topic);
      this.#store.put(this.layout.topic(topic.name), this.#writer.view());
    }
    for (const { topic, consumer } of this.#dirtyConsumers.splice(0)) {
      consumer.dirty = false;
      if (this.#byId.get(topic.id) !== topic) continue;
      writeConsumer(this.#writer, consumer);
      this.#store.put(this.layout.consumer(topic.id, consumer.name), this.#writer.view());
    }
    if (this.#countersDirty) {
      this.#countersDirty = false;
      this.#store.put(this.layout.counters, this.#writer.reset().varint(this.#nextTopicId).view());
    }
  }

  load(): void {
    this.#clear();
    const counters = this.#store.get(this.layout.counters);
    if (counters) this.#nextTopicId = new ByteReader(counters).varint();
    for (const { key, value } of this.#rowsOf(this.layout.topics)) {
      const topic = readTopic(readUtf8Key(key.slice(this.layout.topics.length)), value, this.layout);
      this.#add(topic);
      for (const partition of topic.partitions) this.schedule(partition);
    }
    for (const topic of this.#byName.values()) {
      const prefix = this.layout.consumers(topic.id);
      for (const { key, value } of this.#rowsOf(prefix)) {
        const consumer = readConsumer(readUtf8Key(key.slice(prefix.length)), value);
        topic.consumers.set(consumer.name, consumer);
        this.#committedOffsets += topic.partitions.length;
      }
    }
  }

  #clear(): void {
    this.due.clear();
    this.#byName.clear();
    this.#byId.clear();
    this.#dirtyTopics.length = 0;
    this.#dirtyConsumers.length = 0;
    this.#names = undefined;
    this.#nextTopicId = 1;
    this.#countersDirty = false;
    this.#partitions = 0;
    this.#committedOffsets = 0;
  }

  #add(topic: Topic): void {
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    this.#names = undefined;
    this.#partitions += topic.partitions.length;
  }

  #rowsOf(prefix: string) {
    return this.#store.range({ from: prefix, to: prefixEnd(prefix)! });
  }

  #deletePrefix(prefix: string): void {
    this.#store.deleteRange(prefix, prefixEnd(prefix)!);
  }
}
