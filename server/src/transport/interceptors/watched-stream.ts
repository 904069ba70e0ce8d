import type { DuplexStream } from '../../services/method.ts';
import type { Failure } from '../../state/failure.ts';
import type { StreamOutcome } from './watched-iterator.ts';

/** A bidirectional stream that tells once how it ended. */
export class WatchedStream implements DuplexStream {
  readonly #stream: DuplexStream;
  #onEnd: ((outcome: StreamOutcome) => void) | undefined;

  constructor(stream: DuplexStream, onEnd: (outcome: StreamOutcome) => void) {
    this.#stream = stream;
    this.#onEnd = onEnd;
    stream.onClose(() => this.ended('left'));
  }

  end(error?: Failure): void {
    this.ended(error);
    this.#stream.end(error);
  }

  write(message: Uint8Array): boolean {
    return this.#stream.write(message);
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#stream.onMessage(listener);
  }

  onEnd(listener: () => void): void {
    this.#stream.onEnd(listener);
  }

  onDraining(listener: () => void): void {
    this.#stream.onDraining(listener);
  }

  onClose(listener: () => void): void {
    this.#stream.onClose(listener);
  }

  onDrain(listener: () => void): void {
    this.#stream.onDrain(listener);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Tells how the stream ended; only the first time counts. */
  ended(outcome: StreamOutcome): void {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.(outcome);
  }
}
