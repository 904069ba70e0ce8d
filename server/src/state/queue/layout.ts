/**
 * Where queues live in the store, behind the group prefix and the queue table letter:
 *
 * ```
 * n                                              group record: next message sequence, next queue number
 * q name                                         queue record: settings, figures, generations
 * g queue kind generation                        rows of a purged state that background work still has to remove
 * m queue b sequence                             body of a message
 * m queue d generation due sequence              delayed
 * m queue f generation sequence                  in flight
 * m queue l generation lease-end sequence        in flight, by lease end (empty)
 * m queue r generation 255-priority sequence     ready, in the order of hand-out
 * m queue t generation expiry sequence           ready and with a message ttl, by expiry (the priority)
 * m queue x generation died-at sequence          dead
 * m queue y dedup-id                             dedup id: sequence and expiry
 * m queue z expiry dedup-id                      dedup ids by expiry (empty)
 * ```
 *
 * A queue is known by a number that is never used again, so deleting one is a single range delete. A message is one
 * body and one row of its state (in flight two). Purging one state of many messages only moves that state on to its
 * next generation, at once and whatever its size; the rows left behind are removed in the background.
 */
import { groupPrefix, prefixEnd, table, u32Key, u64Key } from '../keys.ts';

/** One letter a kind of row below a queue. */
export const kind = {
  body: 'b',
  delayed: 'd',
  inFlight: 'f',
  lease: 'l',
  ready: 'r',
  expiry: 't',
  dead: 'x',
  dedup: 'y',
  dedupExpiry: 'z',
} as const;

export type Kind = (typeof kind)[keyof typeof kind];

/** Length of everything before the fields of a row without generation (body, dedup). */
const HEAD_CHARS = 2 + 1 + 1 + 4 + 1;
/** Offset of the first field behind the generation. */
export const FIELDS_AT = HEAD_CHARS + 4;
/** Offset of the sequence in the rows that begin with a time. */
export const SEQUENCE_AFTER_TIME_AT = FIELDS_AT + 8;
/** Offset of the sequence in a ready row. */
export const SEQUENCE_AFTER_PRIORITY_AT = FIELDS_AT + 1;
/** Offset of the expiry in a `dedupExpiry` row, and of the dedup id behind it. */
export const DEDUP_EXPIRY_AT = HEAD_CHARS;
export const DEDUP_ID_AT = HEAD_CHARS + 8;

export class Layout {
  readonly #base: string;

  constructor(group: number) {
    this.#base = groupPrefix(group) + table.queue;
  }

  get groupRecord(): string {
    return `${this.#base}n`;
  }

  queueRecord(name: string): string {
    return `${this.#base}q${name}`;
  }

  nameOf(queueRecord: string): string {
    return queueRecord.slice(this.#base.length + 1);
  }

  /** All leftovers, or those of one queue. */
  leftovers(queueNumber?: number): string {
    return `${this.#base}g${queueNumber === undefined ? '' : u32Key(queueNumber)}`;
  }

  leftover(queueNumber: number, of: Kind, generation: number): string {
    return this.leftovers(queueNumber) + of + u32Key(generation);
  }

  /** Offset of the queue number in the key of a leftover; kind and generation follow. */
  get leftoverFieldsAt(): number {
    return this.#base.length + 1;
  }

  /** Rows of one queue. */
  messages(queueNumber: number): string {
    return `${this.#base}m${u32Key(queueNumber)}`;
  }

  /** Rows of one kind without generation. */
  rows(queueNumber: number, of: Kind): string {
    return this.messages(queueNumber) + of;
  }

  /** Rows of one kind and generation. */
  generation(queueNumber: number, of: Kind, generation: number): string {
    return this.rows(queueNumber, of) + u32Key(generation);
  }
}

/** Ready rows sort by priority, highest first, then by sequence. */
export function readyKey(prefix: string, priority: number, sequence: number): string {
  return prefix + String.fromCharCode(255 - priority) + u64Key(sequence);
}

/** Key of the rows that sort by a time and then by sequence. */
export function timedKey(prefix: string, at_ms: number, sequence: number): string {
  return prefix + u64Key(at_ms) + u64Key(sequence);
}

/** Smallest key above all that begin with `prefix`. */
export function endOf(prefix: string): string {
  const end = prefixEnd(prefix);
  if (end === undefined) throw new Error('a queue prefix always has an end: its table letter is not 0xff');
  return end;
}
