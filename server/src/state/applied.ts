/**
 * The row of a group that says up to where its other rows are applied. It goes to disk in one transaction with them.
 *
 * Bytes: index, term, stamp (u64 each), then the membership in the encoding of the consensus core, to the end of the
 * row. A node that always ran alone has rows without a membership: its group has the one member that it is.
 */
import { appliedKey } from './keys.ts';
import type { StateStore } from './machine.ts';
import { ByteReader, ByteWriter } from './wire.ts';

export interface Applied {
  /** Raft index of the last entry applied, and its term. */
  readonly index: number;
  readonly term: number;
  /** Stamp of the last entry that had one, in Unix milliseconds. */
  readonly stamp_ms: number;
  /** Who belonged to the group as of that entry; undefined when nobody recorded it. */
  readonly membership: Uint8Array | undefined;
}

const FIXED_BYTES = 24;

export function writeApplied(store: StateStore, group: number, applied: Applied): void {
  const { index, term, stamp_ms, membership } = applied;
  const row = new ByteWriter(FIXED_BYTES + (membership?.length ?? 0)).u64(index).u64(term).u64(stamp_ms);
  if (membership !== undefined) row.bytes(membership);
  store.put(appliedKey(group), row.view());
}

/** Undefined for a group of which the store has nothing, or not all. */
export function readApplied(store: Pick<StateStore, 'get'>, group: number): Applied | undefined {
  const row = store.get(appliedKey(group));
  if (row === undefined) return undefined;
  const reader = new ByteReader(row);
  return {
    index: reader.u64(),
    term: reader.u64(),
    stamp_ms: reader.u64(),
    membership: row.length > FIXED_BYTES ? Uint8Array.from(row.subarray(FIXED_BYTES)) : undefined,
  };
}
