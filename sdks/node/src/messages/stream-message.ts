/** A message of a topic, and how its consumer acknowledges it. */
import { bytesOf, dateOf, numberOf, type Origin, textOf } from '../faces/output.ts';
import type { StreamMessage as StoredMessage } from '../gen/gomsg/v1/stream_pb.js';
import { Settlement } from './settling.ts';

/** Commits the place of a consumer or group; there is none for a reader without a name. */
export interface Committer {
  /** Every message of the partition up to and including the offset is processed. */
  commit(partition: number, offset: bigint): Promise<void>;
}

export class StreamMessage {
  /** `topic#partition.offset`. */
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  /** Offset in the partition, from 0. */
  readonly offset: number;
  /** The key as it was published; empty = none. */
  readonly key: string;
  /** The payload as it was published. */
  readonly dataBytes: Uint8Array;
  /** The headers as they were published. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it was appended, by the clock of the leader; never decreases within a partition. */
  readonly publishedAt: Date;
  readonly #origin: Origin;
  readonly #committer: Committer | undefined;

  constructor(message: StoredMessage, origin: Origin, topic = message.topic, committer?: Committer) {
    this.topic = topic;
    this.partition = message.partition;
    this.offset = numberOf(message.offset, origin, 'offset');
    this.id = `${topic}#${message.partition}.${message.offset}`;
    this.key = message.key;
    this.dataBytes = bytesOf(message.payload);
    this.headers = message.headers;
    this.publishedAt = message.publishedAt ? dateOf(message.publishedAt) : new Date(0);
    this.#origin = origin;
    this.#committer = committer;
  }

  /** The payload as text. @throws FailedPreconditionError (NOT_TEXT) when it is not UTF-8 */
  get data(): string {
    return textOf(this.dataBytes, this.#origin, 'data');
  }

  /**
   * This message and all before it in its partition are processed; resolves once that is committed. Nothing happens
   * where there is no consumer or group. The promise may be left alone: a failure is then told to the `onError` of the
   * subscription, or logged.
   */
  ack(): Promise<void> {
    if (this.#committer === undefined) return Promise.resolve();
    const { settling } = this.#origin;
    const outcome = this.#committer.commit(this.partition, BigInt(this.offset));
    settling.began?.(outcome);
    return Settlement.of(outcome, (error) => settling.failed(error, this));
  }
}
