/** Reading a group's keys in order, a bounded piece at a time. */
import { readUtf8Key } from '../keys.ts';
import type { StateStore } from '../machine.ts';
import type { Glob } from './glob.ts';
import { isExpired } from './record.ts';

/** Rows that one page looks at over all groups, whether or not they match. */
const MAX_ROWS = 10_000;

/** Bytes of the rows that one page looks at, over all groups. */
const MAX_ROW_BYTES = 16 * 1024 * 1024;

/** Comparisons that one page spends on matching its pattern, over all groups. */
const MAX_GLOB_STEPS = 2_000_000;

/** Rows that every group may look at, however many there are. */
const MIN_ROWS = 64;

/** Keys are binary strings of their UTF-8 bytes; byte order is their order. */
export interface PageOptions {
  /** First key, inclusive; '' = from the first. */
  readonly from: string;
  /** End of the keys, exclusive; undefined = to the last. */
  readonly to: string | undefined;
  /** Last key of the page before: this one goes on behind it. */
  readonly after?: string | undefined;
  /** From the last key to the first. */
  readonly reverse?: boolean;
  /** Most entries, at least 1. */
  readonly limit: number;
  /** Bytes of keys and records that a further entry may not exceed; there is always one entry. */
  readonly maxBytes: number;
  /** Count only keys as bytes; records are read all the same, for their expiry. */
  readonly keysOnly?: boolean;
  /** Only keys that match. */
  readonly glob?: Glob | undefined;
  /** Groups that each give a page for one answer, and share what a page may look at. Default 1. */
  readonly groups?: number;
}

export interface Entry {
  /** Binary string of the key's UTF-8 bytes. */
  readonly key: string;
  readonly record: Uint8Array;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** Last key that was looked at, when there are more behind it; undefined at the end of the range. */
  readonly reached: string | undefined;
}

/** `table`: store key of the record table; `tableEnd`: the first behind it. */
export function readPage(
  store: StateStore,
  table: string,
  tableEnd: string,
  options: PageOptions,
  now_ms: number,
): Page {
  const { after, glob, reverse = false, groups = 1 } = options;
  const matchesAll = glob === undefined || glob.isPrefix;
  const stepsAllowed = (glob?.steps ?? 0) + MAX_GLOB_STEPS / groups;
  const rowsAllowed = Math.max(MIN_ROWS, MAX_ROWS / groups);
  const rowBytesAllowed = MAX_ROW_BYTES / groups;
  const entries: Entry[] = [];
  let entryBytes = 0;
  let rows = 0;
  let rowBytes = 0;
  let last: string | undefined;
  const range = {
    from: table + (after !== undefined && !reverse ? successor(after) : options.from),
    to:
      after !== undefined && reverse
        ? table + after
        : options.to === undefined
          ? tableEnd
          : table + options.to,
    reverse,
  };
  for (const row of store.range(range)) {
    const full =
      entries.length >= options.limit ||
      rows >= rowsAllowed ||
      rowBytes >= rowBytesAllowed ||
      (glob !== undefined && glob.steps >= stepsAllowed);
    if (full) return { entries, reached: last };
    rows++;
    rowBytes += row.value.length;
    const key = row.key.slice(table.length);
    if (!isExpired(row.value, now_ms) && (matchesAll || glob.matches(readUtf8Key(key)))) {
      const bytes = key.length + (options.keysOnly ? 0 : row.value.length);
      if (entries.length > 0 && entryBytes + bytes > options.maxBytes) return { entries, reached: last };
      entries.push({ key, record: row.value });
      entryBytes += bytes;
    }
    last = key;
  }
  return { entries, reached: undefined };
}

/** The smallest key behind `key`. */
function successor(key: string): string {
  return `${key}\0`;
}
