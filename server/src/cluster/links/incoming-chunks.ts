/**
 * What comes on a stream, pulled by its reader: the stream is paused while something lies unread, so that the other side
 * is held back by its connection.
 */
import type { PeerStream } from './peer-stream.ts';

type Next = PromiseWithResolvers<IteratorResult<Uint8Array, undefined>>;

const NO_MORE: IteratorResult<Uint8Array, undefined> = { done: true, value: undefined };

/** For one reader. */
export class IncomingChunks implements AsyncIterableIterator<Uint8Array> {
  readonly #stream: PeerStream;
  readonly #onReturn: () => void;
  readonly #unread: Uint8Array[] = [];
  #waiting: Next[] = [];
  #end: 'whole' | Error | undefined;

  /** `onReturn` is called when the reader stops before the end. */
  constructor(stream: PeerStream, onReturn: () => void) {
    this.#stream = stream;
    this.#onReturn = onReturn;
  }

  /** There is no more; what is unread can still be read. */
  finish(): void {
    this.#settle('whole');
  }

  /** The rest will not come; what is unread can still be read. */
  fail(why: Error): void {
    this.#settle(why);
  }

  push(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: chunk });
      return;
    }
    this.#unread.push(chunk);
    this.#stream.pause();
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#unread.shift();
    if (chunk !== undefined) {
      if (this.#unread.length === 0) this.#stream.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#end === 'whole') return Promise.resolve(NO_MORE);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const waiting: Next = Promise.withResolvers();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const early = this.#end === undefined;
    this.#unread.length = 0;
    this.#settle('whole');
    this.#stream.resume();
    if (early) this.#onReturn();
    return Promise.resolve(NO_MORE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #settle(end: 'whole' | Error): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const next of waiting) {
      if (end === 'whole') next.resolve(NO_MORE);
      else next.reject(end);
    }
  }
}
