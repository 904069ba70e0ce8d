/** Opens the streams that the generated methods ask for, and closes them with their client. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { ErrorReason, type GomsgError, gomsgError } from '../errors.ts';
import type { Calls } from '../faces/calls.ts';
import { type StreamFace, unaryFace } from '../faces/face.ts';
import * as input from '../faces/input.ts';
import type { Origin, Read } from '../faces/output.ts';
import {
  StreamService,
  type StreamServiceSubscribeRequestSchema,
  type StreamServiceSubscribeResponseSchema,
} from '../gen/gomsg/v1/stream_pb.js';
import { type Hooks, told } from '../hooks.ts';
import type { QueueMessage } from '../messages/queue-message.ts';
import type { StreamMessage } from '../messages/stream-message.ts';
import { Commits } from './commits.ts';
import type { Plan } from './plan.ts';
import { ConsumerPlan, RestartPlan, Unsettled, WatchPlan } from './plans.ts';
import { reconnecting, type StreamNetwork } from './reconnecting.ts';
import { type ErrorHandler, type Handler, Subscription } from './subscription.ts';
import { NamedPlan, UnnamedPlan } from './subscription-plan.ts';

/** Options of every stream. */
export interface StreamOptions {
  /** Closes the subscription when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Options of a stream that has a handler. */
export interface HandlerOptions<T> extends StreamOptions {
  /**
   * Told when the handler failed, with HANDLER_FAILED, and when an acknowledgement failed that nobody waits for. The
   * subscription then goes on. Without it a handler that fails ends the subscription; a queue's consumer gives the
   * message back and goes on either way.
   */
  readonly onError?: ErrorHandler<T>;
}

/** What a caller gives behind the positional arguments. */
export type StreamArguments<T, O extends StreamOptions> =
  | [options?: O | undefined]
  | [handler: Handler<T>, options?: (O & HandlerOptions<T>) | undefined];

/** The same, told apart. */
export interface Reader<T, O extends StreamOptions> {
  readonly handler: Handler<T> | undefined;
  readonly options: O & HandlerOptions<T>;
}

const ACK = unaryFace('stream.ack', StreamService.method.ack);
const READ = unaryFace('stream.read', StreamService.method.read);

/** Messages that are read at once to close the gap of a lost connection. */
const GAP_MESSAGES = 1_000;

export class Streams {
  readonly #calls: Calls;
  readonly #network: StreamNetwork;
  readonly #hooks: Hooks;
  readonly #open = new Set<{ close(): Promise<void> }>();
  #isClosed = false;

  constructor(calls: Calls, network: StreamNetwork, hooks: Hooks) {
    this.#calls = calls;
    this.#network = network;
    this.#hooks = hooks;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** @throws INVALID_REQUEST */
  readerOf<T, O extends StreamOptions>(
    face: { readonly name: string },
    given: StreamArguments<T, O>,
    names: ReadonlySet<string>,
  ): Reader<T, O> {
    const [first, second] = given;
    const isHandler = typeof first === 'function';
    if (!isHandler && (first === null || (first !== undefined && typeof first !== 'object'))) {
      throw input.invalid(face.name, 'handler', `must be a function, not ${input.described(first)}`);
    }
    const options = (isHandler || first === undefined ? second : first) ?? {};
    const { signal, onError } = input.fields(names, options, face.name, 'options');
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw input.invalid(face.name, 'signal', `must be an AbortSignal, not ${input.described(signal)}`);
    }
    if (onError !== undefined && typeof onError !== 'function') {
      throw input.invalid(face.name, 'onError', `must be a function, not ${input.described(onError)}`);
    }
    return { handler: isHandler ? first : undefined, options: options as O & HandlerOptions<T> };
  }

  restart<I extends DescMessage, O extends DescMessage, M, T>(
    face: StreamFace<I, O>,
    request: MessageShape<I>,
    items: (response: MessageShape<O>) => readonly M[],
    read: Read<M, T>,
    reader: Reader<T, StreamOptions>,
  ): Subscription<T> {
    const plan = new RestartPlan(request, items, read, this.#origin(face, reader));
    return this.#subscribe(face, request, plan, reader);
  }

  watch<I extends DescMessage, O extends DescMessage, M, T>(
    face: StreamFace<I, O>,
    request: MessageShape<I>,
    items: (response: MessageShape<O>) => readonly M[],
    read: Read<M, T>,
    reader: Reader<T, StreamOptions>,
  ): Subscription<T> {
    const plan = new WatchPlan(request, items, read, this.#origin(face, reader));
    return this.#subscribe(face, request, plan, reader);
  }

  consume<I extends DescMessage, O extends DescMessage, M>(
    face: StreamFace<I, O>,
    request: MessageShape<I>,
    items: (response: MessageShape<O>) => readonly M[],
    read: Read<M, QueueMessage>,
    reader: Reader<QueueMessage, StreamOptions>,
  ): Subscription<QueueMessage> {
    const unsettled = new Unsettled();
    const origin = this.#origin(face, reader, unsettled);
    const plan = new ConsumerPlan(request, items, read, origin, unsettled);
    return this.#subscribe(face, request, plan, reader);
  }

  subscribe(
    face: StreamFace<typeof StreamServiceSubscribeRequestSchema, typeof StreamServiceSubscribeResponseSchema>,
    request: MessageShape<typeof StreamServiceSubscribeRequestSchema>,
    reader: Reader<StreamMessage, StreamOptions>,
  ): Subscription<StreamMessage> {
    const { topic } = request;
    const consumer = request.consumer || request.group;
    const origin = this.#origin(face, reader);
    if (consumer === '') {
      const limit = GAP_MESSAGES;
      const plan = new UnnamedPlan(request, origin, (partition, offset) =>
        this.#calls.call(READ, { topic, partition, offset, limit }),
      );
      return this.#subscribe(face, request, plan, reader);
    }
    const commits = new Commits((partition, offset, memberId) =>
      this.#calls.call(ACK, { topic, consumer, partition, offset, memberId }),
    );
    return this.#subscribe(face, request, new NamedPlan(request, origin, commits), reader);
  }

  /** Closes all streams; resolves when they have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open].map((subscription) => subscription.close()));
  }

  #subscribe<I extends DescMessage, O extends DescMessage, T>(
    face: StreamFace<I, O>,
    request: MessageShape<I>,
    plan: Plan<I, O, T>,
    { handler, options }: Reader<T, StreamOptions>,
  ): Subscription<T> {
    if (this.#isClosed) {
      throw gomsgError({
        reason: ErrorReason.CLIENT_CLOSED,
        method: face.name,
        message: 'the client was closed before this call',
      });
    }
    const route = face.routeOf(request);
    const subscription: Subscription<T> = new Subscription<T>({
      method: face.name,
      items: (signal, ready) => reconnecting(face, route, plan, this.#network, signal, ready),
      handlerFailed: plan.handlerFailed?.bind(plan),
      settled: plan.settled?.bind(plan),
      handler,
      onError: options.onError,
      signal: options.signal,
      ended: (error, isSeen) => {
        this.#open.delete(subscription);
        if (error !== undefined) this.#ended(error, isSeen);
      },
    });
    this.#open.add(subscription);
    return subscription;
  }

  #ended(error: GomsgError, isSeen: boolean): void {
    told(this.#hooks.log, 'error', error.message, { error });
    // Whoever neither looks at the subscription nor logs would never learn that nothing comes any more.
    if (!isSeen && this.#hooks.log === undefined)
      process.emitWarning(error.message, 'GomsgSubscriptionEnded');
  }

  #origin<T>(
    { name }: { readonly name: string },
    { options }: Reader<T, StreamOptions>,
    unsettled?: Unsettled,
  ): Origin {
    const { onError } = options;
    return {
      method: name,
      settling: {
        call: (face, request) => this.#calls.call(face, request),
        ...(unsettled && { began: (settlement) => unsettled.add(settlement) }),
        failed: (error, message) => {
          if (onError === undefined) this.#calls.failed(error, message);
          else told(onError, error, message as T);
        },
      },
    };
  }
}
