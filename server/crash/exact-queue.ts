/**
 * A queue that is used in sessions alone, with leases that outlast the run: every message is handed out exactly once
 * (once more for each Nack), and every push, pop and settlement happens exactly once.
 */

import type { QueueDelivery } from '../src/gen/gomsg/v1/queue_pb.js';
import { QueueService } from '../src/gen/gomsg/v1/queue_pb.js';
import type { Random } from '../src/raft/testing/random.ts';
import type { NodeClient } from '../src/testing/node-client.ts';
import { type Lane, Violation } from './lanes.ts';
import { MessageFates } from './message-fates.ts';
import { payloadBytes, payloadOf, readPayload } from './payload.ts';
import type { RetryingSession } from './retrying-session.ts';
import type { Tally } from './tally.ts';

export const EXACT_QUEUE = 'exact';
const LEASE = { seconds: 12n * 3600n };
const POPPED_AT_ONCE = 10;
const PUSHED_AT_ONCE = 10;
const RETURNED_PERCENT = 5;

/** Messages waiting at which pushers stop, so that the poppers keep up. */
const WAITING_MAX = 2_000;

/** What pushers and poppers of one queue share. */
export class ExactQueue {
  readonly fates = new MessageFates(EXACT_QUEUE);
  /** By `lane:number`: how often a message was given back. */
  readonly returns = new Map<string, number>();

  get waiting(): number {
    return this.fates.pushed - this.fates.settled;
  }

  /** A push or settlement whose answer is due may have happened. @throws Violation */
  async check(client: NodeClient, tally: Tally): Promise<void> {
    if (this.fates.attempted === 0) return;
    const { stats } = await client.unary(QueueService.method.stats, { queue: EXACT_QUEUE });
    if (stats === undefined) throw new Violation(`${EXACT_QUEUE}: no stats`);
    tally.checks++;
    const { pushed, attempted, settled, held } = this.fates;
    const total = Number(stats.pushedTotal);
    const acked = Number(stats.ackedTotal);
    const kept = Number(stats.ready + stats.delayed + stats.inFlight);
    const told = `${total} pushed, ${acked} settled, ${kept} kept`;
    if (total < pushed || total > attempted || kept !== total - acked) {
      throw new Violation(`${EXACT_QUEUE}: ${told}, after ${pushed} acknowledged pushes of ${attempted}`);
    }
    if (acked < settled || acked > settled + held) {
      throw new Violation(
        `${EXACT_QUEUE}: ${told}, after ${settled} acknowledged settlements, ${held} under way`,
      );
    }
  }
}

export class ExactPusher implements Lane {
  readonly name: string;
  readonly #queue: ExactQueue;
  readonly #session: RetryingSession;
  readonly #random: Random;

  constructor(name: string, queue: ExactQueue, session: RetryingSession, random: Random) {
    this.name = name;
    this.#queue = queue;
    this.#session = session;
    this.#random = random;
  }

  async step(): Promise<void> {
    const { fates } = this.#queue;
    // One message at least, so that the lane waits for an answer.
    const count = this.#queue.waiting > WAITING_MAX || this.#random.chance(0.7) ? 1 : PUSHED_AT_ONCE;
    const numbers = Array.from({ length: count }, () => fates.pushing(this.name));
    const payloads = numbers.map((number) => payloadOf(this.name, number, payloadBytes(this.#random)));
    if (count === 1) {
      const { deduplicated } = await this.#session.call(QueueService.method.push, {
        queue: EXACT_QUEUE,
        payload: payloads[0]!,
      });
      if (deduplicated) throw new Violation('a push without a dedup id was called a duplicate');
    } else {
      await this.#session.call(QueueService.method.pushBatch, {
        queue: EXACT_QUEUE,
        messages: payloads.map((payload) => ({ payload })),
      });
    }
    for (const number of numbers) fates.acknowledged(this.name, number);
  }
}

export class ExactPopper implements Lane {
  readonly name: string;
  readonly #queue: ExactQueue;
  readonly #session: RetryingSession;
  readonly #random: Random;

  constructor(name: string, queue: ExactQueue, session: RetryingSession, random: Random) {
    this.name = name;
    this.#queue = queue;
    this.#session = session;
    this.#random = random;
  }

  async step(): Promise<void> {
    const { deliveries } = await this.#session.call(QueueService.method.pop, {
      queue: EXACT_QUEUE,
      lease: LEASE,
      maxMessages: POPPED_AT_ONCE,
    });
    await Promise.all(deliveries.map((delivery) => this.#process(delivery)));
  }

  async #process({ deliveryId, payload, attempt }: QueueDelivery): Promise<void> {
    const { fates, returns } = this.#queue;
    const { lane, number } = readPayload(payload);
    const id = `${lane}:${number}`;
    fates.delivered(lane, number);
    const returned = returns.get(id) ?? 0;
    if (attempt !== returned + 1) {
      throw new Violation(`${EXACT_QUEUE}: ${id} came as attempt ${attempt}, given back ${returned} times`);
    }
    if (this.#random.below(100) < RETURNED_PERCENT) {
      // Known before the answer: the next consumer may have it by then.
      returns.set(id, returned + 1);
      fates.released(lane, number);
      await this.#session.call(QueueService.method.nack, { deliveryId });
      return;
    }
    await this.#session.call(QueueService.method.ack, { deliveryId });
    fates.settledBy(lane, number);
    returns.delete(id);
  }
}
