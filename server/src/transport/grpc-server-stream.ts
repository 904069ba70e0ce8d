import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ServerStreamingMethod } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { DRAINING, type ReportBug, stopProducer, toFailure } from './failures.ts';
import { GrpcCallContext } from './grpc-context.ts';
import { asBuffer, toGrpcStatus } from './grpc-status.ts';
import { SendWindow } from './send-window.ts';
import { methodPath } from './unknown-method.ts';

/** What streams need to know of their port. */
export interface StreamOptions {
  /** Bytes that one stream may have waiting for its connection before its producer is held back. */
  readonly maxUnsentBytes: number;
  /** Aborted when the port begins to drain: streams without an end of their own finish then. */
  readonly draining: AbortSignal;
  readonly report: ReportBug;
}

/** A server streaming method as grpc-js calls it: pulls a message when the connection has room for one. */
export function grpcServerStream(method: ServerStreamingMethod, options: StreamOptions) {
  const path = methodPath(method);
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    let messages: AsyncIterator<Uint8Array>;
    try {
      messages = method.handle(call.request, new GrpcCallContext(call))[Symbol.asyncIterator]();
    } catch (error) {
      call.emit('error', toGrpcStatus(toFailure(error, path, options.report)));
      return;
    }
    void new Pump(call, messages, path, options).run();
  };
}

class Pump {
  readonly #call: ServerWritableStream<Buffer, Buffer>;
  readonly #messages: AsyncIterator<Uint8Array>;
  readonly #path: string;
  readonly #options: StreamOptions;
  readonly #window: SendWindow;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(
    call: ServerWritableStream<Buffer, Buffer>,
    messages: AsyncIterator<Uint8Array>,
    path: string,
    options: StreamOptions,
  ) {
    this.#call = call;
    this.#messages = messages;
    this.#path = path;
    this.#options = options;
    this.#window = new SendWindow(options.maxUnsentBytes);
    this.#window.onRoom(() => this.#wake?.());
  }

  /** Runs until the messages end, the caller goes away or the port drains. Never rejects. */
  async run(): Promise<void> {
    const { draining } = this.#options;
    const leave = () => this.#stop();
    const drain = () => this.#stop(DRAINING);
    this.#call.once('cancelled', leave);
    draining.addEventListener('abort', drain);
    if (draining.aborted) drain();
    try {
      while (!this.#ended) {
        const next = await this.#messages.next();
        if (this.#ended) break;
        if (next.done) {
          this.#finish();
          break;
        }
        this.#send(next.value);
        if (!this.#window.hasRoom) await this.#room();
      }
    } catch (error) {
      // The producer's answer to being stopped, often its own abort error, is of no interest to anyone.
      if (!this.#ended) this.#finish(toFailure(error, this.#path, this.#options.report));
    } finally {
      draining.removeEventListener('abort', drain);
      this.#call.off('cancelled', leave);
    }
  }

  #send(message: Uint8Array): void {
    this.#window.add(message.length);
    this.#call.write(asBuffer(message), () => this.#window.taken(message.length));
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #finish(failure?: Failure): void {
    this.#ended = true;
    if (failure === undefined) this.#call.end();
    else this.#call.emit('error', toGrpcStatus(failure));
  }

  /** Ends the stream from outside: the producer may be waiting for its next message and need not give one. */
  #stop(failure?: Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    if (failure !== undefined) this.#call.emit('error', toGrpcStatus(failure));
    this.#wake?.();
    stopProducer(this.#messages, this.#path, this.#options.report);
  }
}
