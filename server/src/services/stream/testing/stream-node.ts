/** A node's stream service over one group that applies at once, and subscribers that read from it, for tests. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type StreamAssignment,
  type StreamMessage,
  StreamService,
  type StreamServiceSubscribeRequestSchema,
  type StreamServiceSubscribeResponse,
} from '../../../gen/gomsg/v1/stream_pb.js';
import { StreamMachine } from '../../../state/stream/stream-machine.ts';
import { defaultTopicSettings, type TopicSettings } from '../../../state/stream/topic.ts';
import { ModelStore } from '../../../state/testing/model-store.ts';
import type { GomsgError } from '../../errors.ts';
import type { ServerStreamingMethod } from '../../method.ts';
import { nextTurn } from '../../next-turn.ts';
import { type StreamServer, streamServer } from '../../stream-service.ts';
import { call, callContext } from '../../testing/call.ts';
import { InstantGroup, InstantRouter } from '../../testing/instant-group.ts';

const rpc = StreamService.method;

export interface NodeOptions {
  readonly nodeId?: string;
  readonly topicDefaults?: TopicSettings;
  /** What was there before the node started. */
  readonly store?: ModelStore;
  readonly maxMessageBytes?: number;
  readonly maxFrameBytes?: number;
}

export class StreamNode {
  readonly store: ModelStore;
  readonly machine: StreamMachine;
  readonly group: InstantGroup;
  readonly server: StreamServer;

  constructor(options: NodeOptions = {}) {
    this.store = options.store ?? new ModelStore();
    this.machine = new StreamMachine(this.store, 1);
    this.machine.load();
    this.group = new InstantGroup({ stream: this.machine });
    this.server = streamServer({
      router: new InstantRouter([this.group]),
      limits: {
        maxMessageBytes: options.maxMessageBytes ?? 1024 * 1024,
        maxFrameBytes: options.maxFrameBytes ?? 16 * 1024 * 1024,
      },
      topicDefaults: options.topicDefaults ?? defaultTopicSettings,
      nodes: {
        self: options.nodeId ?? 'n1',
        leaderOf: () => options.nodeId ?? 'n1',
      },
    });
  }

  /** Publishes texts to one partition, as one entry. */
  publish(topic: string, texts: readonly string[], partition?: number): Promise<unknown> {
    return call(this.server.methods, rpc.publishBatch, {
      topic,
      messages: texts.map((text) => ({ payload: Buffer.from(text) })),
      ...(partition !== undefined && { partition }),
    });
  }

  ack(topic: string, consumer: string, partition: number, offset: number, memberId = '') {
    const request = { topic, consumer, partition, offset: BigInt(offset), memberId };
    return call(this.server.methods, rpc.ack, request);
  }

  subscribe(request: MessageInitShape<typeof StreamServiceSubscribeRequestSchema>, signal?: AbortSignal) {
    const method = this.server.methods.find(({ desc }) => desc === rpc.subscribe) as ServerStreamingMethod;
    const payload = toBinary(rpc.subscribe.input, create(rpc.subscribe.input, request));
    return new Subscriber(method.handle(payload, callContext(signal && { signal })));
  }

  /** Members of a consumer, as Info tells. */
  async members(topic: string, consumer: string): Promise<{ memberId: string; partitions: number[] }[]> {
    const { info } = await call(this.server.methods, rpc.info, { topic });
    return info?.consumers.find(({ name }) => name === consumer)?.members ?? [];
  }
}

/** Reads a subscription as a client that takes everything does, unless it is paused. */
export class Subscriber {
  readonly responses: StreamServiceSubscribeResponse[] = [];
  readonly messages: StreamMessage[] = [];
  assignment: StreamAssignment | undefined;
  memberId = '';
  /** How it ended. */
  error: GomsgError | undefined;
  ended = false;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #reading = false;
  #paused = false;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.resume();
  }

  get texts(): string[] {
    return this.messages.map(({ payload }) => Buffer.from(payload).toString());
  }

  /** `partition:offset` of every message. */
  get places(): string[] {
    return this.messages.map(({ partition, offset }) => `${partition}:${offset}`);
  }

  get partitions(): number[] {
    return this.assignment?.positions.map(({ partition }) => partition) ?? [];
  }

  /** Takes what is asked for already, and asks for nothing more. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#reading) void this.#read();
  }

  /** Goes away, as a caller that cancels does. */
  async leave(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** Waits until the condition holds; fails when nothing can happen any more that would make it hold. */
  async until(condition: (subscriber: this) => boolean): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      if (condition(this)) return;
      await nextTurn();
    }
    const { texts, error, assignment } = this;
    throw new Error(
      `it never came: ${JSON.stringify({ texts, error, positions: assignment?.positions.length })}`,
    );
  }

  async #read(): Promise<void> {
    this.#reading = true;
    try {
      while (!this.#paused) {
        const { done, value } = await this.#iterator.next();
        if (done) {
          this.ended = true;
          return;
        }
        this.#take(fromBinary(rpc.subscribe.output, value));
      }
    } catch (error) {
      this.error = error as GomsgError;
      this.ended = true;
    } finally {
      this.#reading = false;
    }
  }

  #take(response: StreamServiceSubscribeResponse): void {
    this.responses.push(response);
    this.messages.push(...response.messages);
    if (response.memberId !== '') this.memberId = response.memberId;
    if (response.assignment) this.assignment = response.assignment;
  }
}

/** Turns of the event loop to wait for something: everything here happens within a few. */
const MAX_TURNS = 100;

/** Lets everything that is under way happen. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}
