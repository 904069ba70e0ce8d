/** The simplest possible key/value store, as the contract words it: what the machine is held against. */

import type { Duration } from '@bufbuild/protobuf/wkt';
import { durationToMs } from '../../durations.ts';

export interface ModelKey {
  readonly value: Buffer;
  readonly version: number;
  readonly expiresAt_ms: number | undefined;
}

export interface ModelEvent {
  readonly type: 'SET' | 'DELETE' | 'EXPIRE';
  readonly key: string;
  readonly value: Buffer | undefined;
  readonly revision: number;
  readonly expiresAt_ms: number | undefined;
}

export class KvModel {
  readonly events: ModelEvent[] = [];
  readonly #keys = new Map<string, ModelKey>();
  now_ms = 0;

  /** Keys that live, in the order of their UTF-8 bytes. */
  living(): [string, ModelKey][] {
    return [...this.#keys]
      .filter(([key]) => this.get(key) !== undefined)
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /** Number and bytes of keys and values, of expired keys too. */
  counts(): { keys: number; bytes: number } {
    const bytes = [...this.#keys].reduce(
      (sum, [key, { value }]) => sum + Buffer.byteLength(key) + value.length,
      0,
    );
    return { keys: this.#keys.size, bytes };
  }

  get(key: string): ModelKey | undefined {
    const found = this.#keys.get(key);
    return found?.expiresAt_ms !== undefined && found.expiresAt_ms <= this.now_ms ? undefined : found;
  }

  set(key: string, value: Uint8Array, expiresAt_ms: number | undefined): number {
    this.touch(key);
    const revision = this.events.length + 1;
    const stored = { value: Buffer.from(value), version: revision, expiresAt_ms };
    this.#keys.set(key, stored);
    this.events.push({ type: 'SET', key, value: stored.value, revision, expiresAt_ms });
    return revision;
  }

  delete(key: string): boolean {
    this.touch(key);
    if (!this.#keys.has(key)) return false;
    this.#remove(key, 'DELETE');
    return true;
  }

  /** What a write does first: an expired key goes. */
  touch(key: string): void {
    if (this.#keys.has(key) && this.get(key) === undefined) this.#remove(key, 'EXPIRE');
  }

  expireAll(): void {
    const due = [...this.#keys]
      .filter(([key]) => this.get(key) === undefined)
      .sort(([a, left], [b, right]) => {
        const byTime = (left.expiresAt_ms ?? 0) - (right.expiresAt_ms ?? 0);
        return byTime !== 0 ? byTime : Buffer.compare(Buffer.from(a), Buffer.from(b));
      });
    for (const [key] of due) this.#remove(key, 'EXPIRE');
  }

  expiryAfter(ttl: Duration): number {
    return this.now_ms + durationToMs(ttl);
  }

  nextExpiry_ms(): number | undefined {
    const times = [...this.#keys.values()].flatMap(({ expiresAt_ms }) => expiresAt_ms ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #remove(key: string, type: 'DELETE' | 'EXPIRE'): void {
    this.#keys.delete(key);
    const revision = this.events.length + 1;
    this.events.push({ type, key, value: undefined, revision, expiresAt_ms: undefined });
  }
}
