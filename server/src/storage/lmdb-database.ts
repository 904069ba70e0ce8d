/**
 * Opening the LMDB database of a folder: the options every thread must agree on, the check of the format, the checks
 * for damage. The database `state` has the rows; the root database has only the format.
 */

import { accessSync, constants, existsSync, mkdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { StoreDamagedError, StoreFormatError } from './errors.ts';
import { writeKey } from './keys.ts';
import { readHeader } from './lmdb-header.ts';

/** Version of what this folder's code writes. Raise it when an older version could not read the data any more. */
export const STORAGE_FORMAT = 1;
const FORMAT_KEY = 'format';
const STATE_DATABASE = 'state';
/** The file LMDB keeps in a folder. */
export const DATABASE_FILE = 'data.mdb';
const PAGE_BYTES = 4096;

/** What lmdb-js has that its declarations leave out. */
export interface StateDatabase extends Database<Uint8Array, string> {
  /** Bytes of the value that the last read found; the buffer it came in is longer. */
  readonly lastSize: number;
  /** The folder. */
  readonly path: string;
  getBinaryFast(key: string, options?: ReadOptions): Buffer | undefined;
}

export interface ReadOptions {
  readonly transaction?: ReturnType<Database['useReadTransaction']>;
}

/** Keys go from string to bytes and back in place, with no buffer of their own. */
const keyEncoder = {
  writeKey,
  readKey: (source: Buffer, start: number, end: number): string => source.toString('latin1', start, end),
};

const ROW_OPTIONS = { encoding: 'binary', keyEncoder, compression: false } as const;

/** One thread's handles. Threads of one process share the environment below. */
export interface OpenDatabase {
  readonly root: RootDatabase<Uint8Array, string>;
  readonly state: StateDatabase;
}

/**
 * Opens the database in `directory`, creating it if need be.
 *
 * `overlappingSync` and `safeRestore` together mean that after a crash only a state known to be flushed is taken;
 * transactions here are synced before their commit returns. `mapSizeBytes` is address space, not memory; set up front,
 * because growing it moves the map under readers.
 */
export function openDatabase(directory: string, mapSizeBytes: number): OpenDatabase {
  const root = openRoot(directory, mapSizeBytes);
  const state = root.openDB<Uint8Array, string>(STATE_DATABASE, ROW_OPTIONS) as StateDatabase;
  return { root, state };
}

function openRoot(directory: string, mapSizeBytes: number): RootDatabase<Uint8Array, string> {
  const options = {
    ...ROW_OPTIONS,
    path: directory,
    noSubdir: false,
    pageSize: PAGE_BYTES,
    mapSize: mapSizeBytes,
    maxDbs: 2,
    overlappingSync: true,
    safeRestore: true,
  };
  return open(options);
}

/**
 * Checks what is in `directory` before anything is read from it, and stamps a new database with the format.
 * @throws StoreDamagedError @throws StoreFormatError
 */
export function openCheckedDatabase(directory: string, mapSizeBytes: number): OpenDatabase {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, DATABASE_FILE);
  const existed = existsSync(file) && statSync(file).size > 0;
  // lmdb-js does not survive a failed open: what can be found out is found out before.
  accessSync(directory, constants.W_OK);
  if (existed) accessSync(file, constants.R_OK | constants.W_OK);
  let root: RootDatabase<Uint8Array, string> | undefined;
  try {
    const cutShort = existed && extendToLastPage(file);
    const database = openDatabase(directory, mapSizeBytes);
    root = database.root;
    checkFormat(directory, file, database.root, existed);
    if (cutShort) readEverything(database);
    return database;
  } catch (error) {
    void root?.close();
    throw asDamage(file, error);
  }
}

/**
 * LMDB maps the file: reading a page behind its end kills the process. The end may be missing rightly (LMDB does not
 * write pages that were freed before their first commit) or because the file was cut. So the missing pages are added
 * as a hole, which reads as zeros and makes LMDB report damage; the caller then reads everything once.
 */
function extendToLastPage(file: string): boolean {
  const { fileBytes, usedBytes } = readHeader(file);
  if (fileBytes >= usedBytes) return false;
  truncateSync(file, usedBytes);
  return true;
}

function checkFormat(
  directory: string,
  file: string,
  root: RootDatabase<Uint8Array, string>,
  existed: boolean,
): void {
  const stamp = root.get(FORMAT_KEY);
  if (stamp === undefined) {
    if (existed && [...root.getKeys({ start: '', limit: 2 })].length > 1) {
      throw new StoreDamagedError(file, 'it has no format stamp');
    }
    const value = Buffer.alloc(4);
    value.writeUInt32LE(STORAGE_FORMAT);
    // The callback must not return put's promise: lmdb-js would then commit a turn later.
    root.transactionSync(() => {
      void root.put(FORMAT_KEY, value);
    });
    return;
  }
  if (stamp.length !== 4) throw new StoreDamagedError(file, 'its format stamp is unreadable');
  const format = new DataView(stamp.buffer, stamp.byteOffset, 4).getUint32(0, true);
  if (format > STORAGE_FORMAT) throw new StoreFormatError(directory, format, STORAGE_FORMAT);
}

function readEverything({ root, state }: OpenDatabase): void {
  for (const database of [root, state]) {
    for (const { value } of database.getRange({ start: '', snapshot: true })) void value;
  }
}

/** LMDB's codes for a file it cannot make sense of; anything else (permissions, limits) is no damage. */
const DAMAGE_CODES: ReadonlySet<unknown> = new Set([
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30794, // MDB_VERSION_MISMATCH
  -30793, // MDB_INVALID
  -30784, // MDB_INCOMPATIBLE
  -30779, // MDB_PROBLEM
]);

/** What to throw for an `error` that came out of reading `file`. */
export function asDamage(file: string, error: unknown): unknown {
  return error instanceof Error && 'code' in error && DAMAGE_CODES.has(error.code)
    ? new StoreDamagedError(file, error.message, { cause: error })
    : error;
}
