/** Carries out what the generated methods ask for. */
import {
  create,
  type DescMessage,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { type Duration, durationMs } from '@bufbuild/protobuf/wkt';
import { ErrorReason, GomsgError, GrpcCode, gomsgError } from '../errors.ts';
import { type Hooks, told } from '../hooks.ts';
import type { Settling } from '../messages/settling.ts';
import type { CallListener } from '../pipeline/call.ts';
import type { PipelineMethod } from '../pipeline/method.ts';
import type { PipelineCallOptions, PipelineClient } from '../pipeline.ts';
import type { CallOptions } from './call-options.ts';
import type { UnaryFace } from './face.ts';
import type { Origin, Read } from './output.ts';

/** Elements that are asked for with each page. */
const PAGE_ELEMENTS = 1_000;

export interface CallsSettings {
  readonly timeout_ms: number;
  /** Most elements that a method collects from pages. */
  readonly maxCollected: number;
  readonly hooks: Hooks;
}

/** How a method that answers in pages reads one. */
export interface Paging<O extends DescMessage, T> {
  /** Names of the fields, as protobuf-es has them. */
  readonly cursor: string;
  readonly nextCursor: string;
  /** Field that says how many elements a page has, where there is one. */
  readonly limit: string | undefined;
  elements(response: MessageShape<O>, origin: Origin): T[];
}

export class Calls implements Settling {
  readonly #pipeline: PipelineClient;
  readonly #settings: CallsSettings;

  constructor(pipeline: PipelineClient, settings: CallsSettings) {
    this.#pipeline = pipeline;
    this.#settings = settings;
  }

  /** One call. Without `read` its answer is nothing. `wait` is how long the server was asked to wait. */
  unary<I extends DescMessage, O extends DescMessage, T = void>(
    face: UnaryFace<I, O>,
    request: MessageShape<I>,
    options?: CallOptions,
    read?: Read<MessageShape<O>, T>,
    wait?: Duration,
  ): Promise<T> {
    const { hooks } = this.#settings;
    const target = face.method.routeOf(request as Message);
    const payload = face.method.encode(request as MessageInitShape<I>);
    return new Promise((resolve, reject) => {
      const answer = new Answer(face, read, this, resolve, reject);
      if (hooks.onCall !== undefined) answer.observe(hooks, target);
      this.#pipeline.submit(
        face.method as unknown as PipelineMethod,
        payload,
        answer,
        options === undefined && wait === undefined ? undefined : this.#pipelineOptions(options, wait),
        target,
      );
    });
  }

  call<I extends DescMessage, O extends DescMessage>(
    face: UnaryFace<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return this.unary(face, create(face.desc.input, request), undefined, (response) => response);
  }

  failed(error: GomsgError, message: unknown): void {
    told(this.#settings.hooks.log, 'warn', error.message, { error, message });
  }

  /** The elements of all pages, one by one. The timeout counts for each page. */
  async *pages<I extends DescMessage, O extends DescMessage, T>(
    face: UnaryFace<I, O>,
    request: MessageShape<I>,
    options: CallOptions | undefined,
    paging: Paging<O, T>,
  ): AsyncGenerator<T, undefined, undefined> {
    const fields = request as unknown as Record<string, unknown>;
    if (paging.limit !== undefined) fields[paging.limit] = PAGE_ELEMENTS;
    for (;;) {
      let next = NO_BYTES;
      const page = await this.unary(face, request, options, (response, origin) => {
        next = (response as unknown as Record<string, unknown>)[paging.nextCursor] as Uint8Array;
        return paging.elements(response, origin);
      });
      yield* page;
      if (next.length === 0) return;
      fields[paging.cursor] = next;
    }
  }

  /** The elements of all pages in one list. The timeout counts for the whole. */
  async collect<I extends DescMessage, O extends DescMessage, T>(
    face: UnaryFace<I, O>,
    request: MessageShape<I>,
    options: CallOptions | undefined,
    paging: Paging<O, T>,
  ): Promise<T[]> {
    const { maxCollected, timeout_ms } = this.#settings;
    const given_ms = options?.timeout === undefined ? timeout_ms : options.timeout * 1000;
    const deadline_ms = performance.now() + given_ms;
    const remaining: CallOptions = {
      ...options,
      get timeout() {
        return Math.max(1, deadline_ms - performance.now()) / 1000;
      },
    };
    const collected: T[] = [];
    for await (const element of this.pages(face, request, remaining, paging)) {
      if (collected.length === maxCollected) {
        throw gomsgError({
          reason: ErrorReason.RESULT_TOO_LARGE,
          method: face.name,
          message: `there are more than the ${maxCollected} elements that a client collects`,
        });
      }
      collected.push(element);
    }
    return collected;
  }

  #pipelineOptions(options: CallOptions | undefined, wait: Duration | undefined): PipelineCallOptions {
    const timeout_ms = options?.timeout === undefined ? this.#settings.timeout_ms : options.timeout * 1000;
    const wait_ms = wait === undefined ? 0 : Math.max(0, durationMs(wait));
    return {
      timeout_ms: Math.min(timeout_ms + wait_ms, MAX_TIMEOUT_MS),
      ...(options?.signal && { signal: options.signal }),
    };
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Node's timers hold no more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Takes the answer of one call, as one object that is also the origin of what it brings. */
class Answer<I extends DescMessage, O extends DescMessage, T> implements CallListener, Origin {
  readonly settling: Settling;
  readonly #face: UnaryFace<I, O>;
  readonly #read: Read<MessageShape<O>, T> | undefined;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: GomsgError) => void;
  #ended: ((error: GomsgError | undefined) => void) | undefined;

  constructor(
    face: UnaryFace<I, O>,
    read: Read<MessageShape<O>, T> | undefined,
    settling: Settling,
    resolve: (value: T) => void,
    reject: (error: GomsgError) => void,
  ) {
    this.#face = face;
    this.#read = read;
    this.settling = settling;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get method(): string {
    return this.#face.name;
  }

  observe(hooks: Hooks, target: string | undefined): void {
    const began_ms = performance.now();
    const { name, rpc } = this.#face;
    const end = told(hooks.onCall, { method: name, rpc, target });
    if (typeof end !== 'function') return;
    this.#ended = (error) => told(end, { error, duration: (performance.now() - began_ms) / 1000 });
  }

  answered(response: Uint8Array): void {
    let result: T | undefined;
    try {
      result = this.#read?.(this.#face.method.decode(response), this);
    } catch (error) {
      this.failed(error instanceof GomsgError ? error : malformed(this.method, error));
      return;
    }
    this.#ended?.(undefined);
    this.#resolve(result as T);
  }

  failed(error: GomsgError): void {
    this.#ended?.(error);
    this.#reject(error);
  }
}

function malformed(method: string, cause: unknown): GomsgError {
  return gomsgError({
    code: GrpcCode.UNKNOWN,
    method,
    message: `the response is malformed: ${cause instanceof Error ? cause.message : cause}`,
    cause,
  });
}
