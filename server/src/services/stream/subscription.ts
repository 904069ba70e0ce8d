/**
 * One open subscription, as the transport pulls it: opens at the first pull, then waits for something to send, until
 * the caller goes away, its topic or membership does, or the server drains.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { JoinConsumerSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { type StreamStart, StreamStartSchema } from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure } from '../../state/failure.ts';
import { internalMethod } from '../../state/internal-methods.ts';
import { partitionNotFound, topicNotFound } from '../../state/stream/failures.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import type { TopicView } from '../../state/stream/topic.ts';
import { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import { Delivery, type Membership, type ReadingPlace } from './delivery.ts';
import type { Members } from './members.ts';
import type { Listening, StreamHub } from './stream-hub.ts';
import type { TopicDefaults } from './topic-defaults.ts';

/** A checked request. */
export interface SubscriptionOptions {
  readonly topic: string;
  readonly start: StreamStart | undefined;
  /** Undefined = without a name. */
  readonly membership: (Membership & { readonly group: boolean }) | undefined;
  /** Ascending; empty = all. */
  readonly partitions: readonly number[];
}

/** Times that a topic is created for a subscription, when somebody deletes it in between. */
const MAX_CREATIONS = 3;

export class Subscription implements Listening, AsyncIterableIterator<Uint8Array, undefined> {
  readonly #options: SubscriptionOptions;
  readonly #group: ServiceGroup;
  readonly #hub: StreamHub;
  readonly #members: Members;
  readonly #defaults: TopicDefaults;
  #topicId = 0;
  #delivery: Delivery | undefined;
  #joined = false;
  #woken = false;
  #wakeUp: (() => void) | undefined;
  /** Set once it is to end; with an error, the caller gets that. */
  #end: { readonly error: GomsgError | undefined } | undefined;
  #closed = false;
  #pulling: Promise<unknown> = Promise.resolve();

  constructor(
    options: SubscriptionOptions,
    group: ServiceGroup,
    hub: StreamHub,
    members: Members,
    defaults: TopicDefaults,
  ) {
    this.#options = options;
    this.#group = group;
    this.#hub = hub;
    this.#members = members;
    this.#defaults = defaults;
  }

  get topicId(): number {
    return this.#topicId;
  }

  get consumer(): string | undefined {
    return this.#options.membership?.consumer;
  }

  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  moved(partition: number): void {
    this.#delivery?.moved(partition);
    this.wake();
  }

  forgetRow(): void {
    this.#delivery?.forgetRow();
  }

  fail(failure: Failure): void {
    this.end(new GomsgError(failure));
  }

  /** Ends it at the next opportunity; the first reason counts. */
  end(error?: GomsgError): void {
    this.#end ??= { error };
    this.wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const pull = this.#pull();
    this.#pulling = pull;
    return pull;
  }

  /** Ends at once, also in the middle of a pull that waits for a message which may never come. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.end();
    // Its error, if any, went to the one who pulled.
    await this.#pulling.catch(() => {});
    this.#close();
    return { done: true, value: undefined };
  }

  async #pull(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      for (;;) {
        this.#throwIfEnded();
        if (this.#end !== undefined || this.#closed) break;
        this.#woken = false;
        const response = this.#delivery === undefined ? await this.#open() : await this.#nextResponse();
        if (response !== undefined) return { done: false, value: response };
        await this.#woke();
      }
      this.#close();
      return { done: true, value: undefined };
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #throwIfEnded(): void {
    if (this.#end?.error !== undefined && !this.#closed) throw this.#end.error;
  }

  #nextResponse(): Promise<Uint8Array | undefined> {
    return this.#read(Consistency.STALE, (machine) => {
      this.#hub.attach(machine);
      const delivery = this.#delivery!;
      const response = delivery.next(machine);
      if (response === undefined && delivery.keepsRow) this.#hub.keepsRow(this);
      return response;
    });
  }

  async #open(): Promise<Uint8Array> {
    return this.#options.membership ? this.#openAsMember() : this.#openWithoutName();
  }

  async #openWithoutName(): Promise<Uint8Array> {
    const { topic: name } = this.#options;
    for (let creations = 0; ; creations++) {
      const first = await this.#read(Consistency.LINEARIZABLE, (machine) => {
        const topic = machine.topic(name);
        if (!topic) return undefined;
        const places = this.#startPlaces(machine, topic);
        return this.#listen(machine, topic).begin(places);
      });
      if (first !== undefined) return first;
      if (creations === MAX_CREATIONS) throw new GomsgError(topicNotFound(name));
      const failure = await this.#defaults.create(this.#group, name);
      if (failure) throw new GomsgError(failure);
    }
  }

  async #openAsMember(): Promise<Uint8Array> {
    const { topic: name } = this.#options;
    this.#members.removeGone(this.#group, name, this.consumer!);
    this.#defaults.beforeFirstUse(this.#group, name);
    await this.#join();
    return this.#read(Consistency.STALE, (machine) => {
      const topic = machine.topic(name);
      if (!topic) throw new GomsgError(topicNotFound(name));
      return this.#listen(machine, topic).beginAsMember(machine);
    });
  }

  #join(): Promise<void> {
    const { topic, start, partitions } = this.#options;
    const { consumer, memberId, group } = this.#options.membership!;
    const request = create(JoinConsumerSchema, {
      topic,
      consumer,
      group,
      memberId,
      partitions: [...partitions],
      start: start ? toBinary(StreamStartSchema, start) : new Uint8Array(),
    });
    this.#hub.setLive(memberId, true);
    // From here on it may be a member, whatever the answer: a write that was not answered may still be applied.
    this.#joined = true;
    return new Promise((resolve, reject) => {
      this.#group.submit({
        method: internalMethod.joinConsumer,
        payload: toBinary(JoinConsumerSchema, request),
        request,
        session: undefined,
        reply: { ok: () => resolve(), fail: (failure) => reject(new GomsgError(failure)) },
      });
    });
  }

  /** Listens from this read on: what is applied later is told, what was applied before is read. */
  #listen(machine: StreamMachine, topic: TopicView): Delivery {
    this.#topicId = topic.id;
    this.#hub.attach(machine);
    this.#hub.add(this);
    this.#delivery = new Delivery({
      topicId: topic.id,
      topic: topic.name,
      membership: this.#options.membership,
      allPartitions: this.#options.partitions.length === 0,
    });
    return this.#delivery;
  }

  #startPlaces(machine: StreamMachine, topic: TopicView): ReadingPlace[] {
    const { partitions, start } = this.#options;
    const numbers = partitions.length > 0 ? partitions : topic.partitions.map(({ number }) => number);
    return numbers.map((number) => {
      const partition = topic.partitions[number];
      if (!partition) throw new GomsgError(partitionNotFound(topic.name, number, topic.partitions.length));
      const next = machine.startOffset(topic, partition, start, 'latest');
      if (typeof next !== 'number') throw new GomsgError(next);
      return { partition: number, next };
    });
  }

  #read<T>(consistency: Consistency, query: (machine: StreamMachine) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#group.read(
        consistency,
        ({ stream }) => {
          try {
            resolve(query(stream));
          } catch (error) {
            reject(error);
          }
        },
        (failure) => reject(new GomsgError(failure)),
      );
    });
  }

  /** Resolves when something changed since the pull last looked. */
  async #woke(): Promise<void> {
    if (this.#woken) return;
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    this.#wakeUp = undefined;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hub.remove(this);
    if (!this.#joined) return;
    const { consumer, memberId } = this.#options.membership!;
    this.#hub.setLive(memberId, false);
    this.#members.leave(this.#group, this.#options.topic, consumer, memberId);
  }
}
