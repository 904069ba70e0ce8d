/** KVService: checks requests, finds the groups of their keys, proposes or reads, and shapes the answers. */

import { deletePatternMethod } from './kv/delete-pattern.ts';
import type { KvDeps } from './kv/deps.ts';
import { listingMethods } from './kv/listing.ts';
import { manyKeyMethods } from './kv/many-keys.ts';
import { singleKeyMethods } from './kv/single-key.ts';
import { watchMethod } from './kv/watch.ts';
import type { Method } from './method.ts';

export type { KvDeps, KvLimits } from './kv/deps.ts';

/** All methods of `gomsg.v1.KVService`. */
export function kvMethods(deps: KvDeps): Method[] {
  return [
    ...singleKeyMethods(deps),
    ...manyKeyMethods(deps),
    ...listingMethods(deps),
    deletePatternMethod(deps),
    watchMethod(deps),
  ];
}
