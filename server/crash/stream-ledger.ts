/** What was published to a topic, and whether it reads back: each message once, in order, without a gap. */
import { StreamService } from '../src/gen/gomsg/v1/stream_pb.js';
import type { NodeClient } from '../src/testing/node-client.ts';
import { Violation } from './lanes.ts';
import { readPayload } from './payload.ts';
import type { Tally } from './tally.ts';

export const TOPIC = 'events';
export const PARTITIONS = 3;
const READ_AT_ONCE = 10_000;
const READ_BYTES = 512 * 1024;

/** The messages of one publisher, which publishes to one partition, one call at a time. */
interface Publisher {
  readonly partition: number;
  /** Messages of answered calls, and of made ones. */
  acknowledged: number;
  attempted: number;
}

interface Partition {
  /** `lane:number` by offset, of everything that was acknowledged or read. */
  readonly messages: string[];
  /** Offsets below it were read and compared. */
  checkedTo: number;
  /** By lane: messages below `checkedTo`. */
  readonly seen: Map<string, number>;
}

export class StreamLedger {
  readonly #publishers = new Map<string, Publisher>();
  readonly #partitions = new Map<number, Partition>();

  /** A lane is about to publish: numbers of its next messages. */
  publishing(lane: string, partition: number, count: number): number[] {
    let publisher = this.#publishers.get(lane);
    if (publisher === undefined) {
      publisher = { partition, acknowledged: 0, attempted: 0 };
      this.#publishers.set(lane, publisher);
    }
    const first = publisher.acknowledged;
    publisher.attempted = first + count;
    return Array.from({ length: count }, (_, i) => first + i);
  }

  /** @throws Violation when another message was at that offset */
  acknowledged(lane: string, partition: number, number: number, offset: number): void {
    this.#publishers.get(lane)!.acknowledged = number + 1;
    const { messages } = this.#partition(partition);
    const name = `${lane}:${number}`;
    const known = messages[offset];
    if (known !== undefined && known !== name) {
      throw new Violation(`${TOPIC}/${partition}: ${name} got offset ${offset}, where ${known} is`);
    }
    messages[offset] = name;
  }

  /**
   * Reads what was not read before. A call whose answer is due may have happened, as a whole.
   * @throws Violation
   */
  async check(client: NodeClient, tally: Tally): Promise<void> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await this.#read(client, tally, partition);
    }
    for (const [lane, { partition, acknowledged, attempted }] of this.#publishers) {
      const seen = this.#partition(partition).seen.get(lane) ?? 0;
      if (seen === acknowledged || seen === attempted) continue;
      throw new Violation(
        `${TOPIC}/${partition}: ${seen} messages of ${lane}, which published ${attempted} and has answers for ${acknowledged}`,
      );
    }
  }

  /** The next check reads everything again. */
  forgetChecks(): void {
    for (const partition of this.#partitions.values()) {
      partition.checkedTo = 0;
      partition.seen.clear();
    }
  }

  async #read(client: NodeClient, tally: Tally, number: number): Promise<void> {
    if (this.#publishers.size === 0) return;
    const partition = this.#partition(number);
    for (;;) {
      const { messages } = await client.unary(StreamService.method.read, {
        topic: TOPIC,
        partition: number,
        offset: BigInt(partition.checkedTo),
        limit: READ_AT_ONCE,
        maxBytes: READ_BYTES,
      });
      if (messages.length === 0) break;
      for (const { offset, payload } of messages) {
        this.#compare(number, partition, Number(offset), payload);
        tally.checks++;
      }
    }
    if (partition.checkedTo < partition.messages.length) {
      throw new Violation(
        `${TOPIC}/${number} ends at offset ${partition.checkedTo}; ${partition.messages.length - 1} was acknowledged`,
      );
    }
  }

  #compare(number: number, partition: Partition, offset: number, payload: Uint8Array): void {
    const at = `${TOPIC}/${number} offset ${partition.checkedTo}`;
    if (offset !== partition.checkedTo) throw new Violation(`${at}: the next message has offset ${offset}`);
    const message = readPayload(payload);
    const name = `${message.lane}:${message.number}`;
    const known = partition.messages[offset];
    if (known !== undefined && known !== name) throw new Violation(`${at} holds ${name} instead of ${known}`);
    const before = partition.seen.get(message.lane) ?? 0;
    if (message.number !== before) {
      throw new Violation(`${at} holds ${name}, and the partition ${before} messages of that lane before it`);
    }
    partition.messages[offset] = name;
    partition.seen.set(message.lane, before + 1);
    partition.checkedTo++;
  }

  #partition(number: number): Partition {
    let partition = this.#partitions.get(number);
    if (partition === undefined) {
      partition = { messages: [], checkedTo: 0, seen: new Map() };
      this.#partitions.set(number, partition);
    }
    return partition;
  }
}
