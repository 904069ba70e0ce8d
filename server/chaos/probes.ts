/**
 * One writer for each group that writes rising numbers without a rest, and a watch on all of them: how long writes
 * stand still after a fault, and whether a watch tells every change once and in order.
 */
import { type Client, ErrorReason, GomsgError } from '@gomsg/client';
import { FIRST_DATA_GROUP } from '../src/cluster/slot-map.ts';
import type { Random } from '../src/raft/testing/random.ts';
import { SLOTS, slotOf } from '../src/state/crc16.ts';
import type { Violation } from '../src/testing/histories/violation.ts';
import { HungError } from './chaos-cluster.ts';
import { type Lane, think } from './lane.ts';
import { type Complaints, Tally } from './tally.ts';

const PREFIX = 'probe-';
const THINK_MS = 8;
const THINK_AFTER_LOSS_MS = 100;
const LOOK_MS = 100;
const SETTLE_MAX_MS = 60_000;

/** A key of each data group. */
function keysOfGroups(groups: number): string[] {
  const keys = new Map<number, string>();
  for (let number = 0; keys.size < groups; number++) {
    const key = `${PREFIX}${number}`;
    const group = FIRST_DATA_GROUP + Math.floor((slotOf(key) * groups) / SLOTS);
    if (!keys.has(group)) keys.set(group, key);
  }
  return [...keys].sort(([a], [b]) => a - b).map(([, key]) => key);
}

export class Probe implements Lane {
  readonly name: string;
  readonly key: string;
  /** Numbers whose writes were answered. */
  readonly acknowledged: number[] = [];
  /** When each was answered, in milliseconds of `performance.now`. */
  readonly answeredAt_ms: number[] = [];
  readonly #client: Client;
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #complaints: Complaints;
  #number = 0;
  /** Nothing was written any more from then on. */
  #stoppedAt_ms: number | undefined;

  constructor(key: string, client: Client, random: Random, tally: Tally, complaints: Complaints) {
    this.name = `probe ${key}`;
    this.key = key;
    this.#client = client;
    this.#random = random;
    this.#tally = tally;
    this.#complaints = complaints;
  }

  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener('abort', () => {
      this.#stoppedAt_ms = performance.now();
    });
    while (!stop.aborted) {
      const number = ++this.#number;
      this.#tally.operations++;
      let answered = true;
      try {
        await this.#client.kv.set(this.key, String(number));
        this.acknowledged.push(number);
        this.answeredAt_ms.push(performance.now());
        this.#tally.acknowledged++;
      } catch (error) {
        this.#complaints.take(error);
        this.#tally.unknown++;
        answered = false;
      }
      await think(answered ? THINK_MS : THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }

  /** The longest time without a write that was answered, which began before `at_ms` or soon after. */
  outage_ms(at_ms: number, within_ms: number): number {
    let longest_ms = 0;
    let before_ms = at_ms;
    for (const answered_ms of this.answeredAt_ms) {
      if (answered_ms <= at_ms) continue;
      longest_ms = Math.max(longest_ms, answered_ms - before_ms);
      if (answered_ms > at_ms + within_ms) return longest_ms;
      before_ms = answered_ms;
    }
    return Math.max(longest_ms, (this.#stoppedAt_ms ?? performance.now()) - before_ms);
  }
}

export class Probes {
  readonly tally = new Tally();
  readonly probes: readonly Probe[];
  readonly #client: Client;
  readonly #complaints: Complaints;
  /** What the watch told, by key. */
  readonly #seen = new Map<string, number[]>();
  /** A watch that fell behind the history that is kept begins anew, and says so: nothing before is checked. */
  compactions = 0;

  constructor(client: Client, groups: number, random: () => Random, complaints: Complaints) {
    this.#client = client;
    this.#complaints = complaints;
    this.probes = keysOfGroups(groups).map((key) => new Probe(key, client, random(), this.tally, complaints));
  }

  /** Resolves when the watch is in place. */
  async watch(stop: AbortSignal): Promise<{ readonly ended: Promise<void> }> {
    const subscription = this.#client.kv.watchPrefix(
      PREFIX,
      ({ key, value }) => {
        const seen = this.#seen.get(key) ?? [];
        this.#seen.set(key, seen);
        seen.push(Number(value));
      },
      { signal: stop },
    );
    await subscription.ready;
    const ended = subscription.closed.then(async (error) => {
      if (error === undefined) return;
      this.#complaints.take(error);
      if (!(error instanceof GomsgError) || error.reason !== ErrorReason.COMPACTED) throw error;
      this.compactions++;
    });
    return { ended };
  }

  /** The longest time that any group took no write after a fault, as its writer saw it. */
  outage_ms(at_ms: number, within_ms: number): number {
    return Math.max(...this.probes.map((probe) => probe.outage_ms(at_ms, within_ms)));
  }

  /** Waits until the watch told what was written last. @throws HungError */
  async settle(): Promise<void> {
    const until_ms = performance.now() + SETTLE_MAX_MS;
    for (const { key, acknowledged } of this.probes) {
      const last = acknowledged.at(-1) ?? 0;
      while (this.compactions === 0 && (this.#seen.get(key)?.at(-1) ?? 0) < last) {
        if (performance.now() > until_ms) {
          throw new HungError(`the watch has not told of ${key} = ${last} within ${SETTLE_MAX_MS} ms`);
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  }

  check(): readonly Violation[] {
    if (this.compactions > 0) return [];
    const violations: Violation[] = [];
    const add = (detail: string): void => {
      violations.push({ rule: 'a watch tells every change once, in order', detail });
    };
    for (const { key, acknowledged } of this.probes) {
      const seen = this.#seen.get(key) ?? [];
      for (let index = 1; index < seen.length; index++) {
        const [before, next] = [seen[index - 1]!, seen[index]!];
        if (next <= before) add(`${key}: ${next} came after ${before}`);
      }
      const all = new Set(seen);
      const missed = acknowledged.find((number) => !all.has(number));
      if (missed !== undefined) add(`${key}: nothing was told of ${missed}, whose write was answered`);
    }
    return violations;
  }
}
