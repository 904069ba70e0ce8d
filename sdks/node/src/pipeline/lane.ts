/** The way to one node: a connection, and the calls that go over it. */
import type { GomsgError } from '../errors.ts';
import type { Call } from './call.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Outbox } from './outbox.ts';

export interface LaneListener {
  /** A write is about to go: false when it was moved to another line. */
  place(call: Call, now_ms: number): boolean;
  onConnected(lane: Lane): void;
  onFrame(lane: Lane, frame: Buffer): void;
  /** What was sent and not answered may or may not have arrived. `since_ms`: when it broke, or the try began. */
  onLost(lane: Lane, error: GomsgError, since_ms: number): void;
}

export class Lane {
  readonly connection: Connection;
  readonly outbox: Outbox;
  #ended: PromiseWithResolvers<void> | undefined;

  constructor(address: string, options: ConnectionOptions, listener: LaneListener) {
    this.connection = new Connection(address, options, {
      onConnected: () => listener.onConnected(this),
      onWritable: () => this.outbox.flush(),
      onFrame: (frame) => listener.onFrame(this, frame),
      onLost: (error, since_ms) => {
        listener.onLost(this, error, since_ms);
        this.#ended?.resolve();
      },
      onEnded: () => this.#ended?.resolve(),
    });
    this.outbox = new Outbox(this.connection, (call, now_ms) => listener.place(call, now_ms));
  }

  get address(): string {
    return this.connection.address;
  }

  /** It stands, and nothing says that its node does not answer. */
  get isGood(): boolean {
    return this.connection.stands && !this.connection.isFailing;
  }

  /** Half-closes; resolves when the node has answered what it took, or the connection is gone. */
  end(): Promise<void> {
    this.#ended = Promise.withResolvers();
    this.connection.end();
    return this.#ended.promise;
  }

  destroy(): void {
    this.connection.destroy();
  }
}
