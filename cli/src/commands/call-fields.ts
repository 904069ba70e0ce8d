/** Options that several commands share, and how they become fields of requests. */

import { type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Consistency } from '@gomsg/client/gen/gomsg/v1/common_pb.js';
import { choice, count, pair } from '../arguments/kinds.ts';
import { option, options } from '../arguments/spec.ts';

export const consistency = option(
  choice({ linearizable: Consistency.LINEARIZABLE, stale: Consistency.STALE }),
  'linearizable sees every write answered before; stale is cheaper and may lag',
);

/** Of the whole listing, however many pages that takes. */
export const limit = option(count, 'stop after this many', { short: 'n' });
export const pageSize = option(count, 'ask the server for this many at a time');

export const headers = options(pair, 'a header that travels with the message; may be given several times');

/** `{ttl: …}` when it is given: an absent field must stay absent. */
export function durationField<const N extends string>(
  name: N,
  ms: number | undefined,
): { [K in N]?: Duration } {
  return (ms === undefined ? {} : { [name]: durationFromMs(ms) }) as { [K in N]?: Duration };
}

/** The fields that are set; undefined ones are left out. */
export function given<F extends Readonly<Record<string, unknown>>>(
  fields: F,
): { [K in keyof F]?: Exclude<F[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof F]?: Exclude<F[K], undefined>;
  };
}

export function headerFields(pairs: readonly (readonly [string, string])[]): {
  headers: Record<string, string>;
} {
  return { headers: Object.fromEntries(pairs) };
}

/** Follows `nextCursor` through all pages, and stops after `limit` items. */
export async function* pages<Item>(
  fetch: (
    cursor: Uint8Array,
    most: number | undefined,
  ) => Promise<{ items: readonly Item[]; nextCursor: Uint8Array }>,
  limit: number | undefined,
): AsyncGenerator<readonly Item[]> {
  let cursor: Uint8Array = new Uint8Array(0);
  let left = limit;
  do {
    const { items, nextCursor } = await fetch(cursor, left);
    yield left === undefined ? items : items.slice(0, left);
    if (left !== undefined) left -= Math.min(left, items.length);
    cursor = nextCursor;
  } while (cursor.length > 0 && left !== 0);
}

/** What one call should return: no more than is still wanted, than the user asked for a page, nor than is allowed. */
export function pageLimit(
  pageSize: number | undefined,
  most: number | undefined,
  max: number,
): { limit?: number } {
  if (pageSize === undefined && most === undefined) return {};
  return { limit: Math.min(pageSize ?? max, most ?? max, max) };
}
