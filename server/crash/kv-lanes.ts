/** Writers of keys, and what must be there after a crash. */
import { KVService } from '../src/gen/gomsg/v1/kv_pb.js';
import { Random } from '../src/raft/testing/random.ts';
import type { NodeClient } from '../src/testing/node-client.ts';
import { type Lane, Violation } from './lanes.ts';
import type { OnceCaller } from './once-caller.ts';
import { payloadBytes, payloadOf } from './payload.ts';
import type { RetryingSession } from './retrying-session.ts';
import type { Tally } from './tally.ts';

const PREFIX = 'kv/';
const SHARED_COUNTER = `${PREFIX}shared`;

/** Numbered keys that a lane keeps; older ones it deletes. */
const KEYS_KEPT = 40;

/** Numbered keys that one SetMany writes. */
const KEYS_AT_ONCE = 5;

const SCANNED_BYTES = 512 * 1024;

/** Everything under the prefix, by key. */
export type Rows = ReadonlyMap<string, Uint8Array>;

/** Reads all keys of all lanes, a page at a time. */
export async function readRows(client: NodeClient): Promise<Rows> {
  const rows = new Map<string, Uint8Array>();
  let cursor = new Uint8Array(0);
  do {
    const page = await client.unary(KVService.method.scan, {
      prefix: PREFIX,
      cursor,
      limit: 10_000,
      maxBytes: SCANNED_BYTES,
    });
    for (const { key, value } of page.entries) {
      if (rows.has(key)) throw new Violation(`a scan gave ${key} twice`);
      rows.set(key, value);
    }
    cursor = new Uint8Array(page.nextCursor);
  } while (cursor.length > 0);
  return rows;
}

/** What one lane has made of its keys. */
interface Held {
  readonly counter: number;
  /** Writes of the register, each on the version of the one before. */
  readonly register: number;
  /** Numbered keys that exist: from `first`, below `next`. */
  readonly first: number;
  readonly next: number;
  /** What was added to the counter of all lanes. */
  readonly shared: number;
}

/** Writes in a session: every one applies once, whatever happens. */
export class SessionKvLane implements Lane {
  readonly name: string;
  readonly #session: RetryingSession;
  readonly #random: Random;
  readonly #tally: Tally;
  #held: Held = { counter: 0, register: 0, first: 0, next: 0, shared: 0 };
  /** What the lane holds once the call under way is applied. */
  #after: Held | undefined;
  #registerVersion = 0n;

  constructor(name: string, session: RetryingSession, random: Random, tally: Tally) {
    this.name = name;
    this.#session = session;
    this.#random = random;
    this.#tally = tally;
  }

  async step(): Promise<void> {
    const { first, next } = this.#held;
    const kind = this.#random.below(100);
    if (next - first > KEYS_KEPT) await this.#deleteOldest();
    else if (kind < 45) await this.#set();
    else if (kind < 50) await this.#setMany();
    else if (kind < 75) await this.#count();
    else if (kind < 90) await this.#writeRegister();
    else await this.#countShared();
  }

  /** Adds to the shared counter: applied for certain, and perhaps applied. */
  get shared(): { readonly least: number; readonly most: number } {
    return { least: this.#held.shared, most: (this.#after ?? this.#held).shared };
  }

  /** @throws Violation when the rows are neither as before nor as after the call under way */
  check(rows: Rows): void {
    const wrong = this.#difference(this.#held, rows);
    if (wrong === undefined) return;
    if (this.#after === undefined) throw new Violation(`${this.name}: ${wrong}`);
    const wrongAfter = this.#difference(this.#after, rows);
    if (wrongAfter === undefined) return;
    throw new Violation(
      `${this.name}: with a call under way the state is neither before it (${wrong}) nor after (${wrongAfter})`,
    );
  }

  async #set(): Promise<void> {
    const number = this.#held.next;
    await this.#change({ ...this.#held, next: number + 1 }, () =>
      this.#session.call(KVService.method.set, { key: this.#key(number), value: this.#value(number) }),
    );
  }

  async #setMany(): Promise<void> {
    const from = this.#held.next;
    const entries = Array.from({ length: KEYS_AT_ONCE }, (_, i) => ({
      key: this.#key(from + i),
      value: this.#value(from + i),
    }));
    await this.#change({ ...this.#held, next: from + KEYS_AT_ONCE }, () =>
      this.#session.call(KVService.method.setMany, { entries }),
    );
  }

  async #deleteOldest(): Promise<void> {
    const key = this.#key(this.#held.first);
    const { deleted } = await this.#change({ ...this.#held, first: this.#held.first + 1 }, () =>
      this.#session.call(KVService.method.delete, { key }),
    );
    if (!deleted) throw new Violation(`${key} was gone before it was deleted`);
  }

  async #count(): Promise<void> {
    const delta = 1 + this.#random.below(9);
    const counter = this.#held.counter + delta;
    const { value } = await this.#change({ ...this.#held, counter }, () =>
      this.#session.call(KVService.method.increment, { key: this.#counterKey, delta: BigInt(delta) }),
    );
    if (value !== BigInt(counter)) {
      throw new Violation(`${this.#counterKey} is ${value} after an increment that makes it ${counter}`);
    }
  }

  async #countShared(): Promise<void> {
    await this.#change({ ...this.#held, shared: this.#held.shared + 1 }, () =>
      this.#session.call(KVService.method.increment, { key: SHARED_COUNTER }),
    );
  }

  /** On the version of the write before: a write that applied twice would fail its own condition. */
  async #writeRegister(): Promise<void> {
    const register = this.#held.register + 1;
    const { version } = await this.#change({ ...this.#held, register }, () =>
      this.#session.call(KVService.method.set, {
        key: this.#registerKey,
        value: payloadOf(this.name, register, 100),
        condition:
          register === 1
            ? { case: 'ifAbsent', value: true }
            : { case: 'ifVersion', value: this.#registerVersion },
      }),
    );
    if (version <= this.#registerVersion) {
      throw new Violation(
        `the version of ${this.#registerKey} went from ${this.#registerVersion} to ${version}`,
      );
    }
    this.#registerVersion = version;
  }

  async #change<T>(after: Held, call: () => Promise<T>): Promise<T> {
    this.#after = after;
    const response = await call();
    this.#held = after;
    this.#after = undefined;
    return response;
  }

  #difference(held: Held, rows: Rows): string | undefined {
    const expected = new Map<string, Buffer>();
    if (held.counter > 0) expected.set(this.#counterKey, Buffer.from(String(held.counter)));
    if (held.register > 0) expected.set(this.#registerKey, payloadOf(this.name, held.register, 100));
    for (let number = held.first; number < held.next; number++) {
      expected.set(this.#key(number), this.#value(number));
    }
    for (const [key, value] of expected) {
      const found = rows.get(key);
      this.#tally.checks++;
      if (found === undefined) return `${key} is lost`;
      if (!value.equals(found)) return `${key} holds ${brief(found)} instead of ${brief(value)}`;
    }
    for (const key of rows.keys()) {
      if (key.startsWith(`${PREFIX}${this.name}/`) && !expected.has(key)) return `${key} came back`;
    }
    return undefined;
  }

  get #counterKey(): string {
    return `${PREFIX}${this.name}/counter`;
  }

  get #registerKey(): string {
    return `${PREFIX}${this.name}/register`;
  }

  #key(number: number): string {
    return `${PREFIX}${this.name}/${number}`;
  }

  /** The size follows from the number too, so that a value can be made again for its check. */
  #value(number: number): Buffer {
    return payloadOf(this.name, number, payloadBytes(new Random(number)));
  }
}

/** Increments outside any session, never repeated: what was answered is there, what was not may be. */
export class OnceKvLane implements Lane {
  readonly name: string;
  readonly #caller: OnceCaller;
  readonly #tally: Tally;
  #acknowledged = 0;
  #attempted = 0;

  constructor(name: string, caller: OnceCaller, tally: Tally) {
    this.name = name;
    this.#caller = caller;
    this.#tally = tally;
  }

  async step(): Promise<void> {
    this.#attempted++;
    const answer = await this.#caller.call(KVService.method.increment, { key: this.#key });
    if (answer === undefined) return;
    this.#acknowledged++;
    if (answer.value < this.#acknowledged || answer.value > this.#attempted) throw this.#wrong(answer.value);
  }

  check(rows: Rows): void {
    this.#tally.checks++;
    const value = Number(Buffer.from(rows.get(this.#key) ?? '0').toString());
    if (value < this.#acknowledged || value > this.#attempted) throw this.#wrong(value);
  }

  get #key(): string {
    return `${PREFIX}${this.name}`;
  }

  #wrong(value: bigint | number): Violation {
    return new Violation(
      `${this.#key} is ${value} after ${this.#acknowledged} acknowledged increments of ${this.#attempted}`,
    );
  }
}

/** @throws Violation when the counter of all lanes is not what they added to it */
export function checkSharedCounter(lanes: readonly SessionKvLane[], rows: Rows): void {
  const value = Number(Buffer.from(rows.get(SHARED_COUNTER) ?? '0').toString());
  let least = 0;
  let most = 0;
  for (const { shared } of lanes) {
    least += shared.least;
    most += shared.most;
  }
  if (value < least || value > most) {
    throw new Violation(`${SHARED_COUNTER} is ${value}; ${least} to ${most} increments were made`);
  }
}

function brief(value: Uint8Array): string {
  return JSON.stringify(Buffer.from(value).toString('latin1', 0, 40));
}
