/**
 * What one subscription has to send: which partitions it reads, how far it is in each, and how much it may send before
 * more is acknowledged. Looks at the applied state only when it is asked for the next message, so it needs no buffer
 * between the log and a slow reader: history and new messages come the same way, from the store.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type StreamServiceSubscribeResponse,
  StreamServiceSubscribeResponseSchema,
} from '../../gen/gomsg/v1/stream_pb.js';
import { type ConsumerView, partitionsOf } from '../../state/stream/consumer.ts';
import { memberFenced, topicNotFound } from '../../state/stream/failures.ts';
import { MessageChunks, type PartitionReader } from '../../state/stream/partition-reader.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import type { PartitionView, TopicView } from '../../state/stream/topic.ts';
import { GomsgError } from '../errors.ts';

/** Most messages and bytes of one response. */
const RESPONSE_MESSAGES = 1000;
const RESPONSE_BYTES = 256 * 1024;

/** Who reads. */
export interface Reading {
  readonly topicId: number;
  readonly topic: string;
  /** Undefined for a subscription without a name. */
  readonly membership: Membership | undefined;
  /** Whether a subscription without a name takes in partitions that are added. */
  readonly allPartitions: boolean;
}

export interface Membership {
  /** The consumer or group. */
  readonly consumer: string;
  readonly memberId: string;
  /** Most messages that are sent and not committed. */
  readonly credit: number;
}

/** How far the subscription is in one partition. */
export interface ReadingPlace {
  readonly partition: number;
  /** Offset of the next message to send. */
  next: number;
}

export class Delivery {
  readonly #reading: Reading;
  readonly #moved = new Set<number>();
  #places: ReadingPlace[] = [];
  #generation = 0;
  /** Place in `#places` whose turn it is. */
  #turn = 0;
  #machine: StreamMachine | undefined;
  #reader: PartitionReader | undefined;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** The consumer was moved in a partition: what was sent of it does not count any more. */
  moved(partition: number): void {
    this.#moved.add(partition);
  }

  /** Whether it keeps a row to read on in. */
  get keepsRow(): boolean {
    return this.#reader?.openRows !== undefined;
  }

  forgetRow(): void {
    this.#reader?.forget();
  }

  /** Begins without a name at `places`. Returns the first response. */
  begin(places: ReadingPlace[]): Uint8Array {
    this.#places = places;
    return this.#assignment({ subscribed: true });
  }

  /** Begins as a member, where the machine says. Returns the first response. @throws GomsgError MEMBER_FENCED */
  beginAsMember(machine: StreamMachine): Uint8Array {
    const topic = this.#topic(machine);
    this.#takeAssignment(topic, this.#consumer(topic, this.#membership()));
    return this.#assignment({ subscribed: true, memberId: this.#membership().memberId });
  }

  /**
   * The next response; undefined when there is nothing to send now.
   * @throws GomsgError TOPIC_NOT_FOUND, MEMBER_FENCED
   */
  next(machine: StreamMachine): Uint8Array | undefined {
    const topic = this.#topic(machine);
    const { membership } = this.#reading;
    let room = RESPONSE_MESSAGES;
    if (membership) {
      const consumer = this.#consumer(topic, membership);
      this.#applyMoves(consumer);
      if (consumer.generation !== this.#generation) {
        this.#takeAssignment(topic, consumer);
        return this.#assignment({});
      }
      room = Math.min(room, membership.credit - this.#unacknowledged(topic, consumer));
    } else {
      if (this.#reading.allPartitions && topic.partitions.length > this.#places.length) {
        const added = topic.partitions.slice(this.#places.length);
        this.#places.push(...added.map(({ number }) => ({ partition: number, next: 0 })));
        return this.#assignment({});
      }
      for (const place of this.#places) passOver(place, topic.partitions[place.partition]!);
    }
    if (room <= 0) return undefined;
    const messages = new MessageChunks(room, RESPONSE_BYTES);
    this.#read(machine, topic, messages);
    return messages.messages === 0 ? undefined : messages.joined();
  }

  /** Takes turns between partitions; a row that was begun is finished first, since it is at hand. */
  #read(machine: StreamMachine, topic: TopicView, messages: MessageChunks): void {
    if (this.#machine !== machine) {
      this.#machine = machine;
      this.#reader = machine.reader();
    }
    const reader = this.#reader!;
    for (let read = 0; read < this.#places.length && !messages.full; read++) {
      if (this.#turn >= this.#places.length) this.#turn = 0;
      const place = this.#places[this.#turn]!;
      const partition = topic.partitions[place.partition]!;
      if (place.next < partition.endOffset) {
        place.next = reader.read(partition, place.next, messages);
        if (reader.openRows === partition.rows) return;
      }
      this.#turn++;
    }
  }

  /** Messages sent and not committed. What retention removed is gone, acknowledged or not. */
  #unacknowledged(topic: TopicView, consumer: ConsumerView): number {
    let count = 0;
    for (const place of this.#places) {
      const { startOffset } = topic.partitions[place.partition]!;
      const committed = Math.max(consumer.offsets[place.partition]!, startOffset);
      // Behind a commit that others made ahead of it, and behind what retention removed, there is nothing to send.
      if (place.next < committed) place.next = committed;
      count += place.next - committed;
    }
    return count;
  }

  #applyMoves(consumer: ConsumerView): void {
    if (this.#moved.size === 0) return;
    for (const place of this.#places) {
      if (this.#moved.has(place.partition)) place.next = consumer.offsets[place.partition]!;
    }
    this.#moved.clear();
  }

  /** Partitions that stay go on where they are; new ones begin at the committed offset. */
  #takeAssignment(topic: TopicView, consumer: ConsumerView): void {
    const before = new Map(this.#places.map(({ partition, next }) => [partition, next]));
    this.#places = partitionsOf(consumer, this.#membership().memberId).map((partition) => ({
      partition,
      next:
        before.get(partition) ??
        Math.max(consumer.offsets[partition]!, topic.partitions[partition]!.startOffset),
    }));
    this.#generation = consumer.generation;
  }

  #topic(machine: StreamMachine): TopicView {
    const topic = machine.topicById(this.#reading.topicId);
    if (!topic) throw new GomsgError(topicNotFound(this.#reading.topic));
    return topic;
  }

  #consumer(topic: TopicView, { consumer: name, memberId }: Membership): ConsumerView {
    const consumer = topic.consumers.get(name);
    if (consumer?.members.some(({ id }) => id === memberId)) return consumer;
    throw new GomsgError(memberFenced(topic.name, name, memberId));
  }

  #membership(): Membership {
    const { membership } = this.#reading;
    if (!membership) throw new Error('a subscription without a name has no membership');
    return membership;
  }

  #assignment(also: Pick<Partial<StreamServiceSubscribeResponse>, 'subscribed' | 'memberId'>): Uint8Array {
    const response = create(StreamServiceSubscribeResponseSchema, {
      ...also,
      assignment: {
        generation: BigInt(this.#generation),
        positions: this.#places.map(({ partition, next }) => ({ partition, offset: BigInt(next) })),
      },
    });
    return toBinary(StreamServiceSubscribeResponseSchema, response);
  }
}

/** What retention removed before it was read is passed over. */
function passOver(place: ReadingPlace, partition: PartitionView): void {
  if (place.next < partition.startOffset) place.next = partition.startOffset;
}
