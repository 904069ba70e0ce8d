/** Lanes that read and write a handful of keys together, and the history of what they were told. */

import type { Random } from '../src/raft/testing/random.ts';
import type { CounterInput, CounterOutput } from '../src/testing/histories/counter.ts';
import { HistoryRecorder, type OpenCall } from '../src/testing/histories/history.ts';
import type { RegisterInput, RegisterOutput } from '../src/testing/histories/register.ts';
import { type KeyCaller, Refused } from './key-caller.ts';
import { type Lane, think } from './lane.ts';
import { type Complaints, Tally } from './tally.ts';

/** Keys that are written at one time. */
const KEYS = 4;
/** Then they go on to others: a key's history stays short enough to be checked, and long enough to span a fault. */
const KEY_LIFE_MS = 12_000;
const THINK_MS = 25;
const READER_THINK_MS = 10;
/** After a call without an answer: its node is likely to be gone, and each such write makes the check harder. */
const THINK_AFTER_LOSS_MS = 300;
/** No lane goes on with a key that so many writes without an answer hang over. */
const UNKNOWN_WRITES_A_KEY_MAX = 5;

/** The keys of a run at each time, and the histories of all. */
export class KeyHistories {
  readonly registers = new HistoryRecorder<RegisterInput, RegisterOutput>();
  readonly counters = new HistoryRecorder<CounterInput, CounterOutput>();
  readonly tally = new Tally();
  readonly complaints: Complaints;
  readonly #began_ms = performance.now();
  readonly #unknownWrites = new Map<string, number>();

  constructor(complaints: Complaints) {
    this.complaints = complaints;
  }

  keyOf(kind: 'register' | 'counter', random: Random): string {
    const life = Math.floor((performance.now() - this.#began_ms) / KEY_LIFE_MS);
    return `${kind}-${life}-${random.below(KEYS)}`;
  }

  mayWrite(key: string): boolean {
    return (this.#unknownWrites.get(key) ?? 0) < UNKNOWN_WRITES_A_KEY_MAX;
  }

  /** Records how a call ended. @returns false when it had no answer */
  async record<O>(key: string, call: OpenCall<O>, isWrite: boolean, work: Promise<O>): Promise<boolean> {
    this.tally.operations++;
    try {
      call.ok(await work);
      this.tally.acknowledged++;
      return true;
    } catch (error) {
      this.complaints.take(error);
      if (error instanceof Refused) {
        call.fail();
        this.tally.refused++;
        return false;
      }
      call.unknown();
      this.tally.unknown++;
      if (isWrite) this.#unknownWrites.set(key, (this.#unknownWrites.get(key) ?? 0) + 1);
      return false;
    }
  }
}

export interface RegisterLaneOptions {
  /**
   * A node that is cut off leaves writes without an answer: only who does not write goes on asking it, and sees
   * whether it answers with old news.
   */
  readonly isReader?: boolean;
}

export class RegisterLane implements Lane {
  readonly name: string;
  readonly #id: number;
  readonly #caller: KeyCaller;
  readonly #histories: KeyHistories;
  readonly #random: Random;
  readonly #isReader: boolean;
  #values = 0;

  constructor(
    id: number,
    caller: KeyCaller,
    histories: KeyHistories,
    random: Random,
    { isReader = false }: RegisterLaneOptions = {},
  ) {
    this.#isReader = isReader;
    this.name = `register lane ${id}`;
    this.#id = id;
    this.#caller = caller;
    this.#histories = histories;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const answered = await this.#step();
      const pause_ms = this.#isReader ? READER_THINK_MS : THINK_MS;
      await think(answered ? pause_ms : THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }

  async #step(): Promise<boolean> {
    const key = this.#histories.keyOf('register', this.#random);
    const dice = !this.#isReader && this.#histories.mayWrite(key) ? this.#random.next() : 0;
    if (dice < 0.4) return this.#get(key);
    if (dice < 0.7) return this.#set(key);
    if (dice < 0.92) return this.#cas(key);
    const call = this.#histories.registers.invoke(this.#id, key, { kind: 'delete' });
    const work = this.#caller.delete(key).then((applied) => ({ applied }));
    return this.#histories.record(key, call, true, work);
  }

  async #get(key: string): Promise<boolean> {
    const call = this.#histories.registers.invoke(this.#id, key, { kind: 'get' });
    const work = this.#caller.get(key).then((entry) => ({ value: entry?.value ?? null }));
    return this.#histories.record(key, call, false, work);
  }

  async #set(key: string): Promise<boolean> {
    const value = this.#nextValue();
    const call = this.#histories.registers.invoke(this.#id, key, { kind: 'set', value });
    return this.#histories.record(
      key,
      call,
      true,
      this.#caller.set(key, value).then(() => ({})),
    );
  }

  /** Reads, and writes on the condition that nobody else did meanwhile. */
  async #cas(key: string): Promise<boolean> {
    const read = this.#histories.registers.invoke(this.#id, key, { kind: 'get' });
    let seen: Awaited<ReturnType<KeyCaller['get']>>;
    const work = this.#caller.get(key).then((entry) => {
      seen = entry;
      return { value: entry?.value ?? null };
    });
    if (!(await this.#histories.record(key, read, false, work))) return false;
    const value = this.#nextValue();
    const expected = seen?.value ?? null;
    const call = this.#histories.registers.invoke(this.#id, key, { kind: 'cas', expected, value });
    const cas = this.#caller.cas(key, value, seen?.version).then((applied) => ({ applied }));
    return this.#histories.record(key, call, true, cas);
  }

  #nextValue(): string {
    return `${this.#id}.${++this.#values}`;
  }
}

export class CounterLane implements Lane {
  readonly name: string;
  readonly #id: number;
  readonly #caller: KeyCaller;
  readonly #histories: KeyHistories;
  readonly #random: Random;

  constructor(id: number, caller: KeyCaller, histories: KeyHistories, random: Random) {
    this.name = `counter lane ${id}`;
    this.#id = id;
    this.#caller = caller;
    this.#histories = histories;
    this.#random = random;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const key = this.#histories.keyOf('counter', this.#random);
      const adds = this.#histories.mayWrite(key) && this.#random.chance(0.6);
      const answered = await (adds ? this.#add(key) : this.#sum(key));
      await think(answered ? THINK_MS : THINK_AFTER_LOSS_MS, this.#random, stop);
    }
  }

  #add(key: string): Promise<boolean> {
    // Powers of two show in the sum which of the adds it holds.
    const delta = 2 ** this.#random.below(20);
    const call = this.#histories.counters.invoke(this.#id, key, { kind: 'add', delta });
    const work = this.#caller.add(key, delta).then((value) => ({ value }));
    return this.#histories.record(key, call, true, work);
  }

  #sum(key: string): Promise<boolean> {
    const call = this.#histories.counters.invoke(this.#id, key, { kind: 'get' });
    const work = this.#caller.sum(key).then((value) => ({ value }));
    return this.#histories.record(key, call, false, work);
  }
}

/** At the end every key is read once more, at each of these. @returns false when one could not be read */
export async function readBack(histories: KeyHistories, callers: readonly KeyCaller[]): Promise<boolean> {
  const { registers, counters } = histories;
  const registerKeys = new Set(registers.history().map(({ key }) => key));
  const counterKeys = new Set(counters.history().map(({ key }) => key));
  let all = true;
  for (const [id, caller] of callers.entries()) {
    const client = -1 - id;
    for (const key of registerKeys) {
      const call = registers.invoke(client, key, { kind: 'get' });
      const work = caller.get(key).then((entry) => ({ value: entry?.value ?? null }));
      if (!(await histories.record(key, call, false, work))) all = false;
    }
    for (const key of counterKeys) {
      const call = counters.invoke(client, key, { kind: 'get' });
      const work = caller.sum(key).then((value) => ({ value }));
      if (!(await histories.record(key, call, false, work))) all = false;
    }
  }
  return all;
}
