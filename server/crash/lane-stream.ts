/** A server stream of a lane: opened again after every restart of the node. */
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import { isReason } from '../src/testing/call-error.ts';
import type { MessageStream } from '../src/testing/node-client.ts';

export class LaneStream<T> {
  readonly #open: () => MessageStream<T> | undefined;
  #stream: MessageStream<T> | undefined;
  /** The message that was asked for last; it stays asked for when a lane stops waiting. */
  #receiving: Promise<void> | undefined;
  #received: { readonly message: T } | undefined;
  #failure: unknown;

  /** @param open undefined while there is no node */
  constructor(open: () => MessageStream<T> | undefined) {
    this.#open = open;
  }

  /**
   * The next message; undefined when the node went away, or none came before `closing`.
   * @throws CallError when the node itself ended the stream for another reason than its own end
   */
  async next(closing: Promise<void>): Promise<T | undefined> {
    this.#stream ??= this.#open();
    if (this.#stream === undefined) return undefined;
    this.#receiving ??= this.#receive(this.#stream);
    await Promise.race([this.#receiving, closing]);
    const received = this.#received;
    const failure = this.#failure;
    if (failure !== undefined) {
      this.detach();
      if (!isReason(failure, ErrorReason.UNSPECIFIED, ErrorReason.DRAINING)) throw failure;
    }
    if (received !== undefined) {
      this.#received = undefined;
      this.#receiving = undefined;
    }
    return received?.message;
  }

  /** The node is gone, and the stream with it. */
  detach(): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#receiving = undefined;
    this.#received = undefined;
    this.#failure = undefined;
  }

  async #receive(stream: MessageStream<T>): Promise<void> {
    try {
      const message = await stream.take();
      if (this.#stream === stream) this.#received = { message };
    } catch (error) {
      if (this.#stream === stream) this.#failure = error;
    }
  }
}
