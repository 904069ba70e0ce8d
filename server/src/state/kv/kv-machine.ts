/**
 * The key/value machine of a group: applies the writes of KVService and answers its reads.
 *
 * Every change of a key takes the next revision of the group, which becomes the key's version. A key is gone from its
 * expiry on; a write that meets such a key first removes it, with its event, as the expiry run would have.
 */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { type DeleteKeys, DeleteKeysSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { durationToMs, msToTimestamp } from '../durations.ts';
import type { Failure, Outcome } from '../failure.ts';
import { guarded, type ReportBug } from '../guarded-listener.ts';
import { internalMethod } from '../internal-methods.ts';
import { utf8Key } from '../keys.ts';
import type { ApplyContext, Command, Machine, StateStore } from '../machine.ts';
import { type EventBatch, WatchEventType } from './events.ts';
import { HISTORY_BYTES } from './history.ts';
import { addInt64, parseInt64 } from './integer.ts';
import { KeyTable } from './key-table.ts';
import { kvMethod } from './method-numbers.ts';
import type { Page, PageOptions } from './page.ts';
import { NEVER_MS, recordExpiresAt_ms, recordValue, recordVersion } from './record.ts';
import { encodeDeleteResponse, encodeIncrementResponse, encodeSetResponse } from './responses.ts';

/** Is told of changes while they are applied, on every replica. It must not call back into apply. */
export interface KvListener {
  /** Keys changed. The batch's bytes are only good during the call. */
  onChanges(batch: EventBatch): void;
  /** The state was replaced as a whole: changes may have been skipped. */
  onReload(): void;
}

export class KvMachine implements Machine {
  readonly methods: readonly number[] = [...Object.values(kvMethod), internalMethod.deleteKeys];
  readonly #table: KeyTable;
  readonly #reportBug: ReportBug | undefined;
  #listener: KvListener | undefined;
  /** The same, kept from doing harm. */
  #guarded: KvListener | undefined;

  /**
   * `historyBytes`: history kept for watches; must be the same on all replicas. `reportBug` is told what a listener
   * throws; undefined: it is thrown.
   */
  constructor(store: StateStore, group: number, historyBytes: number = HISTORY_BYTES, reportBug?: ReportBug) {
    this.#reportBug = reportBug;
    this.#table = new KeyTable(store, group, historyBytes);
  }

  /** The one listener of the machine; undefined = nobody listens, which costs nothing. */
  get listener(): KvListener | undefined {
    return this.#listener;
  }

  set listener(listener: KvListener | undefined) {
    this.#listener = listener;
    const told = listener && guarded(listener, ['onChanges', 'onReload'], this.#reportBug);
    this.#guarded = told;
    this.#table.history.onBatch = told && ((batch) => told.onChanges(batch));
  }

  /** Keys, those included that expired and were not removed yet. */
  get keys(): number {
    return this.#table.keys;
  }

  /** Bytes of these keys and their values. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Bytes of the history kept for watches. */
  get keptHistoryBytes(): number {
    return this.#table.history.counters.bytes;
  }

  /** Revision of the latest change; 0 before the first. */
  get revision(): number {
    return this.#table.history.counters.revision;
  }

  /** First revision that `eventsAt` still knows; one above `revision` when there is none. */
  get oldestRevision(): number {
    return this.#table.history.counters.oldestRevision;
  }

  /** The record of a key (a binary string; see record.ts), or undefined when it does not exist or has expired. */
  get(key: string, now_ms: number): Uint8Array | undefined {
    return this.#table.read(key, now_ms);
  }

  /** Keys in order, a bounded piece at a time. */
  page(options: PageOptions, now_ms: number): Page {
    return this.#table.page(options, now_ms);
  }

  /** The batch of past events that holds a revision; undefined when it is not kept or not reached yet. */
  eventsAt(revision: number): EventBatch | undefined {
    return this.#table.history.batchAt(revision);
  }

  apply(command: Command, { stamp_ms }: ApplyContext): Outcome {
    switch (command.method) {
      case kvMethod.set:
        return this.#set(requestOf(kv.KVServiceSetRequestSchema, command), stamp_ms);
      case kvMethod.delete:
        return this.#delete(requestOf(kv.KVServiceDeleteRequestSchema, command), stamp_ms);
      case kvMethod.increment:
        return this.#increment(requestOf(kv.KVServiceIncrementRequestSchema, command), stamp_ms);
      case kvMethod.setMany:
        return this.#setMany(requestOf(kv.KVServiceSetManyRequestSchema, command), stamp_ms);
      case kvMethod.expire:
        return this.#expire(requestOf(kv.KVServiceExpireRequestSchema, command), stamp_ms);
      case kvMethod.persist:
        return this.#persist(requestOf(kv.KVServicePersistRequestSchema, command), stamp_ms);
      case internalMethod.deleteKeys:
        return this.#deleteKeys(requestOf(DeleteKeysSchema, command), stamp_ms);
      default:
        throw new Error(`the key/value machine got method ${command.method}`);
    }
  }

  endEntry(_context: ApplyContext): void {
    this.#table.history.endEntry();
  }

  expireDue({ stamp_ms }: ApplyContext): boolean {
    return this.#table.expireDue(stamp_ms);
  }

  nextDue_ms(): number | undefined {
    return this.#table.nextDue_ms;
  }

  save(): void {
    this.#table.save();
  }

  load(): void {
    this.#table.load();
    this.#guarded?.onReload();
  }

  #set(request: kv.KVServiceSetRequest, stamp_ms: number): Outcome {
    const key = utf8Key(request.key);
    const row = this.#table.rowOf(key);
    const old = this.#table.take(row, stamp_ms);
    const unmet = unmetCondition(request, old);
    if (unmet !== undefined) return conditionFailed(request.key, unmet, old);
    const expiresAt_ms =
      request.keepTtl && old !== undefined ? recordExpiresAt_ms(old) : expiryOf(request.ttl, stamp_ms);
    const version = this.#table.put(row, old, request.value, expiresAt_ms);
    return encodeSetResponse(version, key, request.returnPrevious ? old : undefined);
  }

  #delete(request: kv.KVServiceDeleteRequest, stamp_ms: number): Outcome {
    const key = utf8Key(request.key);
    const row = this.#table.rowOf(key);
    const old = this.#table.take(row, stamp_ms);
    if (request.ifVersion !== undefined && (old === undefined || !hasVersion(old, request.ifVersion))) {
      return conditionFailed(request.key, `is not at version ${request.ifVersion}`, old);
    }
    if (old !== undefined) this.#table.remove(row, old, WatchEventType.DELETE);
    return encodeDeleteResponse(old !== undefined, key, request.returnPrevious ? old : undefined);
  }

  #increment(request: kv.KVServiceIncrementRequest, stamp_ms: number): Outcome {
    const row = this.#table.rowOf(utf8Key(request.key));
    const delta = request.delta ?? 1n;
    const old = this.#table.take(row, stamp_ms);
    const value = old === undefined ? 0 : parseInt64(recordValue(old));
    if (value === undefined) {
      return {
        reason: ErrorReason.NOT_AN_INTEGER,
        message: `the value of key ${quote(request.key)} is not a decimal 64-bit integer`,
        subject: request.key,
      };
    }
    const sum = addInt64(value, delta);
    if (sum === undefined) {
      return {
        reason: ErrorReason.OVERFLOW,
        message: `${value} + ${delta} in key ${quote(request.key)} is outside of the 64-bit range`,
        subject: request.key,
      };
    }
    const expiresAt_ms = old === undefined ? NEVER_MS : recordExpiresAt_ms(old);
    const version = this.#table.put(row, old, Buffer.from(String(sum), 'latin1'), expiresAt_ms);
    return encodeIncrementResponse(sum, version);
  }

  #setMany(request: kv.KVServiceSetManyRequest, stamp_ms: number): Outcome {
    const versions = request.entries.map((entry) => {
      const row = this.#table.rowOf(utf8Key(entry.key));
      const old = this.#table.take(row, stamp_ms);
      return BigInt(this.#table.put(row, old, entry.value, expiryOf(entry.ttl, stamp_ms)));
    });
    return encode(kv.KVServiceSetManyResponseSchema, { versions });
  }

  #expire(request: kv.KVServiceExpireRequest, stamp_ms: number): Outcome {
    const row = this.#table.rowOf(utf8Key(request.key));
    const old = this.#table.take(row, stamp_ms);
    if (old === undefined) return keyNotFound(request.key);
    const expiresAt_ms = expiryOf(request.ttl, stamp_ms);
    this.#table.put(row, old, recordValue(old), expiresAt_ms);
    return encode(kv.KVServiceExpireResponseSchema, { expiresAt: msToTimestamp(expiresAt_ms) });
  }

  #persist(request: kv.KVServicePersistRequest, stamp_ms: number): Outcome {
    const row = this.#table.rowOf(utf8Key(request.key));
    const old = this.#table.take(row, stamp_ms);
    if (old === undefined) return keyNotFound(request.key);
    const changed = recordExpiresAt_ms(old) !== NEVER_MS;
    if (changed) this.#table.put(row, old, recordValue(old), NEVER_MS);
    return encode(kv.KVServicePersistResponseSchema, { changed });
  }

  /** Answers with the number of removed keys, as a DeletePattern response. */
  #deleteKeys(request: DeleteKeys, stamp_ms: number): Outcome {
    let deleted = 0;
    for (const text of request.keys) {
      const row = this.#table.rowOf(utf8Key(text));
      const old = this.#table.take(row, stamp_ms);
      if (old === undefined) continue;
      this.#table.remove(row, old, WatchEventType.DELETE);
      deleted++;
    }
    return encode(kv.KVServiceDeletePatternResponseSchema, { deleted: BigInt(deleted) });
  }
}

/** A KEY_NOT_FOUND about a key. */
export function keyNotFound(key: string): Failure {
  return { reason: ErrorReason.KEY_NOT_FOUND, message: `key ${quote(key)} does not exist`, subject: key };
}

/** The command's request: as the leader decoded it, or decoded from the log. */
function requestOf<S extends DescMessage>(schema: S, command: Command): MessageShape<S> {
  return (command.request as MessageShape<S> | undefined) ?? fromBinary(schema, command.payload);
}

function encode<S extends DescMessage>(schema: S, init: Parameters<typeof create<S>>[1]): Uint8Array {
  return toBinary(schema, create(schema, init));
}

/** A time to live counts from the entry's stamp, in milliseconds, rounded up: no key expires early. */
function expiryOf(ttl: Duration | undefined, stamp_ms: number): number {
  return ttl === undefined ? NEVER_MS : stamp_ms + durationToMs(ttl);
}

/** What the key fails to be, as "… does not exist"; undefined when the condition holds. A false condition is none. */
function unmetCondition(
  { condition }: kv.KVServiceSetRequest,
  old: Uint8Array | undefined,
): string | undefined {
  switch (condition.case) {
    case undefined:
      return undefined;
    case 'ifAbsent':
      return condition.value && old !== undefined ? 'exists' : undefined;
    case 'ifPresent':
      return condition.value && old === undefined ? 'does not exist' : undefined;
    case 'ifVersion':
      return old !== undefined && hasVersion(old, condition.value)
        ? undefined
        : `is not at version ${condition.value}`;
  }
}

function hasVersion(record: Uint8Array, version: bigint): boolean {
  return BigInt(recordVersion(record)) === version;
}

function conditionFailed(key: string, problem: string, old: Uint8Array | undefined): Failure {
  return {
    reason: ErrorReason.CONDITION_FAILED,
    message: `key ${quote(key)} ${problem}`,
    subject: key,
    ...(old !== undefined && { currentVersion: recordVersion(old) }),
  };
}

function quote(key: string): string {
  return JSON.stringify(key);
}
