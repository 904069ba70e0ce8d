/** Whether there is room for a checkpoint. LMDB copies pages on write, so a checkpoint needs room before it frees any. */

import { statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_FILE } from './lmdb-database.ts';
import type { OutOfSpace } from './store.ts';

/** Left free for the log and for everybody else on the disk. */
const RESERVE_BYTES = 16 * 1024 * 1024;
/** A record at worst rewrites its leaf and, with its neighbours' splits, about one page more. */
const PAGES_PER_RECORD = 2;
const PAGE_BYTES = 4096;

/** Free bytes on the disk of `directory`, for a process without privileges. */
export function freeDiskBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** What a checkpoint of so many records and bytes may need: at most the whole file is rewritten, plus what is new. */
export function checkpointNeedBytes(directory: string, records: number, recordBytes: number): number {
  const rewritten = Math.min(records * PAGES_PER_RECORD * PAGE_BYTES, fileBytes(directory));
  return rewritten + 2 * recordBytes + RESERVE_BYTES;
}

/** What is in the way of a checkpoint that may need `neededBytes`; undefined when nothing is. */
export function findLack(
  directory: string,
  neededBytes: number,
  freeBytes: number,
  mapSizeBytes: number,
): OutOfSpace | undefined {
  if (freeBytes < neededBytes) return { where: 'disk space', freeBytes, neededBytes };
  const freeMapBytes = mapSizeBytes - fileBytes(directory);
  if (freeMapBytes < neededBytes) return { where: 'database map', freeBytes: freeMapBytes, neededBytes };
  return undefined;
}

function fileBytes(directory: string): number {
  return statSync(join(directory, DATABASE_FILE)).size;
}
