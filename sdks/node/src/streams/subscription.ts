/** A stream as its user sees it: items that come in, to a handler or one by one, until it is closed. */
import { ErrorReason, type GomsgError, gomsgError } from '../errors.ts';
import { thrownText } from '../thrown.ts';
import type { Plan } from './plan.ts';

/** Gets the items one at a time, in order; the next one comes when its promise, if it returns one, is resolved. */
export type Handler<T> = (item: T) => unknown;

/** Told of errors that do not end the subscription: a handler that failed, an acknowledgement that failed. */
export type ErrorHandler<T> = (error: GomsgError, item: T | undefined) => unknown;

/** How a subscription gets its items, and who wants to know of it. */
export interface SubscriptionParts<T> {
  readonly method: string;
  /** The items over all connections. Returns once `signal` is aborted. `ready` is called when it is in place. */
  readonly items: (signal: AbortSignal, ready: () => void) => AsyncGenerator<T, undefined, undefined>;
  readonly handlerFailed: Plan<never, never, T>['handlerFailed'];
  readonly settled: (() => Promise<unknown>) | undefined;
  readonly handler: Handler<T> | undefined;
  readonly onError: ErrorHandler<T> | undefined;
  readonly signal: AbortSignal | undefined;
  /** It is over. `isSeen` when somebody has asked for its end. */
  readonly ended: (error: GomsgError | undefined, isSeen: boolean) => void;
}

/**
 * An open subscription, consumer or watch. It reconnects by itself until it is closed or fails for good. It is not a
 * promise: `await subscription.ready` waits until it is in place.
 *
 * Without a handler it is an async iterable, which can be read once; leaving the loop closes it.
 */
export class Subscription<T> implements AsyncIterableIterator<T, undefined, undefined>, AsyncDisposable {
  readonly #parts: SubscriptionParts<T>;
  readonly #controller = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<GomsgError | undefined>();
  readonly #source: AsyncGenerator<T, undefined, undefined>;
  readonly #abort = () => void this.close();
  /** The first item, asked for at once so that the connection is made. */
  #first: Promise<IteratorResult<T, undefined>> | undefined;
  #isSeen = false;
  #isOver = false;
  #closing: Promise<void> | undefined;

  constructor(parts: SubscriptionParts<T>) {
    this.#parts = parts;
    // Whoever does not ask for it does not have to look after it.
    this.#ready.promise.catch(() => {});
    this.#source = parts.items(this.#controller.signal, this.#ready.resolve);
    this.#first = this.#source.next();
    this.#first.catch(() => {});
    parts.signal?.addEventListener('abort', this.#abort, { once: true });
    if (parts.signal?.aborted) this.#abort();
    if (parts.handler !== undefined) void this.#run(parts.handler);
    else
      this.#first.then(
        ({ done }) => done && this.#end(undefined),
        (error) => this.#end(error),
      );
  }

  /** Resolves when the server has it in place: nothing that happens later is missed. Rejects when it could not be. */
  get ready(): Promise<void> {
    this.#isSeen = true;
    return this.#ready.promise;
  }

  /** Resolves when it is over: with the error that ended it, or with undefined when it was closed. */
  get closed(): Promise<GomsgError | undefined> {
    this.#isSeen = true;
    return this.#closed.promise;
  }

  /**
   * Ends it. Resolves when acknowledgements that are under way have their answers and the connection is given up. A
   * handler that runs is not waited for. Once it is closed, it does nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#parts.handler !== undefined) {
      throw gomsgError({
        reason: ErrorReason.INVALID_REQUEST,
        method: this.#parts.method,
        message: 'the handler gets the items: leave it out to iterate',
      });
    }
    this.#isSeen = true;
    if (this.#isOver && this.#first === undefined) return { done: true, value: undefined };
    const first = this.#first;
    this.#first = undefined;
    try {
      const result = await (first ?? this.#source.next());
      if (this.#closing !== undefined || result.done) {
        this.#end(undefined);
        return { done: true, value: undefined };
      }
      return result;
    } catch (error) {
      this.#end(error as GomsgError);
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(handler: Handler<T>): Promise<void> {
    try {
      for (let next = this.#first!; ; next = this.#source.next()) {
        this.#first = undefined;
        const { done, value } = await next;
        if (done || this.#closing !== undefined) break;
        try {
          await handler(value);
        } catch (error) {
          await this.#handlerFailed(value, error);
        }
      }
      this.#end(undefined);
    } catch (error) {
      this.#controller.abort();
      // The connection is given up first: what it had delivered can go to others.
      await this.#source.return(undefined).catch(() => {});
      this.#end(error as GomsgError);
    }
  }

  /** @throws HANDLER_FAILED when it ends the subscription */
  async #handlerFailed(item: T, cause: unknown): Promise<void> {
    const { method, onError, handlerFailed } = this.#parts;
    const error = handlerError(method, 'handler', cause);
    const goesOn = handlerFailed?.(item, cause) ?? false;
    if (onError === undefined) {
      if (!goesOn) throw error;
      return;
    }
    try {
      await onError(error, item);
    } catch (failure) {
      throw handlerError(method, 'error handler', failure);
    }
  }

  async #close(): Promise<void> {
    await this.#parts.settled?.();
    this.#controller.abort();
    await this.#source.return(undefined).catch(() => {});
    this.#end(undefined);
  }

  #end(error: GomsgError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.signal?.removeEventListener('abort', this.#abort);
    this.#ready.reject(error ?? closedBefore(this.#parts.method));
    this.#closed.resolve(error);
    this.#parts.ended(error, this.#isSeen);
  }
}

function handlerError(method: string, what: string, cause: unknown): GomsgError {
  return gomsgError({
    reason: ErrorReason.HANDLER_FAILED,
    method,
    message: `the ${what} failed: ${thrownText(cause)}`,
    cause,
  });
}

function closedBefore(method: string): GomsgError {
  return gomsgError({
    reason: ErrorReason.CANCELED,
    method,
    message: 'the subscription was closed before it was in place',
  });
}
