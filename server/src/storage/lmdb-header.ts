/**
 * The meta pages of an LMDB file, read before LMDB does: lmdb-js crashes the process when asked to open a file that is
 * no database, and LMDB when it reads behind the end of one. Layout: `MDB_page` and `MDB_meta` in LMDB's mdb.c, data
 * version 2, of a 64-bit little-endian machine.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { StoreDamagedError } from './errors.ts';

const META_BYTES = 176;
const PAGE_FLAGS_OFFSET = 18;
const MAGIC_OFFSET = 24;
const VERSION_OFFSET = 28;
const PAGE_BYTES_OFFSET = 48;
const LAST_PAGE_OFFSET = 144;
const TRANSACTION_OFFSET = 152;

const META_PAGE_FLAG = 0x08;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_BYTES_MAX = 65_536;

export interface LmdbHeader {
  /** Bytes the file has. */
  readonly fileBytes: number;
  /** Bytes up to the end of the last page in use. The file may rightly be shorter, see `openCheckedDatabase`. */
  readonly usedBytes: number;
}

/** @throws StoreDamagedError when `file` is no LMDB database of the version this program reads. */
export function readHeader(file: string): LmdbHeader {
  const descriptor = openSync(file, 'r');
  try {
    const first = readMeta(file, descriptor, 0);
    const second = readMeta(file, descriptor, first.pageBytes);
    const latest = first.transaction >= second.transaction ? first : second;
    return {
      fileBytes: fstatSync(descriptor).size,
      usedBytes: Number(latest.lastPage + 1n) * first.pageBytes,
    };
  } finally {
    closeSync(descriptor);
  }
}

function readMeta(file: string, descriptor: number, position: number) {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, meta, 0, META_BYTES, position) < META_BYTES) {
    throw new StoreDamagedError(file, 'it is too short to be a database');
  }
  const little = endianness() === 'LE';
  const view = new DataView(meta.buffer, meta.byteOffset);
  const isMeta = (view.getUint16(PAGE_FLAGS_OFFSET, little) & META_PAGE_FLAG) !== 0;
  const pageBytes = view.getUint32(PAGE_BYTES_OFFSET, little);
  if (!isMeta || view.getUint32(MAGIC_OFFSET, little) !== MAGIC) {
    throw new StoreDamagedError(file, 'it is not an LMDB database');
  }
  if ((view.getUint32(VERSION_OFFSET, little) & 0xffff) !== DATA_VERSION) {
    throw new StoreDamagedError(file, 'it was written by another version of LMDB');
  }
  if (pageBytes < META_BYTES || pageBytes > PAGE_BYTES_MAX) {
    throw new StoreDamagedError(file, `its page size is ${pageBytes}`);
  }
  return {
    pageBytes,
    lastPage: view.getBigUint64(LAST_PAGE_OFFSET, little),
    transaction: view.getBigUint64(TRANSACTION_OFFSET, little),
  };
}
