import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BidiStreamingMethod, DuplexStream } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import { DRAINING, toFailure } from './failures.ts';
import { GrpcCallContext } from './grpc-context.ts';
import type { StreamOptions } from './grpc-server-stream.ts';
import { asBuffer, toGrpcStatus } from './grpc-status.ts';
import { SendWindow } from './send-window.ts';
import { methodPath } from './unknown-method.ts';

/** A bidirectional method as grpc-js calls it. */
export function grpcBidi(method: BidiStreamingMethod, options: StreamOptions) {
  const path = methodPath(method);
  return (call: ServerDuplexStream<Buffer, Buffer>): void => {
    try {
      const context = new GrpcCallContext(call);
      method.handle(new GrpcDuplex(call, path, options), context);
    } catch (error) {
      call.emit('error', toGrpcStatus(toFailure(error, path, options.report)));
    }
  };
}

/**
 * A bidirectional gRPC call. When the port drains, a handler that does not listen for that sees a half-close: it answers what
 * it took and ends, and the caller sees DRAINING instead of success.
 */
class GrpcDuplex implements DuplexStream {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #window: SendWindow;
  readonly #path: string;
  readonly #options: StreamOptions;
  readonly #endListeners: (() => void)[] = [];
  readonly #drainingListeners: (() => void)[] = [];
  readonly #read: (size: number) => void;
  #paused = false;
  #readHeld = false;
  #readEnded = false;
  #ended = false;

  constructor(call: ServerDuplexStream<Buffer, Buffer>, path: string, options: StreamOptions) {
    this.#call = call;
    this.#path = path;
    this.#options = options;
    this.#window = new SendWindow(options.maxUnsentBytes);
    // A paused stream of Node reads on until it holds 16 messages, each as large as a frame may be. So the reading
    // itself is held: a handler that pauses gets at most the message that was already under way.
    this.#read = call._read.bind(call);
    call._read = (size) => {
      if (this.#paused) this.#readHeld = true;
      else this.#read(size);
    };
    const { draining } = options;
    const drain = () => this.#drain();
    draining.addEventListener('abort', drain);
    call.once('end', () => this.#endReading());
    call.once('close', () => {
      this.#ended = true;
      draining.removeEventListener('abort', drain);
    });
    // Handlers take their listeners first, so one that starts while the port drains is told so afterwards.
    if (draining.aborted) setImmediate(drain);
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#call.on('data', (message: Buffer) => this.#guarded(() => listener(message)));
  }

  onEnd(listener: () => void): void {
    this.#endListeners.push(listener);
  }

  onDraining(listener: () => void): void {
    this.#drainingListeners.push(listener);
  }

  onClose(listener: () => void): void {
    this.#call.once('close', listener);
  }

  pause(): void {
    this.#paused = true;
    this.#call.pause();
  }

  resume(): void {
    if (this.#readEnded) return;
    this.#paused = false;
    this.#call.resume();
    if (!this.#readHeld) return;
    this.#readHeld = false;
    this.#read(0);
  }

  write(message: Uint8Array): boolean {
    if (this.#ended) return false;
    this.#window.add(message.length);
    this.#call.write(asBuffer(message), () => this.#window.taken(message.length));
    return this.#window.hasRoom;
  }

  onDrain(listener: () => void): void {
    this.#window.onRoom(() => {
      if (!this.#ended) this.#guarded(listener);
    });
  }

  end(error?: Failure): void {
    if (this.#ended) return;
    this.#ended = true;
    const failure = error ?? (this.#options.draining.aborted ? DRAINING : undefined);
    if (failure === undefined) this.#call.end();
    else this.#call.emit('error', toGrpcStatus(failure));
  }

  #drain(): void {
    if (this.#drainingListeners.length > 0) {
      for (const listener of this.#drainingListeners) this.#guarded(listener);
      return;
    }
    this.#call.removeAllListeners('data');
    this.pause();
    this.#endReading();
  }

  #endReading(): void {
    if (this.#readEnded) return;
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
