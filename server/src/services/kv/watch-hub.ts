/** The listener of a group's machine: takes every change apart once and gives it to the feeds that want it. */
import { type EventBatch, type KvEvent, readEvents } from '../../state/kv/events.ts';
import type { KvListener, KvMachine } from '../../state/kv/kv-machine.ts';
import { STREAM_FAILED, tellEach } from '../tell-each.ts';
import { encodeWatchEvent } from './encode.ts';
import type { WatchFeed } from './watch-feed.ts';

export class WatchHub implements KvListener {
  readonly #byKey = new Map<string, Set<WatchFeed>>();
  readonly #byPrefix = new Map<string, Set<WatchFeed>>();
  #kv: KvMachine | undefined;
  #revision = 0;

  /** Revision up to which the feeds were given everything. */
  get revision(): number {
    return this.#revision;
  }

  /** Adds a feed. Called inside a read, so between two entries. */
  add(feed: WatchFeed, kv: KvMachine): void {
    this.attach(kv);
    const feeds = this.#feedsOf(feed);
    const { name } = feed.target;
    const sameTarget = feeds.get(name);
    if (sameTarget === undefined) feeds.set(name, new Set([feed]));
    else sameTarget.add(feed);
  }

  /** Removing a feed that was never added does nothing. The last one to go takes the listener off the machine. */
  remove(feed: WatchFeed): void {
    const feeds = this.#feedsOf(feed);
    const sameTarget = feeds.get(feed.target.name);
    sameTarget?.delete(feed);
    if (sameTarget?.size === 0) feeds.delete(feed.target.name);
    if (this.#byKey.size === 0 && this.#byPrefix.size === 0) this.#detach();
  }

  /** Listens to the machine that the group has now. Called inside a read. */
  attach(kv: KvMachine): void {
    if (this.#kv === kv) return;
    const changed = this.#kv !== undefined;
    this.#detach();
    this.#kv = kv;
    kv.listener = this;
    if (changed) this.onReload();
    this.#revision = kv.revision;
  }

  /** @throws what a feed threw, when all were given what is for them: that one has failed */
  onChanges(batch: EventBatch): void {
    const bugs: unknown[] = [];
    for (const event of readEvents(batch)) {
      const encoded = new EncodedOnce(event);
      for (const feed of this.#byKey.get(event.key) ?? []) give(feed, encoded, bugs);
      for (const [prefix, feeds] of this.#byPrefix) {
        if (event.key.startsWith(prefix)) for (const feed of feeds) give(feed, encoded, bugs);
      }
    }
    this.#revision = batch.firstRevision + batch.count - 1;
    if (bugs.length > 0) throw bugs[0];
  }

  onReload(): void {
    const feeds = [...this.#byKey.values(), ...this.#byPrefix.values()].flatMap((some) => [...some]);
    try {
      tellEach(feeds, (feed) => feed.fallBehind());
    } finally {
      // Only now: until here they have been told everything up to the revision before.
      if (this.#kv !== undefined) this.#revision = this.#kv.revision;
    }
  }

  #detach(): void {
    if (this.#kv?.listener === this) this.#kv.listener = undefined;
    this.#kv = undefined;
  }

  #feedsOf(feed: WatchFeed): Map<string, Set<WatchFeed>> {
    return feed.target.kind === 'key' ? this.#byKey : this.#byPrefix;
  }
}

function give(feed: WatchFeed, event: EncodedOnce, bugs: unknown[]): void {
  if (!feed.live) return;
  try {
    feed.push(event.bytes(feed.keysOnly), event.revision);
  } catch (error) {
    feed.fail(STREAM_FAILED);
    bugs.push(error);
  }
}

/** An event is encoded when the first feed wants it, and shared by all of them. */
class EncodedOnce {
  readonly #event: KvEvent;
  #whole: Uint8Array | undefined;
  #withoutValue: Uint8Array | undefined;

  constructor(event: KvEvent) {
    this.#event = event;
  }

  get revision(): number {
    return this.#event.revision;
  }

  bytes(keysOnly: boolean): Uint8Array {
    if (keysOnly) {
      this.#withoutValue ??= encodeWatchEvent(this.#event, false);
      return this.#withoutValue;
    }
    this.#whole ??= encodeWatchEvent(this.#event, true);
    return this.#whole;
  }
}
