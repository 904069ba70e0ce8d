/** Helpers of the log's own tests. */
import type { LogEntry } from './group-log.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { Wal, type WalOptions } from './wal.ts';

/** Small files, so that a test sees many of them. */
export const SMALL: WalOptions = { segmentBytes: 4096, retryDelayMs: 1 };

export function openOn(disk: SimulatedDisk, options: WalOptions = {}): Promise<Wal> {
  return Wal.open('simulated', { ...SMALL, ...options, files: disk.mount() });
}

/** Entries with the indexes `from` to `to` and a text each, `bytes` long at least. */
export function entriesOf(from: number, to: number, term = 1, bytes = 0): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let index = from; index <= to; index++) {
    const data = new TextEncoder().encode(`entry ${index} of term ${term}`.padEnd(bytes, '.'));
    entries.push({ index, term, kind: index % 3, data });
  }
  return entries;
}

export function flushed(wal: Wal): Promise<void> {
  return new Promise((resolve, reject) => wal.flush((error) => (error ? reject(error) : resolve())));
}

/** All entries that the log has of a group, as plain data. */
export function contentOf(wal: Wal, group: number): LogEntry[] {
  const { firstIndex, lastIndex } = wal.groupState(group);
  return plain(wal.entries(group, firstIndex, lastIndex + 1, Number.POSITIVE_INFINITY));
}

export function plain(entries: readonly LogEntry[]): LogEntry[] {
  return entries.map(({ index, term, kind, data }) => ({ index, term, kind, data: Uint8Array.from(data) }));
}

/** Waits, turn by turn of the event loop, until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Names of the segments on a disk. */
export function segmentsOn(disk: SimulatedDisk): string[] {
  return disk.names().filter((name) => name.endsWith('.wal'));
}
