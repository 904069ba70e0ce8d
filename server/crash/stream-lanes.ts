/** Publishers and a consumer of one topic. */
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import { StreamService, type StreamServiceSubscribeResponse } from '../src/gen/gomsg/v1/stream_pb.js';
import type { Random } from '../src/raft/testing/random.ts';
import { isReason } from '../src/testing/call-error.ts';
import type { NodeClient } from '../src/testing/node-client.ts';
import { LaneStream } from './lane-stream.ts';
import { type Lane, Violation } from './lanes.ts';
import type { OnceCaller } from './once-caller.ts';
import { payloadBytes, payloadOf } from './payload.ts';
import type { RetryingSession } from './retrying-session.ts';
import { PARTITIONS, type StreamLedger, TOPIC } from './stream-ledger.ts';
import type { Tally } from './tally.ts';

const PUBLISHED_AT_ONCE = 8;
const CONSUMER = 'reader';

/** Publishes in a session, to a partition that it shares with others. */
export class SessionPublisher implements Lane {
  readonly name: string;
  readonly #partition: number;
  readonly #ledger: StreamLedger;
  readonly #session: RetryingSession;
  readonly #random: Random;

  constructor(
    name: string,
    partition: number,
    ledger: StreamLedger,
    session: RetryingSession,
    random: Random,
  ) {
    this.name = name;
    this.#partition = partition;
    this.#ledger = ledger;
    this.#session = session;
    this.#random = random;
  }

  async step(): Promise<void> {
    const count = this.#random.chance(0.6) ? 1 : PUBLISHED_AT_ONCE;
    const numbers = this.#ledger.publishing(this.name, this.#partition, count);
    const payloads = numbers.map((number) => payloadOf(this.name, number, payloadBytes(this.#random)));
    for (const [i, offset] of (await this.#publish(payloads)).entries()) {
      this.#ledger.acknowledged(this.name, this.#partition, numbers[i]!, Number(offset));
    }
  }

  async #publish(payloads: readonly Buffer[]): Promise<bigint[]> {
    const place = { topic: TOPIC, partition: this.#partition };
    if (payloads.length === 1) {
      const { offset } = await this.#session.call(StreamService.method.publish, {
        ...place,
        payload: payloads[0]!,
      });
      return [offset];
    }
    const { positions } = await this.#session.call(StreamService.method.publishBatch, {
      ...place,
      messages: payloads.map((payload) => ({ payload })),
    });
    return positions.map(({ offset }) => offset);
  }
}

/** The only publisher of its partition: the expected offset makes its repeats safe without a session. */
export class OwningPublisher implements Lane {
  readonly name: string;
  readonly #partition: number;
  readonly #ledger: StreamLedger;
  readonly #caller: OnceCaller;
  readonly #random: Random;
  #next = 0;
  #unanswered: Buffer | undefined;

  constructor(name: string, partition: number, ledger: StreamLedger, caller: OnceCaller, random: Random) {
    this.name = name;
    this.#partition = partition;
    this.#ledger = ledger;
    this.#caller = caller;
    this.#random = random;
  }

  async step(): Promise<void> {
    const number = this.#next;
    const again = this.#unanswered !== undefined;
    this.#unanswered ??= payloadOf(this.name, number, payloadBytes(this.#random));
    this.#ledger.publishing(this.name, this.#partition, 1);
    try {
      const answer = await this.#caller.call(StreamService.method.publish, {
        topic: TOPIC,
        partition: this.#partition,
        payload: this.#unanswered,
        expectedOffset: BigInt(number),
      });
      if (answer === undefined) return;
    } catch (error) {
      // Nobody else publishes here: what is at the offset is the try whose answer was lost.
      if (!again || !isReason(error, ErrorReason.CONDITION_FAILED)) throw error;
    }
    this.#unanswered = undefined;
    this.#next++;
    this.#ledger.acknowledged(this.name, this.#partition, number, number);
  }
}

/** What a named consumer has had of a partition. */
interface Progress {
  /** The offset that comes next; undefined after a restart: then it is the committed one. */
  next: number | undefined;
  /** Next offsets after the last commit that was answered, and after the last that was made. */
  committed: number;
  attempted: number;
}

/** A durable consumer: reads, acknowledges, and goes on at its committed place after every restart. */
export class DurableReader implements Lane {
  readonly name: string;
  readonly #caller: OnceCaller;
  readonly #tally: Tally;
  readonly #stream: LaneStream<StreamServiceSubscribeResponse>;
  readonly #partitions: Progress[] = Array.from({ length: PARTITIONS }, () => ({
    next: undefined,
    committed: 0,
    attempted: 0,
  }));

  constructor(name: string, caller: OnceCaller, tally: Tally) {
    this.name = name;
    this.#caller = caller;
    this.#tally = tally;
    this.#stream = new LaneStream(() =>
      caller.client?.stream(StreamService.method.subscribe, { topic: TOPIC, consumer: CONSUMER }),
    );
  }

  detach(): void {
    this.#stream.detach();
    for (const progress of this.#partitions) progress.next = undefined;
  }

  async step(closing: Promise<void>): Promise<void> {
    const response = await this.#stream.next(closing);
    const latest = new Map<number, number>();
    for (const { partition, offset } of response?.messages ?? []) {
      this.#take(partition, Number(offset));
      latest.set(partition, Number(offset));
    }
    await Promise.all([...latest].map(([partition, offset]) => this.#acknowledge(partition, offset)));
  }

  /** @throws Violation when a committed place is behind an answered commit, or ahead of every one made */
  async check(client: NodeClient): Promise<void> {
    for (const [partition, { committed, attempted }] of this.#partitions.entries()) {
      if (attempted === 0) continue;
      const { offset } = await client.unary(StreamService.method.getOffset, {
        topic: TOPIC,
        consumer: CONSUMER,
        partition,
      });
      this.#tally.checks++;
      if (offset < committed || offset > attempted) {
        throw new Violation(
          `${CONSUMER} is at offset ${offset} of partition ${partition}, not ${committed} to ${attempted}`,
        );
      }
    }
  }

  #take(partition: number, offset: number): void {
    const progress = this.#partitions[partition]!;
    const { next, committed, attempted } = progress;
    this.#tally.checks++;
    const fits = next === undefined ? offset >= committed && offset <= attempted : offset === next;
    if (!fits) {
      const due = next ?? `${committed} to ${attempted}`;
      throw new Violation(`${CONSUMER} got offset ${offset} of partition ${partition}; ${due} comes next`);
    }
    progress.next = offset + 1;
  }

  async #acknowledge(partition: number, offset: number): Promise<void> {
    const progress = this.#partitions[partition]!;
    progress.attempted = offset + 1;
    const answer = await this.#caller.call(StreamService.method.ack, {
      topic: TOPIC,
      consumer: CONSUMER,
      partition,
      offset: BigInt(offset),
    });
    if (answer !== undefined) progress.committed = offset + 1;
  }
}
