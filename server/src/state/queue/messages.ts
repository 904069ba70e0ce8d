/**
 * The life of a message: which rows it has in each state, and the figures that go with every move.
 *
 * A move never leaves a message in two states or in none. `insert` is used for keys that no earlier delivery can have
 * used (`deliveries` tells), because short-lived rows then cost the store nothing to remove.
 */
import { u64Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import { ByteWriter } from '../wire.ts';
import { readyKey, timedKey } from './layout.ts';
import type { QueueListener } from './listener.ts';
import { type MessageState, readMessageState, writeMessageState } from './message-state.ts';
import type { Queue } from './queue.ts';

/** Why a message died, where nobody gave a reason. */
export const deathReason = {
  leaseExpired: 'lease expired',
  consumerLeft: 'consumer left',
  nack: 'rejected by the consumer',
} as const;

export class Messages {
  readonly #store: StateStore;
  readonly #row = new ByteWriter(256);
  listener: QueueListener | undefined;
  /** Queues with messages that became ready in this entry. */
  readonly #becameReady: Queue[] = [];

  constructor(store: StateStore) {
    this.#store = store;
  }

  body(queue: Queue, sequence: number): Uint8Array {
    const body = this.#store.get(queue.bodyPrefix + u64Key(sequence));
    if (!body) throw new Error(`message ${queue.name}#${sequence} has no body`);
    return body;
  }

  insertBody(queue: Queue, sequence: number, body: Uint8Array): void {
    this.#store.insert(queue.bodyPrefix + u64Key(sequence), body);
  }

  /** The last of a message that has left its state for good. */
  deleteBody(queue: Queue, sequence: number): void {
    this.#store.delete(queue.bodyPrefix + u64Key(sequence));
  }

  enterReady(
    queue: Queue,
    sequence: number,
    priority: number,
    size: number,
    deliveries: number,
    attempts: number,
    stamp_ms: number,
  ): void {
    const { ready, settings } = queue;
    const until_ms = settings.messageTtl_ms > 0 ? stamp_ms + settings.messageTtl_ms : 0;
    const key = readyKey(ready.prefix, priority, sequence);
    this.#write(
      key,
      writeMessageState(this.#row, priority, size, deliveries, attempts, until_ms),
      deliveries === 0,
    );
    queue.window.add(key, { priority, size, deliveries, attempts, until_ms });
    ready.add(size);
    if (until_ms > 0) {
      this.#write(
        timedKey(queue.expiryPrefix, until_ms, sequence),
        this.#row.reset().u8(priority).view(),
        deliveries === 0,
      );
      if (until_ms < ready.earliest_ms) ready.earliest_ms = until_ms;
    }
    if (this.listener && !queue.becameReady) {
      queue.becameReady = true;
      this.#becameReady.push(queue);
    }
  }

  /** Its key is the window's first: it is on its way to a consumer or expired. */
  leaveReadyFirst(queue: Queue, sequence: number, state: MessageState): void {
    this.#deleteReady(queue, queue.window.firstKey, sequence, state);
    queue.window.shift();
  }

  /** The window's first message has outlived its ttl. */
  expireReadyFirst(queue: Queue, sequence: number, state: MessageState): void {
    this.leaveReadyFirst(queue, sequence, state);
    this.deleteBody(queue, sequence);
    queue.expiredTotal++;
  }

  leaveReady(queue: Queue, sequence: number, state: MessageState): void {
    const key = readyKey(queue.ready.prefix, state.priority, sequence);
    this.#deleteReady(queue, key, sequence, state);
    queue.window.delete(key);
  }

  #deleteReady(queue: Queue, key: string, sequence: number, state: MessageState): void {
    this.#store.delete(key);
    if (state.until_ms > 0) this.#store.delete(timedKey(queue.expiryPrefix, state.until_ms, sequence));
    queue.ready.remove(state.size);
  }

  /** The state row of a message with this key; undefined when there is none. */
  stateAt(key: string): MessageState | undefined {
    const row = this.#store.get(key);
    return row && readMessageState(row);
  }

  enterDelayed(
    queue: Queue,
    sequence: number,
    priority: number,
    size: number,
    deliveries: number,
    attempts: number,
    due_ms: number,
  ): void {
    const { delayed } = queue;
    this.#write(
      timedKey(delayed.prefix, due_ms, sequence),
      writeMessageState(this.#row, priority, size, deliveries, attempts, 0),
      deliveries === 0,
    );
    delayed.add(size);
    if (due_ms < delayed.earliest_ms) delayed.earliest_ms = due_ms;
  }

  leaveDelayed(queue: Queue, key: string, state: MessageState): void {
    this.#store.delete(key);
    queue.delayed.remove(state.size);
  }

  /** Leases a message that just left ready. `from`: its state there. */
  enterInFlight(queue: Queue, sequence: number, from: MessageState, leaseEnd_ms: number): void {
    const { inFlight } = queue;
    const deliveries = from.deliveries + 1;
    const first = deliveries === 1;
    this.#write(
      inFlight.prefix + u64Key(sequence),
      writeMessageState(this.#row, from.priority, from.size, deliveries, from.attempts + 1, leaseEnd_ms),
      first,
    );
    this.#write(timedKey(queue.leasePrefix, leaseEnd_ms, sequence), nothing, first);
    inFlight.add(from.size);
    if (leaseEnd_ms < inFlight.earliest_ms) inFlight.earliest_ms = leaseEnd_ms;
    queue.deliveredTotal++;
  }

  /** The message that is in flight by this delivery, with its lease running; undefined when it is not. */
  delivery(queue: Queue, sequence: number, delivery: number, now_ms: number): MessageState | undefined {
    const state = this.stateAt(queue.inFlight.prefix + u64Key(sequence));
    return state && state.deliveries === delivery && state.until_ms > now_ms ? state : undefined;
  }

  /** Moves the end of a lease. */
  extend(queue: Queue, sequence: number, state: MessageState, leaseEnd_ms: number): void {
    if (leaseEnd_ms === state.until_ms) return;
    this.#store.put(
      queue.inFlight.prefix + u64Key(sequence),
      writeMessageState(this.#row, state.priority, state.size, state.deliveries, state.attempts, leaseEnd_ms),
    );
    this.#store.delete(timedKey(queue.leasePrefix, state.until_ms, sequence));
    this.#store.put(timedKey(queue.leasePrefix, leaseEnd_ms, sequence), nothing);
    if (leaseEnd_ms < queue.inFlight.earliest_ms) queue.inFlight.earliest_ms = leaseEnd_ms;
  }

  leaveInFlight(queue: Queue, sequence: number, state: MessageState): void {
    this.#store.delete(queue.inFlight.prefix + u64Key(sequence));
    this.#store.delete(timedKey(queue.leasePrefix, state.until_ms, sequence));
    queue.inFlight.remove(state.size);
    this.listener?.ended(queue.name, sequence, state.deliveries);
  }

  /**
   * A delivery ended without an ack: the message goes back to ready, is delayed, or is dead when it has used up its
   * deliveries. Returns where it went.
   */
  giveBack(
    queue: Queue,
    sequence: number,
    state: MessageState,
    delay_ms: number,
    reason: string,
    stamp_ms: number,
  ): 'ready' | 'delayed' | 'dead' {
    const { maxDeliveries } = queue.settings;
    if (maxDeliveries > 0 && state.attempts >= maxDeliveries) {
      this.die(queue, sequence, state, reason, stamp_ms);
      return 'dead';
    }
    this.leaveInFlight(queue, sequence, state);
    queue.returnedTotal++;
    const { priority, size, deliveries, attempts } = state;
    if (delay_ms > 0) {
      this.enterDelayed(queue, sequence, priority, size, deliveries, attempts, stamp_ms + delay_ms);
      return 'delayed';
    }
    this.enterReady(queue, sequence, priority, size, deliveries, attempts, stamp_ms);
    return 'ready';
  }

  /** A delivery that never reached its consumer is taken back: it does not count as an attempt. */
  takeBack(queue: Queue, sequence: number, state: MessageState, stamp_ms: number): void {
    this.leaveInFlight(queue, sequence, state);
    queue.returnedTotal++;
    const { priority, size, deliveries, attempts } = state;
    this.enterReady(queue, sequence, priority, size, deliveries, attempts - 1, stamp_ms);
  }

  /** A delivery ended and its message is dead. */
  die(queue: Queue, sequence: number, state: MessageState, reason: string, stamp_ms: number): void {
    this.leaveInFlight(queue, sequence, state);
    queue.returnedTotal++;
    queue.deadTotal++;
    writeMessageState(this.#row, state.priority, state.size, state.deliveries, state.attempts, 0);
    this.#store.put(timedKey(queue.dead.prefix, stamp_ms, sequence), this.#row.utf8(reason).view());
    queue.dead.add(state.size);
    if (stamp_ms < queue.dead.earliest_ms) queue.dead.earliest_ms = stamp_ms;
  }

  leaveDead(queue: Queue, key: string, state: MessageState): void {
    this.#store.delete(key);
    queue.dead.remove(state.size);
    if (queue.redriving > queue.dead.messages) queue.redriving = queue.dead.messages;
  }

  /** Tells the listener which queues have messages since the last call. */
  tellReady(): void {
    for (const queue of this.#becameReady) {
      queue.becameReady = false;
      this.listener?.ready(queue.name);
    }
    this.#becameReady.length = 0;
  }

  #write(key: string, value: Uint8Array, fresh: boolean): void {
    if (fresh) this.#store.insert(key, value);
    else this.#store.put(key, value);
  }
}

const nothing = new Uint8Array();
