/** Increments, each of which must count once, and keys that must stay as they are. */
import type { Client } from '@gomsg/client';
import { Findings, type Meter, type Verdict, type Work } from './load.ts';

const LANES = 16;
const KEYS_PER_CALL = 1_000;

export class Counters implements Work {
  readonly name = 'increments';
  readonly #keys: number;
  readonly #counters = Array.from({ length: LANES }, (_, i) => ({ key: `count:${i}`, sure: 0, unknown: 0 }));

  /** @param keys that are there from the start */
  constructor(keys: number) {
    this.#keys = keys;
  }

  async fill(client: Client): Promise<void> {
    for (const names of this.#pages())
      await client.kv.mset(new Map(names.map((name) => [name, contentOf(name)])));
  }

  lanes(client: Client, stop: AbortSignal, meter: Meter): readonly Promise<void>[] {
    return this.#counters.map((counter) =>
      meter.lane(stop, async () => {
        counter.unknown += 1;
        await client.kv.incr(counter.key);
        counter.unknown -= 1;
        counter.sure += 1;
      }),
    );
  }

  async verify(client: Client): Promise<Verdict> {
    const findings = new Findings();
    for (const names of this.#pages()) {
      const values = await client.kv.mget(names);
      for (const [i, name] of names.entries()) {
        if (values[i] !== contentOf(name)) findings.add(`${name} is ${JSON.stringify(values[i])}`);
      }
    }
    for (const { key, sure, unknown } of this.#counters) {
      const value = Number((await client.kv.mget([key]))[0] ?? 0);
      if (value >= sure && value <= sure + unknown) continue;
      const failed = unknown === 0 ? '' : ` and ${unknown} failed`;
      findings.add(`${key} is ${value}, though ${sure} increments were acknowledged${failed}`);
    }
    const increments = this.#counters.reduce((total, { sure }) => total + sure, 0);
    return {
      checked: `${this.#keys.toLocaleString('en')} keys, ${increments.toLocaleString('en')} increments`,
      wrong: findings.sentences,
    };
  }

  *#pages(): Generator<string[]> {
    for (let from = 0; from < this.#keys; from += KEYS_PER_CALL) {
      const length = Math.min(KEYS_PER_CALL, this.#keys - from);
      yield Array.from({ length }, (_, i) => `data:${from + i}`);
    }
  }
}

const VALUE_BYTES = 64;

/** Different for every key. */
function contentOf(name: string): string {
  return `${name}:`.padEnd(VALUE_BYTES, 'v');
}
