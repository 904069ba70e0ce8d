/** A stream of messages between two nodes, the same from both ends, and its accepted end. */
import type { DuplexStream } from '../../services/method.ts';

/** What the present owner of a stream is told. Replaced when the stream goes on to its next stage. */
export interface StreamListener {
  message(bytes: Uint8Array): void;
  /** The other side writes no more, or this node's port drains. */
  ended(): void;
  /** What was written has left: more may be. */
  drained(): void;
  /** The stream is gone. `why` is undefined after an orderly end. Called once. */
  closed(why: Error | undefined): void;
}

export interface PeerStream {
  /** `host:port` of the other side, for logs. */
  readonly peer: string;
  readonly isClosed: boolean;
  /** False when the connection is backed up: hold further writes until `drained`. */
  readonly hasRoom: boolean;
  listen(listener: StreamListener): void;
  /** Writes a message that lies alone in its memory and is not written to again. Lost on a closed stream. */
  write(message: Buffer): void;
  /** At most the message that is under way still comes. */
  pause(): void;
  resume(): void;
  /** This side writes no more; the other reads what was written. From the accepted end it ends the whole stream. */
  end(): void;
}

/** Waits for its owner. */
export const NO_LISTENER: StreamListener = {
  message: () => {},
  ended: () => {},
  drained: () => {},
  closed: () => {},
};

/** The end of the node whose port was called. */
export class AcceptedStream implements PeerStream {
  readonly peer: string;
  readonly #duplex: DuplexStream;
  #listener = NO_LISTENER;
  #isClosed = false;
  #hasRoom = true;

  constructor(duplex: DuplexStream, peer: string) {
    this.peer = peer;
    this.#duplex = duplex;
    duplex.onMessage((message) => {
      if (!this.#isClosed) this.#listener.message(message);
    });
    duplex.onEnd(() => this.#listener.ended());
    duplex.onDrain(() => {
      this.#hasRoom = true;
      this.#listener.drained();
    });
    duplex.onClose(() => {
      this.#isClosed = true;
      this.#listener.closed(undefined);
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  listen(listener: StreamListener): void {
    this.#listener = listener;
  }

  write(message: Buffer): void {
    this.#hasRoom = this.#duplex.write(message);
  }

  pause(): void {
    this.#duplex.pause();
  }

  resume(): void {
    this.#duplex.resume();
  }

  end(): void {
    this.#duplex.end();
  }
}
