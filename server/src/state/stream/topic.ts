/** Topics and their partitions as they are kept in memory; `topic-table.ts` writes them down. */
import { crc16 } from '../crc16.ts';
import type { Scheduled } from '../due-heap.ts';
import type { Consumer, ConsumerView } from './consumer.ts';
import type { StreamLayout } from './layout.ts';
import type { PendingRow } from './pending-row.ts';

/** Settings of a topic. */
export interface TopicSettings {
  readonly partitions: number;
  /** How long messages are kept; 0 = for ever. */
  readonly retentionAge_ms: number;
  /** Stored bytes that a partition keeps at least before retention removes more; 0 = all. */
  readonly retentionBytes: number;
  /** Messages that a partition keeps at least before retention removes more; 0 = all. */
  readonly retentionMessages: number;
}

/** The defaults of the contract. */
export const defaultTopicSettings: TopicSettings = {
  partitions: 1,
  retentionAge_ms: 7 * 24 * 3600 * 1000,
  retentionBytes: 0,
  retentionMessages: 0,
};

/** A partition as readers see it. Between two entries; never to be kept across a reload of the machine. */
export interface PartitionView {
  readonly number: number;
  /** Begins the keys of its rows. */
  readonly rows: string;
  /** Oldest offset that is kept; equal to `endOffset` when it is empty. */
  readonly startOffset: number;
  /** Offset that the next message gets. */
  readonly endOffset: number;
  /** Stamp of the oldest row; meaningless when the partition is empty. */
  readonly firstStamp_ms: number;
  /** Stamp of the newest message ever published; 0 when there was none. */
  readonly lastStamp_ms: number;
  /** Bytes of the rows that are kept. */
  readonly bytes: number;
}

/** A topic as readers see it. */
export interface TopicView {
  readonly id: number;
  readonly name: string;
  readonly settings: TopicSettings;
  readonly createdAt_ms: number;
  readonly partitions: readonly PartitionView[];
  readonly consumers: ReadonlyMap<string, ConsumerView>;
}

export class Partition implements PartitionView, Scheduled {
  readonly topic: Topic;
  readonly number: number;
  readonly rows: string;
  startOffset = 0;
  endOffset = 0;
  /** Bytes ever stored before the oldest row that is kept. */
  startPosition = 0;
  /** Bytes ever stored. */
  endPosition = 0;
  firstStamp_ms = 0;
  lastStamp_ms = 0;
  /** Messages of the entry under way. */
  pending: PendingRow | undefined = undefined;
  /** Whether the entry under way appended to it. */
  touched = false;
  heapIndex = -1;
  heapDue_ms = Number.POSITIVE_INFINITY;

  constructor(topic: Topic, number: number, layout: StreamLayout) {
    this.topic = topic;
    this.number = number;
    this.rows = layout.partitionRows(topic.id, number);
  }

  get bytes(): number {
    return this.endPosition - this.startPosition;
  }
}

export class Topic implements TopicView {
  readonly id: number;
  readonly name: string;
  /** UTF-8 of the name, for ids of messages. */
  readonly nameBytes: Uint8Array;
  readonly createdAt_ms: number;
  settings: TopicSettings;
  readonly partitions: Partition[] = [];
  /** Partition that the next message without a key goes to. */
  nextPartition = 0;
  readonly consumers = new Map<string, Consumer>();
  /** Changed since the last save. */
  dirty = false;

  constructor(id: number, name: string, settings: TopicSettings, createdAt_ms: number) {
    this.id = id;
    this.name = name;
    this.nameBytes = Buffer.from(name, 'utf8');
    this.settings = settings;
    this.createdAt_ms = createdAt_ms;
  }

  /** Adds partitions until there are as many as the settings say. */
  grow(layout: StreamLayout): void {
    while (this.partitions.length < this.settings.partitions) {
      this.partitions.push(new Partition(this, this.partitions.length, layout));
    }
  }
}

/** The partition of a key, given by its UTF-8 bytes. */
export function partitionOfKey(source: Uint8Array, from: number, to: number, partitions: number): number {
  return partitions === 1 ? 0 : crc16(source, from, to) % partitions;
}
