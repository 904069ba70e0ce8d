/** A topic under chaos: publishers, a group, a plain reader, and the history of what they were told. */
import { type Client, connect, type StreamMessage } from '@gomsg/client';
import type { Random } from '../src/raft/testing/random.ts';
import { monotonicTime_us } from '../src/testing/histories/history.ts';
import {
  checkStream,
  type GroupChange,
  type GroupCommit,
  type GroupDelivery,
  type GroupPosition,
  type StreamPublish,
  type StreamRecord,
} from '../src/testing/histories/stream-checker.ts';
import type { Violation } from '../src/testing/histories/violation.ts';
import { HungError } from './chaos-cluster.ts';
import { type Lane, think } from './lane.ts';
import { type Complaints, Tally } from './tally.ts';
import type { Disturbance } from './timeline.ts';

export const TOPIC = 'chaos-topic';
export const GROUP = 'chaos-group';
export const PARTITIONS = 3;
/** Unacknowledged messages that a member may have. */
const CREDIT = 8;
const THINK_MS = 15;
const THINK_AFTER_LOSS_MS = 300;
/** A member stays about so long, leaves, and joins again. */
const MEMBERSHIP_MS = 20_000;
const POSITION_LOOK_MS = 500;
const READ_AT_ONCE = 500;
const DRAIN_MAX_MS = 60_000;
/** A membership that broke may have ended at the server this long before its member noticed. */
const NOTICED_AFTER_US = 25_000_000;
/** And it may take this long until the others have its partitions. */
const TAKEN_OVER_AFTER_US = 10_000_000;

/** All that happens in the topic. */
export class StreamLedger {
  readonly tally = new Tally();
  readonly complaints: Complaints;
  readonly publishes: StreamPublish[] = [];
  readonly log = new Map<number, StreamRecord[]>();
  readonly deliveries: GroupDelivery[] = [];
  readonly commits: GroupCommit[] = [];
  readonly positions: GroupPosition[] = [];
  readonly changes: GroupChange[] = [];
  readonly readings = new Map<number, StreamRecord[]>();
  #messages = 0;

  constructor(complaints: Complaints) {
    this.complaints = complaints;
  }

  async publish(client: Client, random: Random): Promise<boolean> {
    const message = `e${++this.#messages}`;
    const partition = random.below(PARTITIONS);
    const invokedAt_us = monotonicTime_us();
    this.tally.operations++;
    try {
      const id = await client.stream.publish(TOPIC, message, { partition });
      const offset = Number(id.slice(id.lastIndexOf('.') + 1));
      this.publishes.push({
        message,
        partition,
        outcome: 'ok',
        offset,
        invokedAt_us,
        endedAt_us: monotonicTime_us(),
      });
      this.tally.acknowledged++;
      return true;
    } catch (error) {
      this.complaints.take(error);
      this.tally.unknown++;
      const endedAt_us = Number.POSITIVE_INFINITY;
      this.publishes.push({ message, partition, outcome: 'unknown', invokedAt_us, endedAt_us });
      return false;
    }
  }

  /** Membership changed, or may have, about now. */
  changed(): void {
    const now_us = monotonicTime_us();
    this.changes.push({
      invokedAt_us: now_us - NOTICED_AFTER_US,
      endedAt_us: now_us + TAKEN_OVER_AFTER_US,
    });
  }

  async commit(message: StreamMessage): Promise<void> {
    const { partition, offset } = message;
    const commit = { partition, next: offset + 1, invokedAt_us: monotonicTime_us() };
    this.tally.operations++;
    try {
      await message.ack();
      this.tally.acknowledged++;
      this.commits.push({ ...commit, outcome: 'ok', endedAt_us: monotonicTime_us() });
    } catch (error) {
      this.complaints.take(error);
      this.tally.unknown++;
      this.commits.push({ ...commit, outcome: 'unknown', endedAt_us: Number.POSITIVE_INFINITY });
    }
  }

  check(disturbances: readonly Disturbance[], isDrained: boolean): readonly Violation[] {
    if (this.log.size < PARTITIONS) {
      const detail = `only ${this.log.size} of ${PARTITIONS} partitions could be read at the end`;
      return [{ rule: 'the topic can be read', detail }];
    }
    const { deliveries, commits, positions } = this;
    return checkStream({
      publishes: this.publishes,
      log: this.log,
      readings: [...this.readings].map(([partition, records]) => ({ reader: 'reader', partition, records })),
      groups: [
        {
          group: GROUP,
          deliveries,
          commits,
          positions,
          changes: [...this.changes, ...disturbances],
          isDrained,
        },
      ],
    });
  }
}

export async function createTopic(client: Client): Promise<void> {
  await client.stream.create(TOPIC, { partitions: PARTITIONS });
}

export class Publisher implements Lane {
  readonly name = 'publisher';
  readonly #client: Client;
  readonly #ledger: StreamLedger;
  readonly #random: Random;

  constructor(client: Client, ledger: StreamLedger, random: Random) {
    this.#client = client;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const answered = await this.#ledger.publish(this.#client, this.#random);
      await think(answered ? THINK_MS : THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }
}

/** A member of the group, which now and then leaves and comes again. */
export class Member implements Lane {
  readonly name: string;
  readonly #addresses: readonly string[];
  readonly #ledger: StreamLedger;
  readonly #random: Random;

  constructor(id: number, addresses: readonly string[], ledger: StreamLedger, random: Random) {
    this.name = `member ${id}`;
    this.#addresses = addresses;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    const { complaints } = this.#ledger;
    await using client = connect(this.#addresses, {
      hooks: {
        onRetry: ({ method }) => {
          if (method.startsWith('stream.subscribe')) this.#ledger.changed();
        },
        log: () => {},
      },
    });
    while (!stop.aborted) {
      this.#ledger.changed();
      const subscription = client.stream.subscribeGroup(TOPIC, GROUP, this.#handler(), {
        credit: CREDIT,
        start: 'earliest',
        signal: stop,
        onError: (error) => complaints.take(error),
      });
      const leaving = think(MEMBERSHIP_MS, this.#random, stop).then(() => subscription.close());
      const error = await Promise.race([subscription.closed, leaving]);
      if (error !== undefined) complaints.take(error);
      await subscription.close();
      this.#ledger.changed();
      await think(THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }

  #handler(): (message: StreamMessage) => Promise<void> {
    // A message was handed out after the one that many before it was taken up, or after the subscription began.
    const takenUpAt_us = Array.from({ length: CREDIT + 1 }, monotonicTime_us);
    return async (message) => {
      const { partition, offset, data } = message;
      const endedAt_us = monotonicTime_us();
      const invokedAt_us = takenUpAt_us.shift()!;
      takenUpAt_us.push(endedAt_us);
      const member = this.name;
      this.#ledger.deliveries.push({ member, partition, offset, message: data, invokedAt_us, endedAt_us });
      await this.#ledger.commit(message);
    };
  }
}

/** Asks how far the group is. */
export class PositionWatcher implements Lane {
  readonly name = 'position watcher';
  readonly #client: Client;
  readonly #ledger: StreamLedger;
  readonly #random: Random;

  constructor(client: Client, ledger: StreamLedger, random: Random) {
    this.#client = client;
    this.#ledger = ledger;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const partition = this.#random.below(PARTITIONS);
      const invokedAt_us = monotonicTime_us();
      try {
        const next = await this.#client.stream.getOffset(TOPIC, GROUP, { partition });
        this.#ledger.positions.push({ partition, next, invokedAt_us, endedAt_us: monotonicTime_us() });
      } catch (error) {
        this.#ledger.complaints.take(error);
      }
      await think(POSITION_LOOK_MS, this.#random, stop);
    }
  }
}

/** A subscription without a name: it has to get each message from its start on once, whatever breaks meanwhile. */
export class Reader implements Lane {
  readonly name = 'stream reader';
  readonly #client: Client;
  readonly #ledger: StreamLedger;

  constructor(client: Client, ledger: StreamLedger) {
    this.#client = client;
    this.#ledger = ledger;
  }

  async run(stop: AbortSignal): Promise<void> {
    const { readings } = this.#ledger;
    while (!stop.aborted) {
      const subscription = this.#client.stream.subscribe(TOPIC, { start: 'earliest', signal: stop });
      try {
        for await (const { partition, offset, data } of subscription) {
          const records = readings.get(partition) ?? [];
          readings.set(partition, records);
          records.push({ offset, message: data });
        }
      } catch (error) {
        // Only what was never in place gives up by itself; what was must not end.
        if (readings.size > 0) throw error;
        this.#ledger.complaints.take(error);
      }
    }
  }
}

/** Reads the whole topic, and waits until the group and the reader have everything. @throws HungError */
export async function settleTopic(client: Client, ledger: StreamLedger): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records: StreamRecord[] = [];
    for (;;) {
      const messages = await client.stream.read(TOPIC, records.length, READ_AT_ONCE, { partition });
      for (const { offset, data } of messages) records.push({ offset, message: data });
      if (messages.length === 0) break;
    }
    ledger.log.set(partition, records);
  }
  const until_ms = performance.now() + DRAIN_MAX_MS;
  for (;;) {
    const behind: string[] = [];
    for (const [partition, { length }] of ledger.log) {
      const next = await client.stream.getOffset(TOPIC, GROUP, { partition });
      if (next < length) behind.push(`the group is at ${next} of ${length} in partition ${partition}`);
      const read = ledger.readings.get(partition)?.at(-1)?.offset ?? -1;
      if (read < length - 1) behind.push(`the reader got ${read} of ${length - 1} in partition ${partition}`);
    }
    if (behind.length === 0) return;
    if (performance.now() > until_ms) {
      throw new HungError(`after ${DRAIN_MAX_MS} ms of quiet ${behind.join('; ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POSITION_LOOK_MS));
  }
}
