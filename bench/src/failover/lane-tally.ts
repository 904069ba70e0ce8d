/** What the calls and messages of one lane told, as far as it can be held against what is stored. */
import type { Event } from './event.ts';

/** What the cluster holds of a lane at the end. */
export interface Stored {
  readonly counter: number;
  /** Messages of the queue, in whatever state. */
  readonly queued: number;
  /** What was published, by offset from 0. */
  readonly published: readonly number[];
  /** The committed offset of the group; undefined where the lane has none. */
  readonly committed: number | undefined;
}

/** How often each promise was broken. */
export const FAULTS = [
  'incrementsLost',
  'incrementsDoubled',
  'pushesLost',
  'pushesDoubled',
  'settledTwice',
  'publishesLost',
  'publishesDoubled',
  'publishesOutOfOrder',
  'deliveriesLost',
  'deliveriesRepeated',
] as const;
export type Faults = Record<(typeof FAULTS)[number], number>;

export class LaneTally {
  increments = 0;
  /** Whether these were done, nobody knows. */
  #incrementsFailed = 0;
  /** Increments that gave no higher sum than the one before. */
  #sumsRepeated = 0;
  #sum = 0;
  readonly #pushed = new Set<number>();
  /** Messages by the id that was pushed. */
  readonly #messages = new Map<number, Set<string>>();
  readonly #settled = new Map<string, number>();
  /** Ids whose ack failed, so that nobody knows whether they are settled. */
  readonly #unsettled = new Set<number>();
  readonly #acked = new Set<number>();
  readonly #published: number[] = [];
  readonly #delivered = new Set<number>();
  #lastDelivered = -1;
  #committed = -1;
  #repeated = 0;
  readonly #isGroup: boolean;

  constructor(lane: number) {
    this.#isGroup = lane % 2 === 0;
  }

  get pushes(): number {
    return this.#pushed.size;
  }

  get settled(): number {
    return this.#settled.size;
  }

  get publishes(): number {
    return this.#published.length;
  }

  take({ kind, ok, id = 0, value = 0, message = '', offset = 0 }: Event): void {
    switch (kind) {
      case 'incr':
        if (ok) this.#counted(value);
        else this.#incrementsFailed += 1;
        return;
      case 'push':
        if (ok) this.#pushed.add(id);
        return;
      case 'settle':
        this.#settle(ok, id, message);
        return;
      case 'publish':
        if (ok) this.#published.push(id);
        return;
      case 'deliver':
        if (ok) this.#deliver(offset);
        return;
      case 'commit':
        if (ok) this.#committed = Math.max(this.#committed, offset);
    }
  }

  /**
   * Whether all that was pushed is settled, and all that was published was delivered and committed. What is stored counts, too:
   * a push or publish whose caller was told of a failure may have been done.
   */
  isDrained({ queued, published, committed }: Stored): boolean {
    return (
      queued === 0 &&
      [...this.#pushed].every((id) => this.#isSettled(id)) &&
      published.every((_, offset) => this.#delivered.has(offset)) &&
      (committed === undefined || committed === published.length)
    );
  }

  faults({ counter, queued, published, committed }: Stored): Faults {
    const stored = new Set(published);
    const acknowledged = new Set(this.#published);
    const inOrder = published.filter((id) => acknowledged.has(id));
    const undelivered = published.filter((_, offset) => !this.#delivered.has(offset)).length;
    return {
      incrementsLost: Math.max(0, this.increments - counter),
      incrementsDoubled: Math.max(this.#sumsRepeated, counter - this.increments - this.#incrementsFailed, 0),
      pushesLost: count(this.#pushed, (id) => !this.#isSettled(id)) + queued,
      pushesDoubled: count(this.#messages.values(), ({ size }) => size > 1),
      settledTwice: count(this.#settled.values(), (times) => times > 1),
      publishesLost: count(acknowledged, (id) => !stored.has(id)),
      publishesDoubled: published.length - stored.size,
      publishesOutOfOrder: count(inOrder.keys(), (at) => at > 0 && inOrder[at]! < inOrder[at - 1]!),
      deliveriesLost: undelivered + (committed === undefined ? 0 : Math.abs(published.length - committed)),
      deliveriesRepeated: this.#repeated,
    };
  }

  #isSettled(id: number): boolean {
    return this.#acked.has(id) || this.#unsettled.has(id);
  }

  #counted(sum: number): void {
    this.increments += 1;
    if (sum <= this.#sum) this.#sumsRepeated += 1;
    this.#sum = Math.max(sum, this.#sum);
  }

  #settle(ok: boolean, id: number, message: string): void {
    if (message === '') return; // A pop that failed.
    const messages = this.#messages.get(id) ?? new Set();
    this.#messages.set(id, messages.add(message));
    if (!ok) {
      this.#unsettled.add(id);
      return;
    }
    this.#acked.add(id);
    this.#settled.set(message, (this.#settled.get(message) ?? 0) + 1);
  }

  /** A reader without a name gets each message once, in order; a group gets again only what it has not committed. */
  #deliver(offset: number): void {
    if (offset <= (this.#isGroup ? this.#committed : this.#lastDelivered)) this.#repeated += 1;
    this.#lastDelivered = Math.max(this.#lastDelivered, offset);
    this.#delivered.add(offset);
  }
}

function count<T>(items: Iterable<T>, holds: (item: T) => boolean): number {
  let found = 0;
  for (const item of items) if (holds(item)) found += 1;
  return found;
}
