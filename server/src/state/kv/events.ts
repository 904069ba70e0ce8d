/**
 * Changes of keys as the history keeps them and the listener gets them. Encoded one behind the other: type (1 byte,
 * the top bit set when an expiry follows), expiry (u64), key length (varint), key, value length (varint), value.
 * The revision is not stored: events of a batch have consecutive ones.
 */
import { WatchEventType } from '../../gen/gomsg/v1/kv_pb.js';
import { ByteReader, type ByteWriter } from '../wire.ts';
import { NEVER_MS } from './record.ts';

export { WatchEventType };

/** One change of one key. */
export interface KvEvent {
  readonly type: WatchEventType;
  /** Binary string of the key's UTF-8 bytes. */
  readonly key: string;
  readonly revision: number;
  /** Empty unless the type is SET. */
  readonly value: Uint8Array;
  /** `NEVER_MS` unless the type is SET and the key expires. */
  readonly expiresAt_ms: number;
}

/** Consecutive events: revisions `firstRevision` to `firstRevision + count - 1`. */
export interface EventBatch {
  readonly firstRevision: number;
  readonly count: number;
  /** The encoded events. */
  readonly bytes: Uint8Array;
}

const EXPIRY_FOLLOWS = 0x80;

export function writeEvent(
  writer: ByteWriter,
  type: WatchEventType,
  key: string,
  value: Uint8Array,
  expiresAt_ms: number,
): void {
  if (expiresAt_ms === NEVER_MS) writer.u8(type);
  else writer.u8(type | EXPIRY_FOLLOWS).u64(expiresAt_ms);
  writer.varint(key.length).binary(key).varint(value.length).bytes(value);
}

/** The events of a batch, oldest first. Values are views of the batch. */
export function* readEvents(batch: EventBatch): Generator<KvEvent, void, undefined> {
  const reader = new ByteReader(batch.bytes);
  for (let i = 0; i < batch.count; i++) {
    const head = reader.u8();
    const expiresAt_ms = head & EXPIRY_FOLLOWS ? reader.u64() : NEVER_MS;
    const key = reader.binary(reader.varint());
    const value = reader.bytes(reader.varint());
    yield { type: head & ~EXPIRY_FOLLOWS, key, revision: batch.firstRevision + i, value, expiresAt_ms };
  }
}
