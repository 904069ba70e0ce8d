/** What falls due in one queue by time alone: leases end, delays end, messages, dead letters and dedup ids expire. */
import { readU64Key } from '../keys.ts';
import type { StateRow, StateStore } from '../machine.ts';
import {
  DEDUP_EXPIRY_AT,
  DEDUP_ID_AT,
  endOf,
  FIELDS_AT,
  readyKey,
  SEQUENCE_AFTER_TIME_AT,
} from './layout.ts';
import { readMessageState } from './message-state.ts';
import { deathReason, type Messages } from './messages.ts';
import type { Queue } from './queue.ts';
import { retryBackoff_ms } from './settings.ts';

export class DueWork {
  readonly #store: StateStore;
  readonly #messages: Messages;

  constructor(store: StateStore, messages: Messages) {
    this.#store = store;
    this.#messages = messages;
  }

  /**
   * Does what is due in the queue by the stamp, at most `limit` items. Returns how many were done; with fewer than
   * `limit`, nothing more is due. Dead letters go before leases end, so that one that dies now is not looked at twice.
   */
  run(queue: Queue, stamp_ms: number, limit: number): number {
    let done = 0;
    const { ready, delayed, inFlight, dead, settings } = queue;
    const deadBefore_ms = stamp_ms - settings.deadLetterTtl_ms;
    if (settings.deadLetterTtl_ms > 0 && dead.earliest_ms <= deadBefore_ms) {
      done += this.#expireDead(queue, deadBefore_ms, limit - done);
    }
    if (ready.earliest_ms <= stamp_ms) done += this.#expireReady(queue, stamp_ms, limit - done);
    if (inFlight.earliest_ms <= stamp_ms) done += this.#endLeases(queue, stamp_ms, limit - done);
    if (delayed.earliest_ms <= stamp_ms) done += this.#endDelays(queue, stamp_ms, limit - done);
    if (queue.dedupEarliest_ms <= stamp_ms) done += this.#forgetDedupIds(queue, stamp_ms, limit - done);
    return done;
  }

  #endLeases(queue: Queue, stamp_ms: number, limit: number): number {
    const walk = this.#walk(queue.leasePrefix, FIELDS_AT, stamp_ms, limit, ({ key }) => {
      const sequence = readU64Key(key, SEQUENCE_AFTER_TIME_AT);
      const state = this.#messages.stateAt(queue.inFlight.prefix + key.slice(SEQUENCE_AFTER_TIME_AT));
      if (!state) throw new Error(`message ${queue.name}#${sequence} has a lease and is not in flight`);
      const backoff_ms = retryBackoff_ms(queue.settings, state.attempts);
      this.#messages.giveBack(queue, sequence, state, backoff_ms, deathReason.leaseExpired, stamp_ms);
    });
    queue.inFlight.earliest_ms = walk.next_ms;
    return walk.done;
  }

  #endDelays(queue: Queue, stamp_ms: number, limit: number): number {
    const walk = this.#walk(queue.delayed.prefix, FIELDS_AT, stamp_ms, limit, ({ key, value }) => {
      const state = readMessageState(value);
      const sequence = readU64Key(key, SEQUENCE_AFTER_TIME_AT);
      this.#messages.leaveDelayed(queue, key, state);
      const { priority, size, deliveries, attempts } = state;
      this.#messages.enterReady(queue, sequence, priority, size, deliveries, attempts, stamp_ms);
    });
    queue.delayed.earliest_ms = walk.next_ms;
    return walk.done;
  }

  #expireReady(queue: Queue, stamp_ms: number, limit: number): number {
    const walk = this.#walk(queue.expiryPrefix, FIELDS_AT, stamp_ms, limit, ({ key, value }) => {
      const sequence = readU64Key(key, SEQUENCE_AFTER_TIME_AT);
      const state = this.#messages.stateAt(readyKey(queue.ready.prefix, value[0]!, sequence));
      if (!state) throw new Error(`message ${queue.name}#${sequence} expires and is not ready`);
      this.#messages.leaveReady(queue, sequence, state);
      this.#messages.deleteBody(queue, sequence);
      queue.expiredTotal++;
    });
    queue.ready.earliest_ms = walk.next_ms;
    return walk.done;
  }

  #expireDead(queue: Queue, before_ms: number, limit: number): number {
    const walk = this.#walk(queue.dead.prefix, FIELDS_AT, before_ms, limit, ({ key, value }) => {
      this.#messages.leaveDead(queue, key, readMessageState(value));
      this.#messages.deleteBody(queue, readU64Key(key, SEQUENCE_AFTER_TIME_AT));
      queue.expiredTotal++;
    });
    queue.dead.earliest_ms = walk.next_ms;
    return walk.done;
  }

  #forgetDedupIds(queue: Queue, stamp_ms: number, limit: number): number {
    const walk = this.#walk(queue.dedupExpiryPrefix, DEDUP_EXPIRY_AT, stamp_ms, limit, ({ key }) => {
      this.#store.delete(key);
      this.#store.delete(queue.dedupPrefix + key.slice(DEDUP_ID_AT));
    });
    queue.dedupEarliest_ms = walk.next_ms;
    return walk.done;
  }

  /** Goes through rows in time order, up to `limit` that are due; also tells the time of the row after those. */
  #walk(
    prefix: string,
    timeAt: number,
    until_ms: number,
    limit: number,
    visit: (row: StateRow) => void,
  ): { done: number; next_ms: number } {
    let done = 0;
    for (const row of this.#store.range({ from: prefix, to: endOf(prefix), limit: limit + 1 })) {
      const at_ms = readU64Key(row.key, timeAt);
      if (at_ms > until_ms || done === limit) return { done, next_ms: at_ms };
      visit(row);
      done++;
    }
    return { done, next_ms: Infinity };
  }
}
