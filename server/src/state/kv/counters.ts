/** What the machine keeps in memory and saves with every checkpoint: one row of u64 fields. */
import { ByteReader, ByteWriter } from '../wire.ts';
import type { HistoryCounters } from './history.ts';

export interface KvCounters {
  /** Keys, those included that expired and were not removed yet. */
  readonly keys: number;
  /** Bytes of these keys and their values. */
  readonly bytes: number;
  readonly history: HistoryCounters;
}

export function encodeCounters({ keys, bytes, history }: KvCounters): Uint8Array {
  return new ByteWriter(64)
    .u64(keys)
    .u64(bytes)
    .u64(history.revision)
    .u64(history.oldestRevision)
    .u64(history.bytes)
    .copy();
}

/** `saved` undefined: the machine of an empty group. */
export function decodeCounters(saved: Uint8Array | undefined): KvCounters {
  if (saved === undefined)
    return { keys: 0, bytes: 0, history: { revision: 0, oldestRevision: 1, bytes: 0 } };
  const reader = new ByteReader(saved);
  return {
    keys: reader.u64(),
    bytes: reader.u64(),
    history: { revision: reader.u64(), oldestRevision: reader.u64(), bytes: reader.u64() },
  };
}
