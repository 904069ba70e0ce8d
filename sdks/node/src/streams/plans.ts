/** The plans of the streams: how each goes on after a lost connection. */
import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import type { Origin, Read } from '../faces/output.ts';
import type { QueueMessage } from '../messages/queue-message.ts';
import { thrownText } from '../thrown.ts';
import type { Plan } from './plan.ts';

type Items<O extends DescMessage, M> = (response: MessageShape<O>) => readonly M[];

/** With the same request: the items are states, and the newest says all. */
export class RestartPlan<I extends DescMessage, O extends DescMessage, M, T> implements Plan<I, O, T> {
  readonly dropsWhenLost: boolean = false;
  protected readonly origin: Origin;
  readonly #request: MessageShape<I>;
  readonly #items: Items<O, M>;
  readonly #read: Read<M, T>;

  constructor(request: MessageShape<I>, items: Items<O, M>, read: Read<M, T>, origin: Origin) {
    this.#request = request;
    this.#items = items;
    this.#read = read;
    this.origin = origin;
  }

  request(): MessageShape<I> {
    return this.#request;
  }

  *take(response: MessageShape<O>): Generator<T, undefined, undefined> {
    for (const item of this.#items(response)) yield this.#read(item, this.origin);
  }
}

/** Acknowledgements that are under way: before a consumer ends they are waited for, because deliveries go back then. */
export class Unsettled {
  readonly #outcomes = new Set<Promise<void>>();

  add(settlement: Promise<unknown>): void {
    const outcome = settlement.then(
      () => {},
      () => {},
    );
    this.#outcomes.add(outcome);
    void outcome.then(() => this.#outcomes.delete(outcome));
  }

  async settled(): Promise<void> {
    while (this.#outcomes.size > 0) await Promise.all(this.#outcomes);
  }
}

/** With the same request: unsettled deliveries come again, so what was not handed on yet is dropped. */
export class ConsumerPlan<I extends DescMessage, O extends DescMessage, M> extends RestartPlan<
  I,
  O,
  M,
  QueueMessage
> {
  /** Why a handler failed is kept with the message. The server takes so many bytes of it. */
  static readonly #ERROR_BYTES_MAX = 1_024;

  override readonly dropsWhenLost = true;
  readonly #unsettled: Unsettled;

  constructor(
    request: MessageShape<I>,
    items: Items<O, M>,
    read: Read<M, QueueMessage>,
    origin: Origin,
    unsettled: Unsettled,
  ) {
    super(request, items, read, origin);
    this.#unsettled = unsettled;
  }

  settled(): Promise<void> {
    return this.#unsettled.settled();
  }

  /** The message goes back for another try, whether or not anybody handles the error. */
  handlerFailed(message: QueueMessage, cause: unknown): boolean {
    // A failure of this, such as of a handler that had acknowledged it, goes to the error handler as any other does.
    void message.nack({ error: truncated(thrownText(cause), ConsumerPlan.#ERROR_BYTES_MAX) });
    return true;
  }
}

/** A request and a response that know where a stream resumes. */
export interface ResumableRequest extends Message {
  resumeToken: Uint8Array;
  /** Where it began; not together with a token. */
  fromRevision: bigint;
}
export interface ResumableResponse extends Message {
  readonly resumeToken: Uint8Array;
}

/** From the token that came last. */
export class WatchPlan<I extends DescMessage, O extends DescMessage, M, T> extends RestartPlan<I, O, M, T> {
  #token: Uint8Array = new Uint8Array(0);

  override request(): MessageShape<I> {
    const request = super.request();
    if (this.#token.length > 0) {
      const resumed = request as unknown as ResumableRequest;
      resumed.resumeToken = this.#token;
      resumed.fromRevision = 0n;
    }
    return request;
  }

  override *take(response: MessageShape<O>): Generator<T, undefined, undefined> {
    yield* super.take(response);
    const { resumeToken } = response as unknown as ResumableResponse;
    if (resumeToken.length > 0) this.#token = resumeToken;
  }
}

/** As much of a text as fits into so many bytes of UTF-8, without half a character. */
function truncated(text: string, maxBytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
