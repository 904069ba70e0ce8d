/**
 * Keys of the stream tables.
 *
 *     c                                                                    counters of the group
 *     t <name>                                                             topic
 *     o <topic id u64> <name>                                              consumer or group of a topic
 *     m <topic id u64> <partition u16> <base u64> <stamp u64> <position u64> <count u32>   row of messages
 *
 * Topic ids are never reused, so the rows of a deleted topic cannot show up in a new one of its name.
 */
import { groupPrefix, readU32Key, readU64Key, table, u32Key, u64Key, utf8Key } from '../keys.ts';

/** The tables of one group. */
export class StreamLayout {
  readonly counters: string;
  readonly topics: string;
  readonly #consumers: string;
  readonly #messages: string;

  constructor(group: number) {
    const prefix = groupPrefix(group) + table.stream;
    this.counters = `${prefix}c`;
    this.topics = `${prefix}t`;
    this.#consumers = `${prefix}o`;
    this.#messages = `${prefix}m`;
  }

  topic(name: string): string {
    return this.topics + utf8Key(name);
  }

  /** Begins the keys of all consumers of a topic. */
  consumers(topicId: number): string {
    return this.#consumers + u64Key(topicId);
  }

  consumer(topicId: number, name: string): string {
    return this.consumers(topicId) + utf8Key(name);
  }

  /** Begins the keys of all rows of a topic. */
  rows(topicId: number): string {
    return this.#messages + u64Key(topicId);
  }

  /** Begins the keys of all rows of a partition. */
  partitionRows(topicId: number, partition: number): string {
    return this.rows(topicId) + String.fromCharCode(partition >>> 8, partition & 0xff);
  }
}

/**
 * What the key of a row says of it. Everything that searches by offset, time or size walks keys alone and never
 * touches the messages.
 */
export interface RowPlace {
  readonly key: string;
  /** Offset of its first message. */
  readonly base: number;
  /** When its messages were published: a row never spans two log entries, so they share one stamp. */
  readonly stamp_ms: number;
  /** Bytes that the partition had ever stored before this row. */
  readonly position: number;
  /** Number of its messages. */
  readonly count: number;
}

/** Key of a row. */
export function rowKey(
  partitionRows: string,
  base: number,
  stamp_ms: number,
  position: number,
  count: number,
): string {
  return partitionRows + u64Key(base) + u64Key(stamp_ms) + u64Key(position) + u32Key(count);
}

/** Smallest possible key of a row that begins at `offset`: a bound to seek with. */
export function rowBound(partitionRows: string, offset: number): string {
  return partitionRows + u64Key(offset);
}

/** Reads what `rowKey` wrote. */
export function readRowKey(key: string, partitionRows: string): RowPlace {
  const at = partitionRows.length;
  return {
    key,
    base: readU64Key(key, at),
    stamp_ms: readU64Key(key, at + 8),
    position: readU64Key(key, at + 16),
    count: readU32Key(key, at + 24),
  };
}
