/** Messages pushed, popped and acknowledged: each has to come out, and to be settled once. */
import type { Client, QueueMessage } from '@gomsg/client';
import { Findings, type Meter, type Verdict, type Work } from './load.ts';

/** Each has its slot, so that most are led by different nodes. */
const QUEUES = 8;
const MESSAGES_PER_CALL = 500;
/** Longer than a node is gone for: a lease that ends hands the message out again, which is no mistake but slows the end. */
const LEASE_S = 10;
const WAIT_S = 1;
/** For a whole page at a time, on a machine that may be busy. */
const DRAIN_LEASE_S = 60;
/** How long the last leases are waited for at the end. */
const DRAIN_MAX_MS = 60_000;

type Fate = 'pushed' | 'settled';

export class Queues implements Work {
  readonly name = 'queue';
  readonly #backlog: number;
  /** What is known of each message that was pushed for sure. */
  readonly #fates = new Map<string, Fate>();
  /** Messages whose push or acknowledgement failed: they may be there or not. */
  readonly #unsure = new Set<string>();
  readonly #findings = new Findings();
  #pushed = 0;

  /** @param backlog messages that are there from the start, and wait for the end */
  constructor(backlog: number) {
    this.#backlog = backlog;
  }

  async fill(client: Client): Promise<void> {
    for (let from = 0; from < this.#backlog; from += MESSAGES_PER_CALL) {
      const length = Math.min(MESSAGES_PER_CALL, this.#backlog - from);
      const bodies = Array.from({ length }, (_, i) => `backlog.${from + i}`);
      await client.queue.pushBatch(backlogQueue(from / MESSAGES_PER_CALL), bodies);
      for (const body of bodies) this.#fates.set(body, 'pushed');
    }
  }

  lanes(client: Client, stop: AbortSignal, meter: Meter): readonly Promise<void>[] {
    return Array.from({ length: QUEUES }, (_, i) => {
      const queue = `work-${i}`;
      return meter.lane(stop, async () => {
        await this.#push(client, queue);
        // As many were pushed as are popped; one that another lease holds comes later, in the drain.
        const message = await client.queue.popTimeout(queue, WAIT_S, { lease: LEASE_S });
        if (message !== null) await this.#ack(message);
      });
    });
  }

  async verify(client: Client): Promise<Verdict> {
    const backlogs = Math.ceil(this.#backlog / MESSAGES_PER_CALL);
    const queues = [
      ...Array.from({ length: QUEUES }, (_, i) => `work-${i}`),
      ...Array.from({ length: Math.min(QUEUES, backlogs) }, (_, i) => backlogQueue(i)),
    ];
    await Promise.all(queues.map((queue) => this.#drain(client, queue)));
    for (const [body, fate] of this.#fates) {
      if (fate === 'pushed' && !this.#unsure.has(body)) this.#findings.add(`${body} never came out`);
    }
    return {
      checked: `${this.#fates.size.toLocaleString('en')} messages of queues`,
      wrong: this.#findings.sentences,
    };
  }

  async #push(client: Client, queue: string): Promise<void> {
    const body = `${queue}.${this.#pushed++}`;
    this.#unsure.add(body);
    await client.queue.push(queue, body);
    this.#unsure.delete(body);
    this.#fates.set(body, 'pushed');
  }

  async #ack(message: QueueMessage): Promise<void> {
    const body = message.data;
    const isKnown = this.#fates.has(body) || this.#unsure.has(body);
    if (!isKnown) this.#findings.add(`${body} came out, and nobody pushed it`);
    if (this.#fates.get(body) === 'settled') this.#findings.add(`${body} came out after it had been settled`);
    const wasUnsure = this.#unsure.has(body);
    this.#unsure.add(body);
    await message.ack();
    if (!wasUnsure) this.#unsure.delete(body);
    this.#fates.set(body, 'settled');
  }

  /** Pops until the queue says that nothing is in it, in whatever state. */
  async #drain(client: Client, queue: string): Promise<void> {
    const until_ms = performance.now() + DRAIN_MAX_MS;
    while (performance.now() < until_ms) {
      const messages = await client.queue.popBatch(queue, MESSAGES_PER_CALL, {
        lease: DRAIN_LEASE_S,
        wait: WAIT_S,
      });
      await Promise.all(messages.map((message) => this.#ack(message)));
      const { ready, delayed, inFlight } = await client.queue.stats(queue);
      if (Number(ready) + Number(delayed) + Number(inFlight) === 0) return;
    }
    this.#findings.add(`${queue} is not empty after ${DRAIN_MAX_MS / 1000} s`);
  }
}

function backlogQueue(page: number): string {
  return `backlog-${page % QUEUES}`;
}
