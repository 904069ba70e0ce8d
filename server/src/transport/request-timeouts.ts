import { constants, type ServerHttp2Stream } from 'node:http2';

/** How many times within the timeout all open streams are looked at: requests end at most that much late. */
const CHECKS_PER_TIMEOUT = 4;

/**
 * Ends HTTP/2 requests that take too long to arrive. A caller that opens streams and sends their messages byte by
 * byte would otherwise hold memory for ever; HTTP/1 has the same limit in `http.Server`. One timer looks at
 * all streams, so that a call costs a map entry and no timer.
 */
export class RequestTimeouts {
  /** When the stream opened, in milliseconds of the monotonic clock; Infinity = it may stay open. */
  readonly #openedAt_ms = new Map<ServerHttp2Stream, number>();
  readonly #onClose: (this: ServerHttp2Stream) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(timeout_ms: number) {
    const streams = this.#openedAt_ms;
    this.#onClose = function () {
      streams.delete(this);
    };
    this.#timer = setInterval(() => this.#check(timeout_ms), timeout_ms / CHECKS_PER_TIMEOUT);
    this.#timer.unref();
  }

  get openStreams(): number {
    return this.#openedAt_ms.size;
  }

  opened(stream: ServerHttp2Stream, limited: boolean): void {
    this.#openedAt_ms.set(stream, limited ? performance.now() : Number.POSITIVE_INFINITY);
    stream.once('close', this.#onClose);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(timeout_ms: number): void {
    const latest_ms = performance.now() - timeout_ms;
    for (const [stream, opened_ms] of this.#openedAt_ms) {
      if (opened_ms > latest_ms || stream.readableEnded || stream.destroyed) continue;
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
