/** Reads back what a program's lanes left, and makes the room for it before. */
import { type Client, connect } from '@gomsg/client';
import type { Stored } from './lane-tally.ts';

/** Deliveries that died with a node's connection come again after this long at the latest. */
const LEASE_SECONDS = 5;
const PAGE_MESSAGES = 1_000;

export class Names {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  key(lane: number): string {
    return `${this.#program}-n-${lane}`;
  }

  queue(lane: number): string {
    return `${this.#program}-q-${lane}`;
  }

  topic(lane: number): string {
    return `${this.#program}-t-${lane}`;
  }
}

/** A queue with short leases and a topic of one partition, whose order can be checked, for every lane. */
export async function makeRoom(addresses: readonly string[], names: Names, lanes: number): Promise<void> {
  await using client = connect(addresses);
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      await client.queue.create(names.queue(lane), { lease: LEASE_SECONDS });
      await client.stream.create(names.topic(lane), { partitions: 1 });
    }),
  );
}

/** What is stored of every lane. */
export async function readBack(
  addresses: readonly string[],
  names: Names,
  lanes: number,
): Promise<readonly Stored[]> {
  await using client = connect(addresses);
  const stored: Stored[] = [];
  for (let lane = 0; lane < lanes; lane += 1) {
    const topic = names.topic(lane);
    const { size } = await client.queue.stats(names.queue(lane));
    stored.push({
      counter: Number(await client.kv.get(names.key(lane))),
      queued: size,
      published: await publishedIn(client, topic),
      committed: lane % 2 === 0 ? await client.stream.getOffset(topic, 'readers') : undefined,
    });
  }
  return stored;
}

async function publishedIn(client: Client, topic: string): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const page = await client.stream.read(topic, ids.length, PAGE_MESSAGES);
    ids.push(...page.map(({ data }) => Number(data)));
    if (page.length === 0) return ids;
  }
}
