/** A Pop call that found nothing and waits. */
import type { Duration } from '@bufbuild/protobuf/wkt';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import { GomsgError } from '../errors.ts';
import type { CallContext, Reply, SessionCall } from '../method.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Line } from './line.ts';
import type { Taker } from './taker.ts';

export interface WaitingPopOptions {
  readonly queue: string;
  readonly maxMessages: number;
  readonly lease: Duration | undefined;
  readonly wait_ms: number;
  /** The session call, unless a pop was made in it already. */
  readonly session: SessionCall | undefined;
}

const emptyResponse = new Uint8Array();

export class WaitingPop implements Taker {
  readonly lease: Duration | undefined;
  readonly #maxMessages: number;
  readonly #dispatcher: Dispatcher;
  readonly #line: Line;
  readonly #signal: AbortSignal;
  readonly #reply: Reply;
  #session: SessionCall | undefined;
  #answered = false;
  /** A pop is on its way: its outcome is the answer, also when the wait is over by then. */
  #served = false;
  #waited = false;
  readonly #timer: NodeJS.Timeout;

  /**
   * Waits until there are messages, the wait or the caller's deadline is over, or the caller goes away.
   * @throws GomsgError OVERLOADED when too many wait already
   */
  static begin(dispatcher: Dispatcher, options: WaitingPopOptions, context: CallContext, reply: Reply): void {
    const line = dispatcher.join(options.queue);
    const pop = new WaitingPop(dispatcher, line, options, context, reply);
    dispatcher.start(
      line,
      pop,
      () => {},
      (failure) => pop.fail(failure),
    );
  }

  private constructor(
    dispatcher: Dispatcher,
    line: Line,
    options: WaitingPopOptions,
    context: CallContext,
    reply: Reply,
  ) {
    this.#dispatcher = dispatcher;
    this.#line = line;
    this.#reply = reply;
    this.#signal = context.signal;
    this.#maxMessages = options.maxMessages;
    this.#session = options.session;
    this.lease = options.lease;
    const patience_ms = context.deadline_ms === undefined ? Infinity : context.deadline_ms - Date.now();
    this.#timer =
      patience_ms < options.wait_ms
        ? setTimeout(() => this.fail(deadlineExceeded), Math.max(0, patience_ms))
        : setTimeout(() => this.#waitOver(), options.wait_ms);
    this.#signal.addEventListener('abort', this.#aborted, { once: true });
    if (this.#signal.aborted) this.#aborted();
  }

  get wanted(): number {
    return this.#answered || this.#waited ? 0 : this.#maxMessages;
  }

  get gone(): boolean {
    return this.#answered;
  }

  served(): SessionCall | undefined {
    this.#served = true;
    const session = this.#session;
    this.#session = undefined;
    return session;
  }

  take(popResponse: Uint8Array): void {
    this.#end(() => this.#reply.ok(popResponse));
  }

  missed(): void {
    this.#served = false;
    if (this.#waited) this.#waitOver();
  }

  fail(failure: Failure): void {
    this.#end(() => this.#reply.fail(failure));
  }

  readonly #aborted = (): void => {
    const { reason } = this.#signal;
    this.fail(reason instanceof GomsgError ? reason : canceled);
  };

  #waitOver(): void {
    this.#waited = true;
    if (!this.#served) this.#end(() => this.#reply.ok(emptyResponse));
  }

  #end(answer: () => void): void {
    if (this.#answered) return;
    this.#answered = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#dispatcher.part(this.#line, this);
    answer();
  }
}

const deadlineExceeded: Failure = {
  reason: ErrorReason.DEADLINE_EXCEEDED,
  message: 'no message became ready before the deadline of the call',
};

const canceled: Failure = {
  reason: ErrorReason.CANCELED,
  message: 'the call was canceled while it waited for a message',
};
