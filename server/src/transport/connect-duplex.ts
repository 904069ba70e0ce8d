import { GomsgError } from '../services/errors.ts';
import type { DuplexStream } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { DRAINING, toFailure } from './failures.ts';
import type { StreamOptions } from './grpc-server-stream.ts';
import { SendWindow } from './send-window.ts';

/**
 * A bidirectional stream between two async iterables, for the protocols that connect-es serves. Draining looks to
 * a handler that does not listen for it like a half-close, as it does over gRPC.
 */
export class ConnectDuplex implements DuplexStream {
  readonly #window: SendWindow;
  readonly #path: string;
  readonly #options: StreamOptions;
  readonly #unsent: Uint8Array[] = [];
  readonly #messageListeners: ((message: Uint8Array) => void)[] = [];
  readonly #endListeners: (() => void)[] = [];
  readonly #closeListeners: (() => void)[] = [];
  readonly #drainingListeners: (() => void)[] = [];
  readonly #onDrain = () => this.#drain();
  readonly #onAbort = () => this.close();
  readonly #signal: AbortSignal;
  #paused: PromiseWithResolvers<void> | undefined;
  #wakeSender: (() => void) | undefined;
  #readEnded = false;
  #ended = false;
  #failure: Failure | undefined;
  #closed = false;

  constructor(signal: AbortSignal, path: string, options: StreamOptions) {
    this.#path = path;
    this.#options = options;
    this.#window = new SendWindow(options.maxUnsentBytes);
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    this.#options.draining.addEventListener('abort', this.#onDrain);
    if (this.#options.draining.aborted) setImmediate(this.#onDrain);
  }

  /** Gives the handler its messages, one at a time, until they end. Never rejects: a broken stream just closes. */
  async read(messages: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const message of messages) {
        await this.#paused?.promise;
        if (this.#readEnded || this.#closed) return;
        for (const listener of this.#messageListeners) this.#guarded(() => listener(message));
      }
      await this.#paused?.promise;
      this.#endReading();
    } catch {
      // The request broke off or could not be decoded; connect-es gives the caller the reason.
      this.close();
    }
  }

  /** What the handler writes, until it ends the stream. Throws the error with which it ended. */
  async *responses(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = this.#unsent.shift();
      if (message !== undefined) {
        yield message;
        this.#window.taken(message.length);
      } else if (this.#ended || this.#closed) {
        if (this.#failure !== undefined) throw new GomsgError(this.#failure);
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeSender = resolve;
        });
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#options.draining.removeEventListener('abort', this.#onDrain);
    this.#paused?.resolve();
    this.#wakeSender?.();
    for (const listener of this.#closeListeners) listener();
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#messageListeners.push(listener);
  }

  onEnd(listener: () => void): void {
    this.#endListeners.push(listener);
  }

  onDraining(listener: () => void): void {
    this.#drainingListeners.push(listener);
  }

  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  write(message: Uint8Array): boolean {
    if (this.#ended || this.#closed) return false;
    this.#window.add(message.length);
    this.#unsent.push(message);
    this.#wakeSender?.();
    return this.#window.hasRoom;
  }

  onDrain(listener: () => void): void {
    this.#window.onRoom(() => {
      if (!this.#ended && !this.#closed) this.#guarded(listener);
    });
  }

  end(error?: Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error ?? (this.#options.draining.aborted ? DRAINING : undefined);
    this.#wakeSender?.();
  }

  #drain(): void {
    if (this.#drainingListeners.length === 0) this.#endReading();
    for (const listener of this.#drainingListeners) this.#guarded(listener);
  }

  #endReading(): void {
    if (this.#readEnded || this.#closed) return;
    this.#readEnded = true;
    for (const listener of this.#endListeners) this.#guarded(listener);
  }

  /** Runs a listener of the handler. One that throws ends its stream and not the server. */
  #guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.end(toFailure(error, this.#path, this.#options.report));
    }
  }
}
