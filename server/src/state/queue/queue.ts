/** One queue in memory: its settings, exact figures, earliest due times and the window over its ready messages. */
import type { Scheduled } from '../due-heap.ts';
import { HeadWindow, type WindowBudget } from './head-window.ts';
import { type Kind, kind, type Layout } from './layout.ts';
import { type MessageState, readMessageState } from './message-state.ts';
import type { QueueSettings } from './settings.ts';

/** Messages of one state. */
export class StateTable {
  readonly kind: Kind;
  messages = 0;
  /** Payload and header bytes of them. */
  bytes = 0;
  /** Moved on by a purge: rows of earlier generations are leftovers. */
  generation = 0;
  /**
   * No message of the state has an earlier time: when a ready one expires, a delayed one is due, a lease ends or a dead
   * one died. Infinity when there is none. May be early (the message is gone meanwhile), never late.
   */
  earliest_ms = Infinity;
  /** Begin of the keys of the state's rows. */
  prefix = '';

  constructor(of: Kind) {
    this.kind = of;
  }

  add(size: number): void {
    this.messages++;
    this.bytes += size;
  }

  remove(size: number): void {
    this.messages--;
    this.bytes -= size;
    if (this.messages === 0) this.earliest_ms = Infinity;
  }

  /** Nothing is left in this state. */
  reset(): void {
    this.messages = 0;
    this.bytes = 0;
    this.earliest_ms = Infinity;
  }
}

export class Queue implements Scheduled {
  readonly name: string;
  /** Names the queue in the store; of this incarnation only. */
  readonly number: number;
  readonly created_ms: number;
  settings: QueueSettings;

  readonly ready = new StateTable(kind.ready);
  readonly delayed = new StateTable(kind.delayed);
  readonly inFlight = new StateTable(kind.inFlight);
  readonly dead = new StateTable(kind.dead);
  readonly tables: readonly StateTable[] = [this.ready, this.delayed, this.inFlight, this.dead];
  /** No dedup id expires earlier; Infinity when there is none. */
  dedupEarliest_ms = Infinity;
  /** Dead messages, the oldest ones, that a redrive has still to make ready. */
  redriving = 0;

  pushedTotal = 0;
  deliveredTotal = 0;
  ackedTotal = 0;
  returnedTotal = 0;
  deadTotal = 0;
  expiredTotal = 0;

  /** Changed since the last save. */
  dirty = false;
  /** Messages became ready since the listener was last told. */
  becameReady = false;
  heapIndex = -1;
  heapDue_ms = Infinity;

  readonly window: HeadWindow<MessageState>;
  readonly #layout: Layout;
  readonly bodyPrefix: string;
  readonly dedupPrefix: string;
  readonly dedupExpiryPrefix: string;
  leasePrefix = '';
  expiryPrefix = '';

  constructor(
    layout: Layout,
    budget: WindowBudget,
    name: string,
    number: number,
    created_ms: number,
    settings: QueueSettings,
    fresh: boolean,
  ) {
    this.#layout = layout;
    this.name = name;
    this.number = number;
    this.created_ms = created_ms;
    this.settings = settings;
    this.window = new HeadWindow(budget, (row) => readMessageState(row.value), fresh);
    this.bodyPrefix = layout.rows(number, kind.body);
    this.dedupPrefix = layout.rows(number, kind.dedup);
    this.dedupExpiryPrefix = layout.rows(number, kind.dedupExpiry);
    for (const table of this.tables) this.setGeneration(table, 0);
  }

  setGeneration(table: StateTable, generation: number): void {
    table.generation = generation;
    table.prefix = this.#layout.generation(this.number, table.kind, generation);
    if (table === this.inFlight) {
      this.leasePrefix = this.#layout.generation(this.number, kind.lease, generation);
    } else if (table === this.ready) {
      this.expiryPrefix = this.#layout.generation(this.number, kind.expiry, generation);
    }
  }

  get messages(): number {
    return this.ready.messages + this.delayed.messages + this.inFlight.messages + this.dead.messages;
  }

  get bytes(): number {
    return this.ready.bytes + this.delayed.bytes + this.inFlight.bytes + this.dead.bytes;
  }

  /** Earliest time at which something of the queue may fall due; Infinity when nothing will. */
  get due_ms(): number {
    return Math.min(
      this.ready.earliest_ms,
      this.delayed.earliest_ms,
      this.inFlight.earliest_ms,
      this.settings.deadLetterTtl_ms > 0 ? this.dead.earliest_ms + this.settings.deadLetterTtl_ms : Infinity,
      this.dedupEarliest_ms,
    );
  }
}
