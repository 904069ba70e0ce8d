/**
 * How state is laid out in the ordered store.
 *
 * A store key is a binary string: every char is one byte (0–255), so that JavaScript's string order is the byte
 * order of LMDB. It begins with the group (2 bytes) and a table letter. Grouping by Raft group, not by slot, keeps an
 * ordered scan of a group's keys one range instead of a merge over its slots; see docs/decisions.
 */

/** One letter a table; the byte after the group prefix. */
export const table = {
  /** Group bookkeeping: applied index and stamp, machine counters. */
  meta: 'a',
  /** KV: user key → record. */
  kvRecord: 'k',
  /** KV: expiry time, user key → empty. */
  kvExpiry: 'e',
  /** KV: revision → events, for watches. */
  kvHistory: 'h',
  /** Queue tables share a letter and are told apart by the queue machine. */
  queue: 'q',
  /** Stream tables share a letter and are told apart by the stream machine. */
  stream: 's',
  /** Control tables share a letter and are told apart by the control machine. */
  control: 'c',
  /** Session id → results that may be asked for again. */
  session: 'x',
} as const;

/** First bytes of every key of a group. */
export function groupPrefix(group: number): string {
  return String.fromCharCode((group >> 8) & 0xff, group & 0xff);
}

/** Highest id that a group can have: see `groupPrefix`. */
export const GROUP_ID_MAX = 0xffff;

/** All rows of a group, as a range. */
export function groupRange(group: number): { readonly from: string; readonly to: string } {
  const from = groupPrefix(group);
  return { from, to: prefixEnd(from) ?? ABOVE_ALL_GROUPS };
}

/** Above every key of the last group: rows begin with a table letter, and those are ASCII. */
const ABOVE_ALL_GROUPS = '\xff\xff\xff';

/** The row that says up to which entry the rows of a group are applied. */
export function appliedKey(group: number): string {
  return `${groupPrefix(group)}${table.meta}applied`;
}

/** Big-endian u32 as 4 chars: sorts as the number does. */
export function u32Key(value: number): string {
  return String.fromCharCode(
    (value >>> 24) & 0xff,
    (value >>> 16) & 0xff,
    (value >>> 8) & 0xff,
    value & 0xff,
  );
}

/** Big-endian unsigned integer up to 2^53 as 8 chars: sorts as the number does. */
export function u64Key(value: number): string {
  const high = Math.floor(value / 0x1_0000_0000);
  const low = value >>> 0;
  return String.fromCharCode(
    (high >>> 24) & 0xff,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    (low >>> 24) & 0xff,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  );
}

/** Reads what `u32Key` wrote. */
export function readU32Key(key: string, at: number): number {
  return (
    ((key.charCodeAt(at) << 24) |
      (key.charCodeAt(at + 1) << 16) |
      (key.charCodeAt(at + 2) << 8) |
      key.charCodeAt(at + 3)) >>>
    0
  );
}

/** Reads what `u64Key` wrote. */
export function readU64Key(key: string, at: number): number {
  return readU32Key(key, at) * 0x1_0000_0000 + readU32Key(key, at + 4);
}

/** Smallest key above every key that begins with `prefix`; undefined when there is none (all bytes 0xff). */
export function prefixEnd(prefix: string): string | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII is
const asciiOnly = /^[\x00-\x7f]*$/;

/** UTF-8 bytes of a text as a binary string: keeps the byte order of the text's UTF-8 form. */
export function utf8Key(text: string): string {
  return asciiOnly.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Reads what `utf8Key` wrote. */
export function readUtf8Key(key: string): string {
  return asciiOnly.test(key) ? key : Buffer.from(key, 'latin1').toString('utf8');
}
