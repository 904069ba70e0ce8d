/** A link to one node that is made again when it breaks. */
import type { ChannelSettings } from '../channel.ts';
import { GomsgError, GrpcCode } from '../errors.ts';
import { type BackoffSettings, backoffDelay_ms } from './backoff.ts';
import { Link } from './link.ts';

export interface ConnectionOptions {
  readonly channel: ChannelSettings;
  readonly backoff: BackoffSettings;
}

export interface ConnectionListener {
  /** A link stands. */
  onConnected(): void;
  /** A frame may be written. */
  onWritable(): void;
  onFrame(frame: Buffer): void;
  /**
   * The link broke, was given up for silence, or could not be made: what was written and not answered may or may not
   * have arrived. `want` makes a new one. `since_ms`: when it broke, or when the try began.
   */
  onLost(error: GomsgError, since_ms: number): void;
  /** The server ended the link after `end`. */
  onEnded(): void;
}

export class Connection {
  readonly address: string;
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  #link: Link | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Tries since the last frame that came. */
  #failures = 0;
  #dialedAt_ms = 0;
  #wasConnected = false;
  #dialAgainAt_ms = 0;
  #ending = false;

  constructor(address: string, options: ConnectionOptions, listener: ConnectionListener) {
    this.address = address;
    this.#options = options;
    this.#listener = listener;
  }

  get writable(): boolean {
    return this.#link?.writable ?? false;
  }

  /** A link stands, as far as is known. */
  get stands(): boolean {
    return this.#link !== undefined && this.#wasConnected;
  }

  /**
   * It was lost, or could not be made, and the node has not answered since. That a new link stands says little: the
   * kernel of a stopped node takes connections, and so does a proxy before it.
   */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** There is something to send: sees to it that a link stands or will. */
  want(): void {
    if (this.#link !== undefined || this.#timer !== undefined || this.#ending) return;
    if (this.#failures === 0) this.#dial();
    else {
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.#dial();
        },
        Math.max(0, this.#dialAgainAt_ms - performance.now()),
      );
    }
  }

  /** Sends a frame. Only while writable. */
  write(frame: Buffer): void {
    this.#link!.write(frame);
  }

  /** Breaks the link, because of what came in. */
  fail(error: GomsgError): void {
    this.#link?.destroy();
    this.#lost(error);
  }

  /** Half-closes; `onEnded` follows, or `onLost`. */
  end(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    if (this.#link === undefined) this.#listener.onEnded();
    else this.#link.end();
  }

  /** Ends everything at once; nothing is told any more. */
  destroy(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
    this.#link?.destroy();
    this.#link = undefined;
  }

  #dial(): void {
    this.#dialedAt_ms = performance.now();
    this.#wasConnected = false;
    this.#link = new Link(this.address, this.#options.channel, {
      onConnected: () => {
        this.#wasConnected = true;
        this.#listener.onConnected();
      },
      onWritable: () => this.#listener.onWritable(),
      onFrame: (frame) => {
        this.#failures = 0;
        this.#listener.onFrame(frame);
      },
      onEnd: (error) => {
        if (this.#ending && error === undefined) {
          this.#link = undefined;
          this.#listener.onEnded();
        } else this.#lost(error ?? ended(this.address));
      },
    });
  }

  #lost(error: GomsgError): void {
    this.#link = undefined;
    const now_ms = performance.now();
    this.#dialAgainAt_ms = now_ms + backoffDelay_ms(this.#failures, this.#options.backoff);
    this.#failures += 1;
    this.#listener.onLost(error, this.#wasConnected ? now_ms : this.#dialedAt_ms);
  }
}

function ended(address: string): GomsgError {
  return new GomsgError({
    code: GrpcCode.UNAVAILABLE,
    message: `${address}: the server ended the stream`,
  });
}
