/** A link that is made again when it breaks. */
import type { ChannelSettings } from '../channel.ts';
import { GomsgError, GrpcCode } from '../errors.ts';
import { type BackoffSettings, backoffDelay_ms } from './backoff.ts';
import { Link } from './link.ts';

export interface ConnectionOptions {
  /** Nodes, of which one is used at a time; the next one after a failure. */
  readonly addresses: readonly string[];
  readonly channel: ChannelSettings;
  readonly backoff: BackoffSettings;
  /** Calls are told when nothing could be reached for this long. */
  readonly unreachableTimeout_ms: number;
}

export interface ConnectionListener {
  /** A link stands. */
  onConnected(): void;
  /** A frame may be written. */
  onWritable(): void;
  onFrame(frame: Buffer): void;
  /** The link broke: what was written and not answered may or may not have arrived. `want` makes a new one. */
  onLost(error: GomsgError): void;
  /** Tries have failed for longer than `unreachableTimeout_ms`. Follows `onLost`. */
  onUnreachable(error: GomsgError): void;
  /** The server ended the link after `end`. */
  onEnded(): void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  #link: Link | undefined;
  #timer: NodeJS.Timeout | undefined;
  #position = 0;
  /** Tries since the last frame that came. */
  #failures = 0;
  #failingSince_ms: number | undefined;
  #dialedAt_ms = 0;
  #wasConnected = false;
  #dialAgainAt_ms = 0;
  #addresses: readonly string[];
  #ending = false;

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    this.#options = options;
    this.#listener = listener;
    this.#addresses = options.addresses;
  }

  get writable(): boolean {
    return this.#link?.writable ?? false;
  }

  /** The node that is used, or tried next. */
  get address(): string {
    return this.#addresses[this.#position]!;
  }

  /** All nodes that may be used. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** A link stands, as far as is known. */
  get stands(): boolean {
    return this.#link !== undefined && this.#wasConnected;
  }

  /** The last try failed, or the link broke before anything came over it. */
  get isFailing(): boolean {
    return this.#failures > 0 && !this.stands;
  }

  /** Nodes to try beside those that were given. */
  setFurtherAddresses(addresses: readonly string[]): void {
    const current = this.address;
    this.#addresses = [...new Set([...this.#options.addresses, ...addresses])];
    this.#position = Math.max(0, this.#addresses.indexOf(current));
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
    const { address } = this;
    this.#dialedAt_ms = performance.now();
    this.#wasConnected = false;
    this.#link = new Link(address, this.#options.channel, {
      onConnected: () => {
        this.#wasConnected = true;
        this.#listener.onConnected();
      },
      onWritable: () => this.#listener.onWritable(),
      onFrame: (frame) => {
        this.#failures = 0;
        this.#failingSince_ms = undefined;
        this.#listener.onFrame(frame);
      },
      onEnd: (error) => {
        if (this.#ending && error === undefined) {
          this.#link = undefined;
          this.#listener.onEnded();
        } else this.#lost(error ?? ended(address));
      },
    });
  }

  #lost(error: GomsgError): void {
    this.#link = undefined;
    this.#position = (this.#position + 1) % this.#addresses.length;
    this.#failures += 1;
    const now_ms = performance.now();
    this.#failingSince_ms ??= this.#wasConnected ? now_ms : this.#dialedAt_ms;
    // The wait grows with every round of all addresses: that one node is down says nothing about the others.
    const rounds = Math.floor((this.#failures - 1) / this.#addresses.length);
    this.#dialAgainAt_ms = now_ms + backoffDelay_ms(rounds, this.#options.backoff);
    this.#listener.onLost(error);
    if (now_ms - this.#failingSince_ms >= this.#options.unreachableTimeout_ms) {
      this.#listener.onUnreachable(error);
    }
  }
}

function ended(address: string): GomsgError {
  return new GomsgError({
    code: GrpcCode.UNAVAILABLE,
    message: `${address}: the server ended the stream`,
  });
}
