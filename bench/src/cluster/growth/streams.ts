/** Messages published: each has to be there once, where its answer said, in order and without a gap. */
import { type Client, OutOfRangeError } from '@gomsg/client';
import { Findings, type Meter, type Verdict, type Work } from './load.ts';

/** Each has its slot, and one publisher. */
const TOPICS = 8;
const MESSAGES_PER_CALL = 500;

interface Topic {
  readonly name: string;
  /** Bodies in the order in which they were published, of answered and of failed calls. */
  readonly bodies: string[];
  /** Offset of each body, where an answer told it. */
  readonly offsets: Map<string, number>;
}

export class Streams implements Work {
  readonly name = 'publishes';
  readonly #backlog: number;
  readonly #topics: readonly Topic[] = Array.from({ length: TOPICS }, (_, i) => ({
    name: `topic-${i}`,
    bodies: [],
    offsets: new Map(),
  }));

  /** @param backlog messages that are there from the start, over all topics */
  constructor(backlog: number) {
    this.#backlog = backlog;
  }

  async fill(client: Client): Promise<void> {
    for (let from = 0; from < this.#backlog; from += MESSAGES_PER_CALL) {
      const topic = this.#topics[(from / MESSAGES_PER_CALL) % TOPICS]!;
      const length = Math.min(MESSAGES_PER_CALL, this.#backlog - from);
      const bodies = Array.from({ length }, () => next(topic));
      const positions = await client.stream.publishBatch(topic.name, bodies);
      for (const [i, { offset }] of positions.entries()) topic.offsets.set(bodies[i]!, offset);
    }
  }

  lanes(client: Client, stop: AbortSignal, meter: Meter): readonly Promise<void>[] {
    return this.#topics.map((topic) =>
      meter.lane(stop, async () => {
        const body = next(topic);
        const id = await client.stream.publish(topic.name, body);
        topic.offsets.set(body, Number(id.slice(id.lastIndexOf('.') + 1)));
      }),
    );
  }

  async verify(client: Client): Promise<Verdict> {
    const findings = new Findings();
    await Promise.all(this.#topics.map((topic) => verifyTopic(client, topic, findings)));
    const published = this.#topics.reduce((total, { offsets }) => total + offsets.size, 0);
    return { checked: `${published.toLocaleString('en')} messages of topics`, wrong: findings.sentences };
  }
}

function next({ name, bodies }: Topic): string {
  const body = `${name}.${bodies.length}`;
  bodies.push(body);
  return body;
}

async function verifyTopic(
  client: Client,
  { name, bodies, offsets }: Topic,
  findings: Findings,
): Promise<void> {
  let expectedOffset = 0;
  let latest = -1;
  const seen = new Set<string>();
  for (;;) {
    const messages = await client.stream
      .read(name, expectedOffset, MESSAGES_PER_CALL)
      .catch((error: unknown) => {
        // Only what is gone is a finding; not being able to read is for the caller.
        if (!(error instanceof OutOfRangeError)) throw error;
        findings.add(error.message);
        return [];
      });
    if (messages.length === 0) break;
    for (const { offset, data } of messages) {
      if (offset !== expectedOffset)
        findings.add(`${name} goes on with ${offset} where ${expectedOffset} was next`);
      expectedOffset = offset + 1;
      if (seen.has(data)) findings.add(`${data} is there twice`);
      seen.add(data);
      const told = offsets.get(data);
      if (told !== undefined && told !== offset)
        findings.add(`${data} is at ${offset}, not at ${told} as was answered`);
      // One lane publishes to a topic, each message after the answer to the one before.
      const number = Number(data.slice(data.lastIndexOf('.') + 1));
      if (bodies[number] !== data) findings.add(`${data} is there, and nobody published it`);
      if (number < latest && offsets.has(data)) findings.add(`${data} comes after ${bodies[latest]}`);
      latest = Math.max(latest, number);
    }
  }
  for (const body of offsets.keys())
    if (!seen.has(body)) findings.add(`${body} was answered and is not there`);
}
