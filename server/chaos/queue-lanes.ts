/** A queue under chaos: producers, poppers, consumers, and the history of what they were told. */
import { type Client, connect, ErrorReason, GomsgError, type QueueMessage } from '@gomsg/client';
import type { Random } from '../src/raft/testing/random.ts';
import { monotonicTime_us, type Outcome } from '../src/testing/histories/history.ts';
import {
  checkQueue,
  type QueueDelivery,
  type QueuePush,
  type QueueRelease,
  type QueueSettlement,
} from '../src/testing/histories/queue-checker.ts';
import type { Violation } from '../src/testing/histories/violation.ts';
import { HungError } from './chaos-cluster.ts';
import { type Lane, think } from './lane.ts';
import { type Complaints, Tally } from './tally.ts';
import type { Disturbance } from './timeline.ts';

export const QUEUE = 'chaos-queue';
const LEASE_S = 3;
/** Where a delivery is on its way for long, its lease may be over before it is received. */
const LEASE_US = LEASE_S * 1e6;
const SETTINGS = { lease: LEASE_S, maxDeliveries: 10_000, retryBackoff: 0.05, retryBackoffMax: 0.2 };
/** Clocks of the machine count milliseconds. */
const CLOCK_MARGIN_MS = 5;
const POP_WAIT_S = 1;
const THINK_MS = 15;
const THINK_AFTER_LOSS_MS = 300;
/** Messages that wait, from which on producers let consumers catch up. */
const WAITING_MAX = 300;
const NACK_CHANCE = 0.1;
/** What was not settled by then hangs. */
const DRAIN_MAX_MS = 60_000;
/** A stream that broke may have ended at the server this long before its consumer noticed. */
const NOTICED_AFTER_US = 25_000_000;

/** All that happens in the queue. */
export class QueueLedger {
  readonly tally = new Tally();
  readonly complaints: Complaints;
  readonly pushes: QueuePush[] = [];
  readonly deliveries: QueueDelivery[] = [];
  readonly settlements: QueueSettlement[] = [];
  readonly releases: QueueRelease[] = [];
  readonly #settled = new Set<string>();
  #messages = 0;

  constructor(complaints: Complaints) {
    this.complaints = complaints;
  }

  get waiting(): number {
    return this.pushes.length - this.#settled.size;
  }

  async push(client: Client, random: Random): Promise<boolean> {
    const message = `m${++this.#messages}`;
    const priority = random.below(3);
    const invokedAt_us = monotonicTime_us();
    const outcome = await this.#outcome(client.queue.push(QUEUE, message, { priority }));
    const endedAt_us = outcome === 'unknown' ? Number.POSITIVE_INFINITY : monotonicTime_us();
    this.pushes.push({ message, priority, outcome, invokedAt_us, endedAt_us, isDelayed: false });
    return outcome !== 'unknown';
  }

  delivered(message: QueueMessage, consumer: number, invokedAt_us: number): void {
    this.deliveries.push({
      message: message.data,
      delivery: message.id,
      // Not `message.attempt`, which leaves out deliveries that never left the server.
      attempt: Number(message.id.slice(message.id.lastIndexOf('.') + 1)),
      consumer,
      lease_us: LEASE_US,
      invokedAt_us,
      endedAt_us: monotonicTime_us(),
    });
  }

  async settle(message: QueueMessage, kind: 'ack' | 'nack'): Promise<void> {
    const invokedAt_us = monotonicTime_us();
    const outcome = await this.#outcome(kind === 'ack' ? message.ack() : message.nack());
    const endedAt_us = outcome === 'unknown' ? Number.POSITIVE_INFINITY : monotonicTime_us();
    this.settlements.push({ delivery: message.id, kind, outcome, invokedAt_us, endedAt_us });
    if (kind === 'ack' && outcome === 'ok') this.#settled.add(message.data);
  }

  check(disturbances: readonly Disturbance[], isDrained: boolean): readonly Violation[] {
    const releases = [...this.releases, ...disturbances];
    return checkQueue({ ...this, releases, isDrained });
  }

  async #outcome(work: Promise<unknown>): Promise<Outcome> {
    this.tally.operations++;
    try {
      await work;
      this.tally.acknowledged++;
      return 'ok';
    } catch (error) {
      this.complaints.take(error);
      const isGone = error instanceof GomsgError && error.reason === ErrorReason.DELIVERY_NOT_FOUND;
      if (isGone) this.tally.refused++;
      else this.tally.unknown++;
      return isGone ? 'fail' : 'unknown';
    }
  }
}

export async function createQueue(client: Client): Promise<void> {
  await client.queue.create(QUEUE, SETTINGS);
}

export class Producer implements Lane {
  readonly name = 'queue producer';
  readonly #client: Client;
  readonly #ledger: QueueLedger;
  readonly #random: Random;

  constructor(client: Client, ledger: QueueLedger, random: Random) {
    this.#client = client;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const mayPush = this.#ledger.waiting < WAITING_MAX;
      const answered = mayPush && (await this.#ledger.push(this.#client, this.#random));
      await think(answered ? THINK_MS : THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }
}

export class Popper implements Lane {
  readonly name = 'queue popper';
  readonly #id: number;
  readonly #client: Client;
  readonly #ledger: QueueLedger;
  readonly #random: Random;

  constructor(id: number, client: Client, ledger: QueueLedger, random: Random) {
    this.#id = id;
    this.#client = client;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) if (!(await this.pop())) await think(THINK_AFTER_LOSS_MS, this.#random, stop);
  }

  /** @returns whether there was something */
  async pop(): Promise<boolean> {
    const invokedAt_us = monotonicTime_us();
    let message: QueueMessage | null;
    try {
      message = await this.#client.queue.popTimeout(QUEUE, POP_WAIT_S, { lease: LEASE_S });
    } catch (error) {
      this.#ledger.complaints.take(error);
      return false;
    }
    if (message === null) return false;
    this.#ledger.delivered(message, this.#id, invokedAt_us);
    await this.#ledger.settle(message, this.#random.chance(NACK_CHANCE) ? 'nack' : 'ack');
    return true;
  }
}

/**
 * When a delivery was handed out, as its lease says: by the clock of the node that led, which is that of this machine. A
 * consumer cannot tell: deliveries wait for it while it settles others, also beyond their lease, which frees its credit.
 */
function handedOutAt_us({ leaseExpiresAt }: QueueMessage): number {
  const age_ms = Date.now() - (leaseExpiresAt.getTime() - LEASE_S * 1_000) + CLOCK_MARGIN_MS;
  return monotonicTime_us() - age_ms * 1_000;
}

/** A stream of deliveries. */
export class Consumer implements Lane {
  readonly name = 'queue consumer';
  readonly #id: number;
  readonly #addresses: readonly string[];
  readonly #ledger: QueueLedger;
  readonly #random: Random;

  constructor(id: number, addresses: readonly string[], ledger: QueueLedger, random: Random) {
    this.#id = id;
    this.#addresses = addresses;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    const released = (): void => {
      const now_us = monotonicTime_us();
      this.#ledger.releases.push({
        consumer: this.#id,
        invokedAt_us: now_us - NOTICED_AFTER_US,
        endedAt_us: now_us,
      });
    };
    await using client = connect(this.#addresses, {
      hooks: {
        onRetry: ({ method }) => {
          if (method === 'queue.consume') released();
        },
        log: () => {},
      },
    });
    while (!stop.aborted) {
      const subscription = client.queue.consume(
        QUEUE,
        async (message) => {
          this.#ledger.delivered(message, this.#id, handedOutAt_us(message));
          await this.#ledger.settle(message, this.#random.chance(NACK_CHANCE) ? 'nack' : 'ack');
        },
        { credit: 1, lease: LEASE_S, signal: stop, onError: (error) => this.#ledger.complaints.take(error) },
      );
      const error = await subscription.closed;
      if (error !== undefined) this.#ledger.complaints.take(error);
      released();
      await think(THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }
}

/** Pops until the queue holds nothing. @throws HungError */
export async function drainQueue(client: Client, popper: Popper): Promise<void> {
  const until_ms = performance.now() + DRAIN_MAX_MS;
  for (;;) {
    const { ready, delayed, inFlight, dead } = await client.queue.stats(QUEUE);
    if (ready + delayed + inFlight === 0) {
      if (dead > 0) throw new HungError(`${dead} messages of the queue are dead`);
      return;
    }
    if (performance.now() > until_ms) {
      throw new HungError(
        `the queue still holds ${ready} ready, ${delayed} delayed and ${inFlight} leased messages after ${DRAIN_MAX_MS} ms`,
      );
    }
    await popper.pop();
  }
}
