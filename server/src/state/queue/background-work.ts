/**
 * Work that a single command is too small for, done in bounded steps after it: removing the rows of purged states, and
 * making many dead messages ready again. To every reader the purge or redrive took place with its command.
 */
import { readU32Key, readU64Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import {
  endOf,
  FIELDS_AT,
  type Kind,
  kind,
  type Layout,
  SEQUENCE_AFTER_PRIORITY_AT,
  SEQUENCE_AFTER_TIME_AT,
} from './layout.ts';
import { readMessageState } from './message-state.ts';
import type { Messages } from './messages.ts';
import type { Queue, StateTable } from './queue.ts';
import type { Queues } from './queues.ts';

/** Rows of one state of one queue that a purge left behind, with the bodies that belong to them. */
interface Leftover {
  readonly queue: Queue;
  readonly kind: Kind;
  readonly generation: number;
}

/** Where the sequence is in the key of a state's row. */
const sequenceAt: Partial<Record<Kind, number>> = {
  [kind.ready]: SEQUENCE_AFTER_PRIORITY_AT,
  [kind.delayed]: SEQUENCE_AFTER_TIME_AT,
  [kind.inFlight]: FIELDS_AT,
  [kind.dead]: SEQUENCE_AFTER_TIME_AT,
};

/** Second tables of a state, which hold no message that the first does not. */
const companion: Partial<Record<Kind, Kind>> = {
  [kind.ready]: kind.expiry,
  [kind.inFlight]: kind.lease,
};

export class BackgroundWork {
  readonly #store: StateStore;
  readonly #layout: Layout;
  readonly #queues: Queues;
  readonly #messages: Messages;
  /** In the order of their keys, so that a replica that loads goes on alike. Each stands for one stored message or more. */
  #leftovers: Leftover[] = [];
  /** Queues with `redriving` > 0, in the order of their numbers. */
  #redriving: Queue[] = [];

  constructor(store: StateStore, layout: Layout, queues: Queues, messages: Messages) {
    this.#store = store;
    this.#layout = layout;
    this.#queues = queues;
    this.#messages = messages;
  }

  get pending(): boolean {
    return this.#leftovers.length > 0 || this.#redriving.length > 0;
  }

  /** Empties a state at once; its rows are removed later. */
  abandon(queue: Queue, table: StateTable): void {
    const leftover = { queue, kind: table.kind, generation: table.generation };
    this.#store.put(this.#layout.leftover(queue.number, table.kind, table.generation), new Uint8Array());
    this.#leftovers.push(leftover);
    this.#leftovers.sort(byPlace);
    table.reset();
    queue.setGeneration(table, table.generation + 1);
  }

  /** All rows of the queue's messages are gone: nothing is left behind. */
  forget(queue: Queue): void {
    this.stopRedrive(queue);
    if (!this.#leftovers.some((leftover) => leftover.queue === queue)) return;
    this.#leftovers = this.#leftovers.filter((leftover) => leftover.queue !== queue);
    const rows = this.#layout.leftovers(queue.number);
    this.#store.deleteRange(rows, endOf(rows));
  }

  /** Has `queue.redriving` of its oldest dead messages made ready. */
  redrive(queue: Queue): void {
    if (this.#redriving.includes(queue)) return;
    this.#redriving.push(queue);
    this.#redriving.sort((a, b) => a.number - b.number);
  }

  /** The dead messages of the queue are gone. */
  stopRedrive(queue: Queue): void {
    queue.redriving = 0;
    this.#redriving = this.#redriving.filter((other) => other !== queue);
  }

  /** Does at most `limit` items. */
  run(stamp_ms: number, limit: number): void {
    let left = limit;
    while (left > 0 && this.#redriving.length > 0) {
      const queue = this.#redriving[0]!;
      left -= this.redriveSome(queue, stamp_ms, left);
      if (queue.redriving === 0) this.#redriving.shift();
    }
    while (left > 0 && this.#leftovers.length > 0) {
      const removed = this.#sweep(this.#leftovers[0]!, left);
      if (removed < left) this.#leftovers.shift();
      left -= removed;
    }
  }

  /** Makes up to `limit` of the messages that are to be redriven ready. Returns how many. */
  redriveSome(queue: Queue, stamp_ms: number, limit: number): number {
    const wanted = Math.min(limit, queue.redriving);
    if (wanted === 0) return 0;
    const { prefix } = queue.dead;
    let done = 0;
    for (const { key, value } of this.#store.range({ from: prefix, to: endOf(prefix), limit: wanted })) {
      const state = readMessageState(value);
      const sequence = readU64Key(key, SEQUENCE_AFTER_TIME_AT);
      queue.redriving--;
      this.#messages.leaveDead(queue, key, state);
      this.#messages.enterReady(queue, sequence, state.priority, state.size, state.deliveries, 0, stamp_ms);
      done++;
    }
    if (done < wanted) throw new Error(`queue ${queue.name} has fewer dead messages than it counts`);
    this.#queues.changed(queue);
    return done;
  }

  /** Finds what was under way when the state was saved. */
  load(): void {
    this.#redriving = this.#queues.all().filter((queue) => queue.redriving > 0);
    this.#redriving.sort((a, b) => a.number - b.number);
    this.#leftovers = [];
    const from = this.#layout.leftovers();
    const at = this.#layout.leftoverFieldsAt;
    for (const { key } of this.#store.range({ from, to: endOf(from), keysOnly: true })) {
      const queue = this.#queues.byNumber(readU32Key(key, at));
      if (!queue) throw new Error('rows of a purge are left of a queue that does not exist');
      this.#leftovers.push({
        queue,
        kind: key[at + 4] as Kind,
        generation: readU32Key(key, at + 5),
      });
    }
  }

  #sweep({ queue, kind: of, generation }: Leftover, limit: number): number {
    const rows = this.#layout.generation(queue.number, of, generation);
    const at = sequenceAt[of]!;
    let removed = 0;
    for (const { key } of this.#store.range({ from: rows, to: endOf(rows), limit, keysOnly: true })) {
      this.#messages.deleteBody(queue, readU64Key(key, at));
      this.#store.delete(key);
      removed++;
    }
    if (removed === limit) return removed;
    const second = companion[of];
    if (second) {
      const secondRows = this.#layout.generation(queue.number, second, generation);
      this.#store.deleteRange(secondRows, endOf(secondRows));
    }
    this.#store.delete(this.#layout.leftover(queue.number, of, generation));
    return removed;
  }
}

/** The order of the leftovers' keys: what `load` finds. */
function byPlace(a: Leftover, b: Leftover): number {
  return (
    a.queue.number - b.queue.number ||
    a.kind.charCodeAt(0) - b.kind.charCodeAt(0) ||
    a.generation - b.generation
  );
}
