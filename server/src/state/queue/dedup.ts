/** Which dedup ids a queue remembers: each with the sequence of its message and the time at which it is forgotten. */
import { u64Key, utf8Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import { ByteReader, type ByteWriter } from '../wire.ts';
import type { Queue } from './queue.ts';

/** Sequence of the message that was pushed with this id within the window; undefined when there is none. */
export function rememberedSequence(
  store: StateStore,
  queue: Queue,
  dedupId: string,
  stamp_ms: number,
): number | undefined {
  const row = store.get(queue.dedupPrefix + utf8Key(dedupId));
  if (!row) return undefined;
  const { sequence, expiry_ms } = readRow(row);
  return expiry_ms > stamp_ms ? sequence : undefined;
}

/** Remembers an id that is not remembered (any more). */
export function rememberSequence(
  store: StateStore,
  writer: ByteWriter,
  queue: Queue,
  dedupId: string,
  sequence: number,
  stamp_ms: number,
): void {
  const { dedupWindow_ms } = queue.settings;
  if (dedupWindow_ms === 0) return;
  const id = utf8Key(dedupId);
  const expiry_ms = stamp_ms + dedupWindow_ms;
  const expired = store.get(queue.dedupPrefix + id);
  if (expired) store.delete(queue.dedupExpiryPrefix + u64Key(readRow(expired).expiry_ms) + id);
  store.put(queue.dedupPrefix + id, writer.reset().varint(sequence).varint(expiry_ms).view());
  store.put(queue.dedupExpiryPrefix + u64Key(expiry_ms) + id, new Uint8Array());
  if (expiry_ms < queue.dedupEarliest_ms) queue.dedupEarliest_ms = expiry_ms;
}

function readRow(row: Uint8Array): { sequence: number; expiry_ms: number } {
  const reader = new ByteReader(row);
  const sequence = reader.varint();
  return { sequence, expiry_ms: reader.varint() };
}
