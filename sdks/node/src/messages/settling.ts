/** How messages are acknowledged: by calls of the client that they came from. */
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { GomsgError } from '../errors.ts';
import type { UnaryFace } from '../faces/face.ts';

export interface Settling {
  /** Makes a call of the client. */
  call<I extends DescMessage, O extends DescMessage>(
    face: UnaryFace<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>>;
  /** Told of each settlement, to wait for it before the end. */
  began?(settlement: Promise<unknown>): void;
  /** A settlement failed, and nobody looks at its promise. */
  failed(error: GomsgError, message: unknown): void;
}

/**
 * The outcome of an acknowledgement: a promise that may be left alone. A failure that nobody has asked for by then goes
 * to the one who is told of errors, and never becomes an unhandled rejection.
 */
export class Settlement<T> extends Promise<T> {
  #isWatched = false;

  // Promises that `then` makes are plain ones: they are the caller's to look after.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(outcome: Promise<T>, unwatched: (error: GomsgError) => void): Settlement<T> {
    const settlement = new Settlement<T>((resolve, reject) => {
      outcome.then(resolve, (error: GomsgError) => {
        reject(error);
        // Whoever has it in hand gets this turn of the event loop to look at it.
        setImmediate(() => {
          if (!settlement.#isWatched) unwatched(error);
        });
      });
    });
    // Not through the `then` below: this is nobody's look.
    Promise.prototype.then.call(settlement, undefined, () => {});
    return settlement;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise has one
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isWatched = true;
    return super.then(onFulfilled, onRejected);
  }
}
