/** Which keys expire when: rows `[expiry][key]`, one for every key that expires, none stale. */
import { readU64Key, u64Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';

const EMPTY = new Uint8Array();
const EXPIRY_BYTES = 8;

export class ExpiryIndex {
  readonly #store: StateStore;
  readonly #prefix: string;
  /** At or before the earliest expiry: removals leave it as it is until the next `refresh`. */
  #nextDue_ms: number | undefined;

  /** `prefix`: store key of the index's table. */
  constructor(store: StateStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** Earliest expiry, or an earlier time; undefined when no key expires. */
  get nextDue_ms(): number | undefined {
    return this.#nextDue_ms;
  }

  add(key: string, expiresAt_ms: number): void {
    this.#store.insert(this.#prefix + u64Key(expiresAt_ms) + key, EMPTY);
    if (this.#nextDue_ms === undefined || expiresAt_ms < this.#nextDue_ms) this.#nextDue_ms = expiresAt_ms;
  }

  remove(key: string, expiresAt_ms: number): void {
    this.#store.delete(this.#prefix + u64Key(expiresAt_ms) + key);
  }

  /** The first `limit` keys whose expiry is not after `stamp_ms`, earliest first. */
  due(stamp_ms: number, limit: number): string[] {
    const keys: string[] = [];
    const range = { from: this.#prefix, to: this.#prefix + u64Key(stamp_ms + 1), limit, keysOnly: true };
    for (const { key } of this.#store.range(range)) keys.push(key.slice(this.#prefix.length + EXPIRY_BYTES));
    return keys;
  }

  /** Looks the earliest expiry up. */
  refresh(): void {
    this.#nextDue_ms = undefined;
    const range = {
      from: this.#prefix,
      to: this.#prefix + u64Key(Number.MAX_SAFE_INTEGER),
      limit: 1,
      keysOnly: true,
    };
    for (const { key } of this.#store.range(range)) this.#nextDue_ms = readU64Key(key, this.#prefix.length);
  }
}
