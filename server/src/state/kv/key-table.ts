/**
 * The keys of a group with everything that must change with them: exact counts, the expiry index and the history.
 * Keys are binary strings of their UTF-8 bytes.
 */
import { groupPrefix, prefixEnd, table } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import { ByteWriter } from '../wire.ts';
import { decodeCounters, encodeCounters } from './counters.ts';
import { WatchEventType } from './events.ts';
import { ExpiryIndex } from './expiry-index.ts';
import { KvHistory } from './history.ts';
import { type Page, type PageOptions, readPage } from './page.ts';
import { encodeRecord, isExpired, NEVER_MS, recordExpiresAt_ms, recordValueAt } from './record.ts';

const NO_VALUE = new Uint8Array();

/** Room kept for building records; a larger one takes more for its time. */
const KEPT_BYTES = 64 * 1024;

/** Keys that one expiry run removes. */
const EXPIRED_PER_RUN = 1000;

export class KeyTable {
  readonly history: KvHistory;
  readonly #store: StateStore;
  readonly #records: string;
  readonly #recordsEnd: string;
  readonly #countersKey: string;
  readonly #expiry: ExpiryIndex;
  readonly #scratch = new ByteWriter(KEPT_BYTES);
  #keys = 0;
  #bytes = 0;

  constructor(store: StateStore, group: number, historyBytes: number) {
    const prefix = groupPrefix(group);
    this.#store = store;
    this.#records = prefix + table.kvRecord;
    this.#recordsEnd = prefixEnd(this.#records) as string;
    this.#countersKey = `${prefix}${table.meta}kv`;
    this.#expiry = new ExpiryIndex(store, prefix + table.kvExpiry);
    this.history = new KvHistory(store, prefix + table.kvHistory, historyBytes);
  }

  /** Keys, those included that expired and were not removed yet. */
  get keys(): number {
    return this.#keys;
  }

  /** Bytes of these keys and their values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Earliest expiry, or an earlier time; undefined when no key expires. */
  get nextDue_ms(): number | undefined {
    return this.#expiry.nextDue_ms;
  }

  /**
   * The store key of a key. Writes make it once and pass it on: what costs is not joining the strings but hashing the
   * result, which a string remembers.
   */
  rowOf(key: string): string {
    return this.#records + key;
  }

  /** The record of a key that lives at `now_ms`. Changes nothing. */
  read(key: string, now_ms: number): Uint8Array | undefined {
    const record = this.#store.get(this.#records + key);
    return record === undefined || isExpired(record, now_ms) ? undefined : record;
  }

  page(options: PageOptions, now_ms: number): Page {
    return readPage(this.#store, this.#records, this.#recordsEnd, options, now_ms);
  }

  /** The record of a key, for a write: a key that expired by the stamp is removed first. */
  take(row: string, stamp_ms: number): Uint8Array | undefined {
    const record = this.#store.get(row);
    if (record === undefined || !isExpired(record, stamp_ms)) return record;
    this.remove(row, record, WatchEventType.EXPIRE);
    return undefined;
  }

  /** Writes a key and returns its new version. `old`: its record as `take` gave it. */
  put(row: string, old: Uint8Array | undefined, value: Uint8Array, expiresAt_ms: number): number {
    const key = row.slice(this.#records.length);
    const version = this.history.append(WatchEventType.SET, key, value, expiresAt_ms);
    this.#store.put(row, encodeRecord(this.#scratch, version, expiresAt_ms, value));
    let oldExpiresAt_ms = NEVER_MS;
    if (old === undefined) {
      this.#keys++;
      this.#bytes += key.length + value.length;
    } else {
      oldExpiresAt_ms = recordExpiresAt_ms(old);
      this.#bytes += value.length - (old.length - recordValueAt(old));
    }
    if (oldExpiresAt_ms !== expiresAt_ms) {
      if (oldExpiresAt_ms !== NEVER_MS) this.#expiry.remove(key, oldExpiresAt_ms);
      if (expiresAt_ms !== NEVER_MS) this.#expiry.add(key, expiresAt_ms);
    }
    return version;
  }

  /** Removes a key. `old`: its record. */
  remove(row: string, old: Uint8Array, type: WatchEventType.DELETE | WatchEventType.EXPIRE): void {
    const key = row.slice(this.#records.length);
    this.history.append(type, key, NO_VALUE, NEVER_MS);
    this.#store.delete(row);
    const expiresAt_ms = recordExpiresAt_ms(old);
    if (expiresAt_ms !== NEVER_MS) this.#expiry.remove(key, expiresAt_ms);
    this.#keys--;
    this.#bytes -= key.length + old.length - recordValueAt(old);
  }

  /** Removes keys that expired by the stamp, earliest first; returns whether more are left. */
  expireDue(stamp_ms: number): boolean {
    const due = this.#expiry.due(stamp_ms, EXPIRED_PER_RUN);
    for (const key of due) {
      if (this.take(this.rowOf(key), stamp_ms) !== undefined)
        throw new Error('the expiry index disagrees with a record');
    }
    this.#expiry.refresh();
    return this.nextDue_ms !== undefined && this.nextDue_ms <= stamp_ms;
  }

  save(): void {
    const counters = { keys: this.#keys, bytes: this.#bytes, history: this.history.counters };
    this.#store.put(this.#countersKey, encodeCounters(counters));
  }

  load(): void {
    const { keys, bytes, history } = decodeCounters(this.#store.get(this.#countersKey));
    this.#keys = keys;
    this.#bytes = bytes;
    this.history.restore(history);
    this.#expiry.refresh();
  }
}
