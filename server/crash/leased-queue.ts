/**
 * A queue as most programs use one: no sessions, pushes repeated under a dedup id, short leases, consumers that die
 * with their connection. Every message comes at least once, and never again after its acknowledgement was answered.
 */
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import {
  type QueueDelivery,
  QueueService,
  type QueueServiceConsumeResponse,
} from '../src/gen/gomsg/v1/queue_pb.js';
import type { Random } from '../src/raft/testing/random.ts';
import { parseDeliveryId } from '../src/state/queue/delivery-id.ts';
import { isReason } from '../src/testing/call-error.ts';
import type { NodeClient } from '../src/testing/node-client.ts';
import { LaneStream } from './lane-stream.ts';
import { type Lane, Violation } from './lanes.ts';
import { MessageFates } from './message-fates.ts';
import type { OnceCaller } from './once-caller.ts';
import { payloadBytes, payloadOf, readPayload } from './payload.ts';
import type { Tally } from './tally.ts';

export const LEASED_QUEUE = 'leased';
const LEASE = { nanos: 500_000_000 };
const WAIT = { nanos: 50_000_000 };
const POPPED_AT_ONCE = 10;
const CREDIT = 10;

/** Messages waiting at which a pusher leaves the node to the consumers. */
const WAITING_MAX = 1_000;

export class LeasedQueue {
  readonly fates = new MessageFates(LEASED_QUEUE);
  /** By `lane:number`: the delivery by which a message was settled. */
  readonly #settledBy = new Map<string, number>();
  readonly #caller: OnceCaller;

  constructor(caller: OnceCaller) {
    this.#caller = caller;
  }

  /** Handles a delivery: checks that it may come, and acknowledges it. */
  async process({ deliveryId, payload }: QueueDelivery): Promise<void> {
    const { fates } = this;
    const { lane, number } = readPayload(payload);
    const id = `${lane}:${number}`;
    const delivery = parseDeliveryId(deliveryId)!.delivery;
    const settledBy = this.#settledBy.get(id);
    if (settledBy !== undefined) {
      if (delivery > settledBy) throw new Violation(`${LEASED_QUEUE}: ${id} came back after it was settled`);
      // It lay unread here until its lease ran out, and another consumer was quicker.
      return;
    }
    // A lease that ran out on one consumer gives the message to the next, so nobody holds it for long.
    fates.released(lane, number);
    fates.delivered(lane, number);
    try {
      const answer = await this.#caller.call(QueueService.method.ack, { deliveryId });
      if (answer === undefined) fates.maybeSettledBy(lane, number);
      else {
        fates.settledBy(lane, number);
        this.#settledBy.set(id, delivery);
      }
    } catch (error) {
      if (!isReason(error, ErrorReason.DELIVERY_NOT_FOUND)) throw error;
      fates.released(lane, number);
    }
  }

  /** @throws Violation */
  async check(client: NodeClient, tally: Tally): Promise<void> {
    const { pushed, attempted, settled, maybeSettled } = this.fates;
    if (pushed === 0) return;
    const { stats } = await client.unary(QueueService.method.stats, { queue: LEASED_QUEUE });
    if (stats === undefined) throw new Violation(`${LEASED_QUEUE}: no stats`);
    tally.checks++;
    const total = Number(stats.pushedTotal);
    const acked = Number(stats.ackedTotal);
    const kept = Number(stats.ready + stats.delayed + stats.inFlight);
    if (
      total < pushed ||
      total > attempted ||
      acked < settled ||
      acked > settled + maybeSettled ||
      kept !== total - acked
    ) {
      throw new Violation(
        `${LEASED_QUEUE}: ${total} pushed, ${acked} settled, ${kept} kept, ${stats.dead} dead; ${pushed} of ${attempted} pushes and ${settled} to ${settled + maybeSettled} settlements were made`,
      );
    }
  }

  /** Pops and acknowledges until the queue holds nothing. @throws Violation */
  async drain(client: NodeClient): Promise<void> {
    for (;;) {
      const { stats } = await client.unary(QueueService.method.stats, { queue: LEASED_QUEUE });
      if (stats!.ready + stats!.delayed + stats!.inFlight === 0n) return;
      const { deliveries } = await client.unary(QueueService.method.pop, {
        queue: LEASED_QUEUE,
        wait: WAIT,
        lease: LEASE,
        maxMessages: 500,
      });
      await Promise.all(deliveries.map((delivery) => this.process(delivery)));
    }
  }
}

export class LeasedPusher implements Lane {
  readonly name: string;
  readonly #queue: LeasedQueue;
  readonly #caller: OnceCaller;
  readonly #random: Random;
  /** The message whose answer was lost. */
  #unanswered: { readonly number: number; readonly payload: Buffer } | undefined;

  constructor(name: string, queue: LeasedQueue, caller: OnceCaller, random: Random) {
    this.name = name;
    this.#queue = queue;
    this.#caller = caller;
    this.#random = random;
  }

  async step(): Promise<void> {
    const { fates } = this.#queue;
    if (fates.pushed - fates.settled > WAITING_MAX && this.#unanswered === undefined) {
      await this.#caller.call(QueueService.method.stats, { queue: LEASED_QUEUE });
      return;
    }
    const again = this.#unanswered !== undefined;
    const number = this.#unanswered?.number ?? fates.pushing(this.name);
    const payload = this.#unanswered?.payload ?? payloadOf(this.name, number, payloadBytes(this.#random));
    this.#unanswered = { number, payload };
    const answer = await this.#caller.call(QueueService.method.push, {
      queue: LEASED_QUEUE,
      payload,
      dedupId: `${this.name}:${number}`,
    });
    if (answer === undefined) return;
    if (answer.deduplicated && !again)
      throw new Violation(`${this.name}: a first push was called a duplicate`);
    this.#unanswered = undefined;
    fates.acknowledged(this.name, number);
  }
}

export class LeasedPopper implements Lane {
  readonly name: string;
  readonly #queue: LeasedQueue;
  readonly #caller: OnceCaller;

  constructor(name: string, queue: LeasedQueue, caller: OnceCaller) {
    this.name = name;
    this.#queue = queue;
    this.#caller = caller;
  }

  async step(): Promise<void> {
    const answer = await this.#caller.call(QueueService.method.pop, {
      queue: LEASED_QUEUE,
      wait: WAIT,
      lease: LEASE,
      maxMessages: POPPED_AT_ONCE,
    });
    await Promise.all((answer?.deliveries ?? []).map((delivery) => this.#queue.process(delivery)));
  }
}

/** A Consume stream, which dies with its node. */
export class LeasedConsumer implements Lane {
  readonly name: string;
  readonly #queue: LeasedQueue;
  readonly #stream: LaneStream<QueueServiceConsumeResponse>;

  constructor(name: string, queue: LeasedQueue, caller: OnceCaller) {
    this.name = name;
    this.#queue = queue;
    this.#stream = new LaneStream(() =>
      caller.client?.stream(QueueService.method.consume, {
        queue: LEASED_QUEUE,
        credit: CREDIT,
        lease: LEASE,
      }),
    );
  }

  detach(): void {
    this.#stream.detach();
  }

  async step(closing: Promise<void>): Promise<void> {
    const message = await this.#stream.next(closing);
    await Promise.all((message?.deliveries ?? []).map((delivery) => this.#queue.process(delivery)));
  }
}
