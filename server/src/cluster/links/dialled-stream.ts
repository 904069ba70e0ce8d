/** The end of a stream between two nodes that called: a nice-grpc call of two iterables. */
import { ClientError } from 'nice-grpc';
import { SendWindow } from '../../transport/send-window.ts';
import { NO_LISTENER, type PeerStream, type StreamListener } from './peer-stream.ts';

/** A bidirectional method of a nice-grpc client that takes and gives encoded messages. */
export type BidiCall = (
  requests: AsyncIterable<Buffer>,
  options: { readonly signal: AbortSignal },
) => AsyncIterable<Uint8Array>;

type Pull = (next: IteratorResult<Buffer, undefined>) => void;

const NO_MORE: IteratorResult<Buffer, undefined> = { done: true, value: undefined };

export class DialledStream implements PeerStream {
  readonly peer: string;
  readonly #window: SendWindow;
  readonly #controller = new AbortController();
  #waiting: Buffer[] = [];
  #pull: Pull | undefined;
  #listener: StreamListener = NO_LISTENER;
  #onceClosed: (() => void) | undefined;
  #ended = false;
  #isClosed = false;
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(call: BidiCall, peer: string, maxUnsentBytes: number) {
    this.peer = peer;
    this.#window = new SendWindow(maxUnsentBytes);
    this.#window.onRoom(() => this.#listener.drained());
    const requests: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((resolve) => this.#next(resolve)),
        return: async () => NO_MORE,
      }),
    };
    void this.#read(call(requests, { signal: this.#controller.signal }));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasRoom(): boolean {
    return this.#window.hasRoom;
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
  }

  /** For who counts streams; the listener may change, this does not. */
  onceClosed(action: () => void): void {
    this.#onceClosed = action;
  }

  write(message: Buffer): void {
    if (this.#ended || this.#isClosed) return;
    this.#window.add(message.length);
    this.#waiting.push(message);
    this.#give();
  }

  pause(): void {
    this.#resumed ??= Promise.withResolvers();
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  end(): void {
    this.#ended = true;
    this.#give();
  }

  /** Ends the stream both ways, at once. `why` is what the listener is told, for others than the caller. */
  abort(why: Error): void {
    if (this.#isClosed) return;
    this.#controller.abort(why);
    this.#close(why);
  }

  #next(pull: Pull): void {
    this.#pull = pull;
    this.#give();
  }

  /** Hands the next message to the connection, which asks for one when it has room. */
  #give(): void {
    const pull = this.#pull;
    if (pull === undefined) return;
    const message = this.#waiting.shift();
    if (message !== undefined) {
      this.#pull = undefined;
      pull({ done: false, value: message });
      this.#window.taken(message.length);
    } else if (this.#ended) {
      this.#pull = undefined;
      pull(NO_MORE);
    }
  }

  async #read(responses: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const message of responses) {
        while (this.#resumed !== undefined) await this.#resumed.promise;
        if (this.#isClosed) return;
        this.#listener.message(message);
      }
      this.#close(undefined);
    } catch (error) {
      this.#close(plain(error));
    }
  }

  #close(why: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = [];
    this.resume();
    this.end();
    this.#onceClosed?.();
    this.#listener.closed(why);
  }
}

/** Of a connection that could not be made grpc-js tells the system's reason amid its own words. */
const NOT_CONNECTED = /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note: /s;

/** Says what happened, for operators: not which method it happened to, which is always the same. Keeps the gRPC code. */
function plain(error: unknown): Error {
  if (!(error instanceof ClientError)) return error instanceof Error ? error : new Error(String(error));
  const { code, details } = error;
  return Object.assign(new Error(NOT_CONNECTED.exec(details)?.[1] ?? details, { cause: error }), { code });
}
