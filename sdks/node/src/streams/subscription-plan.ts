/** How a subscription to a topic goes on after a lost connection. */
import { create } from '@bufbuild/protobuf';
import { ErrorReason, GomsgError, gomsgError } from '../errors.ts';
import type { Origin } from '../faces/output.ts';
import {
  type StreamMessage as StoredMessage,
  type StreamServiceReadResponse,
  type StreamServiceSubscribeRequest,
  type StreamServiceSubscribeRequestSchema,
  type StreamServiceSubscribeResponse,
  type StreamServiceSubscribeResponseSchema,
  StreamStartSchema,
} from '../gen/gomsg/v1/stream_pb.js';
import { StreamMessage } from '../messages/stream-message.ts';
import type { Commits } from './commits.ts';
import type { Plan } from './plan.ts';

type SubscriptionPlan = Plan<
  typeof StreamServiceSubscribeRequestSchema,
  typeof StreamServiceSubscribeResponseSchema,
  StreamMessage
>;

/** With the name of a consumer or group: from the committed offsets, once those that are under way are committed. */
export class NamedPlan implements SubscriptionPlan {
  readonly dropsWhenLost = true;
  readonly #request: StreamServiceSubscribeRequest;
  readonly #origin: Origin;
  readonly #commits: Commits;

  constructor(request: StreamServiceSubscribeRequest, origin: Origin, commits: Commits) {
    this.#request = request;
    this.#origin = origin;
    this.#commits = commits;
  }

  async request(): Promise<StreamServiceSubscribeRequest> {
    await this.#commits.settled();
    return this.#request;
  }

  *take(response: StreamServiceSubscribeResponse): Generator<StreamMessage, undefined, undefined> {
    if (response.subscribed) this.#commits.connected(response.memberId);
    for (const message of response.messages) {
      yield new StreamMessage(message, this.#origin, this.#request.topic, this.#commits);
    }
  }

  /** A member that lost its place in a group takes another. A consumer that was taken over is so for good. */
  lost({ reason }: GomsgError): boolean {
    const isFenced = reason === ErrorReason.MEMBER_FENCED;
    const isGroup = this.#request.group !== '';
    // Of a consumer that was taken over the acknowledgements are to be refused: it stays the member that it was.
    if (!isFenced || isGroup) this.#commits.disconnected();
    return isFenced && isGroup;
  }

  settled(): Promise<void> {
    return this.#commits.settled();
  }
}

/** Reads stored messages of a partition, as `StreamService.Read` does. */
export type ReadStored = (partition: number, offset: bigint) => Promise<StreamServiceReadResponse>;

/**
 * Without a name nothing is committed, so this keeps the place in each partition itself. A further connection begins at
 * the end of all partitions, whose offsets its first message tells; what lies between these and the places is read
 * from the store before what comes over the connection, so that nothing is lost and nothing comes twice.
 */
export class UnnamedPlan implements SubscriptionPlan {
  readonly dropsWhenLost = false;
  readonly #request: StreamServiceSubscribeRequest;
  readonly #origin: Origin;
  readonly #read: ReadStored;
  /** Offset of the next message of each partition; undefined before the first connection was in place. */
  #places: Map<number, bigint> | undefined;

  constructor(request: StreamServiceSubscribeRequest, origin: Origin, read: ReadStored) {
    this.#request = request;
    this.#origin = origin;
    this.#read = read;
  }

  request(): StreamServiceSubscribeRequest {
    if (this.#places === undefined) return this.#request;
    const start = create(StreamStartSchema, { position: { case: 'latest', value: true } });
    return { ...this.#request, start };
  }

  async *take(response: StreamServiceSubscribeResponse): AsyncGenerator<StreamMessage, undefined, undefined> {
    if (response.subscribed) yield* this.#begin(response);
    const places = this.#places!;
    // A partition that is added while the connection stands is read from its beginning.
    for (const { partition, offset } of response.assignment?.positions ?? []) {
      if (!places.has(partition)) places.set(partition, offset);
    }
    for (const message of response.messages) yield this.#next(message);
  }

  async *#begin({ assignment }: StreamServiceSubscribeResponse) {
    const starts = assignment?.positions ?? [];
    if (this.#places === undefined) {
      this.#places = new Map(starts.map(({ partition, offset }) => [partition, offset]));
      return;
    }
    for (const { partition, offset: end } of starts) {
      let place = this.#places.get(partition) ?? 0n;
      if (place > end) throw this.#topicIsAnother(partition, place, end);
      this.#places.set(partition, place);
      while (place < end) {
        const { messages } = await this.#readFrom(partition, place);
        for (const message of messages) {
          if (message.offset >= end) break;
          yield this.#next(message);
        }
        const last = messages.at(-1);
        place = last === undefined ? end : last.offset + 1n;
      }
      if (this.#places.get(partition)! < end) this.#places.set(partition, end);
    }
  }

  /** From the place, or from the oldest message where retention has overtaken it. */
  async #readFrom(partition: number, place: bigint): Promise<StreamServiceReadResponse> {
    try {
      return await this.#read(partition, place);
    } catch (error) {
      const oldest = error instanceof GomsgError ? error.oldestAvailable : undefined;
      if (oldest === undefined || oldest <= place) throw error;
      return this.#readFrom(partition, oldest);
    }
  }

  #next(message: StoredMessage): StreamMessage {
    this.#places!.set(message.partition, message.offset + 1n);
    return new StreamMessage(message, this.#origin, this.#request.topic);
  }

  #topicIsAnother(partition: number, place: bigint, end: bigint): GomsgError {
    return gomsgError({
      reason: ErrorReason.TOPIC_NOT_FOUND,
      subject: this.#request.topic,
      message:
        `topic ${this.#request.topic} is not the one that was subscribed to: partition ${partition} ` +
        `ends at offset ${end}, and was read up to ${place}`,
    });
  }
}
