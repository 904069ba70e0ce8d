/** The messages of one watch: what its feeds have, one after the other, and a sign of life while they have nothing. */

import type { Failure } from '../../state/failure.ts';
import { GomsgError } from '../errors.ts';
import { nextTurn } from '../next-turn.ts';
import { encodeWatch } from './encode.ts';
import { encodeResumeToken } from './resume-token.ts';
import type { WatchFeed } from './watch-feed.ts';

/** A watch that has nothing to tell says so this often, with its current revision. */
export const PROGRESS_INTERVAL_MS = 10_000;

/** Lets the messages wait until a feed has something, the time is up or the watch ends. */
export class WatchSignal {
  #signalled = false;
  #ended = false;
  #resolve: (() => void) | undefined;

  /** The watch is over: nothing further is told. */
  get ended(): boolean {
    return this.#ended;
  }

  wake(): void {
    this.#signalled = true;
    this.#resolve?.();
  }

  end(): void {
    this.#ended = true;
    this.wake();
  }

  /** Resolves to false when nothing happened for `timeout_ms`. */
  async wait(timeout_ms: number): Promise<boolean> {
    if (!this.#signalled) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        timer = setTimeout(resolve, timeout_ms);
      });
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    const signalled = this.#signalled;
    this.#signalled = this.#ended;
    return signalled;
  }
}

/**
 * @param starts revision behind which each feed begins; undefined = the group's current one
 * @throws GomsgError COMPACTED, or why a group cannot be read
 */
export async function* watchMessages(
  feeds: readonly WatchFeed[],
  starts: readonly (number | undefined)[],
  signal: WatchSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    const failures = await Promise.all(feeds.map((feed, i) => feed.start(starts[i])));
    throwFirst(failures);
    if (signal.ended) return;
    yield message(feeds, [], true);
    while (!signal.ended) {
      let behind = false;
      for (const feed of feeds) {
        if (!feed.live && !feed.hasEvents) throwFirst([await feed.catchUp()]);
        if (signal.ended) return;
        if (feed.hasEvents) yield message(feeds, feed.take(), false);
        if (signal.ended) return;
        behind ||= feed.hasEvents || !feed.live;
      }
      // A long history is read in steps, with other work between them.
      if (behind) await nextTurn();
      else if (!(await signal.wait(PROGRESS_INTERVAL_MS))) yield message(feeds, [], false);
    }
  } finally {
    for (const feed of feeds) feed.stop();
  }
}

function message(
  feeds: readonly WatchFeed[],
  events: readonly Uint8Array[],
  subscribed: boolean,
): Uint8Array {
  const [first] = feeds;
  return encodeWatch({
    subscribed,
    events,
    revision: feeds.length === 1 && first !== undefined ? first.told : 0,
    resumeToken: encodeResumeToken(feeds.map((feed) => [feed.group.id, feed.told] as const)),
  });
}

function throwFirst(failures: readonly (Failure | undefined)[]): void {
  for (const failure of failures) if (failure !== undefined) throw new GomsgError(failure);
}
