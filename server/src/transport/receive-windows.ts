/**
 * How far the callers of a connection may send ahead of what its handlers have read (HTTP/2 flow control, RFC 9113 §5.2).
 * A caller moves at most a window in each round trip: the 64 KiB that HTTP/2 begins with are 1.3 MB/s at 50 ms.
 */
import type { ServerHttp2Stream } from 'node:http2';

/**
 * The window of a connection, in windows of its streams: streams under way share it. One that is paused takes nothing of
 * it, since Node counts bytes as read by the connection when they arrive and by the stream when its reader takes them.
 */
export const STREAM_WINDOWS_PER_CONNECTION = 4;

export class ReceiveWindows {
  readonly #defaultBytes: number;
  /** By connection: the window of its streams. */
  readonly #set = new WeakMap<object, number>();

  constructor(defaultBytes: number) {
    this.#defaultBytes = defaultBytes;
  }

  /**
   * A stream was opened by a method that asks for a window, or for none in particular. Widens those of its connection, on
   * which the stream itself depends; they are never narrowed.
   */
  opened({ session }: ServerHttp2Stream, bytes = this.#defaultBytes): void {
    if (session === undefined || session.destroyed || session.closed) return;
    if ((this.#set.get(session) ?? 0) >= bytes) return;
    this.#set.set(session, bytes);
    session.settings({ initialWindowSize: bytes });
    session.setLocalWindowSize(bytes * STREAM_WINDOWS_PER_CONNECTION);
  }
}
