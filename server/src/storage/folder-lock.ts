/**
 * Keeps a second process off a data folder.
 *
 * The lock must vanish with the process, even after kill -9, and must hold between containers that share a volume: so
 * it has to be the kernel's lock on a file, which Node does not offer by itself. SQLite, part of Node, does: an
 * exclusive transaction on an empty database file is an fcntl lock, and SQLite also keeps two connections of one
 * process apart, which fcntl alone would not. Nothing is ever stored in that file.
 * (An abstract Unix socket would be simpler, but containers do not share those.)
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DataFolderLockedError } from './errors.ts';

const LOCK_FILE = 'LOCK';
/** Who holds the lock: for the error message only, never for the decision. */
const HOLDER_FILE = 'LOCK.holder';
const SQLITE_BUSY = 5;

/** A held lock. */
export interface FolderLock {
  readonly folder: string;
  /** Lets others have the folder. Calling it again does nothing. */
  release(): void;
}

/**
 * Locks `folder`, creating it if need be.
 * @throws DataFolderLockedError when this or another process holds it.
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const connection = new DatabaseSync(join(folder, LOCK_FILE), { timeout: 0 });
  try {
    connection.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!isBusy(error)) throw error;
    const holder = readHolder(folder);
    throw new DataFolderLockedError(folder, holder?.pid, holder?.host);
  }
  writeFileSync(join(folder, HOLDER_FILE), JSON.stringify({ pid: process.pid, host: hostname() }));
  return {
    folder,
    release: () => {
      if (connection.isOpen) connection.close();
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function readHolder(folder: string): { pid: number; host: string } | undefined {
  try {
    const holder: unknown = JSON.parse(readFileSync(join(folder, HOLDER_FILE), 'utf8'));
    if (typeof holder !== 'object' || holder === null || !('pid' in holder) || !('host' in holder))
      return undefined;
    return typeof holder.pid === 'number' && typeof holder.host === 'string'
      ? { pid: holder.pid, host: holder.host }
      : undefined;
  } catch {
    // Not written yet, or half written: the lock stands all the same, only its holder stays unnamed.
    return undefined;
  }
}
