/** DeletePattern: finds matching keys a page at a time and proposes their removal, group after group. */
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { readUtf8Key } from '../../state/keys.ts';
import type { Glob } from '../../state/kv/glob.ts';
import type { Page, PageOptions } from '../../state/kv/page.ts';
import { invalidRequest, unary } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { CallContext, Method } from '../method.ts';
import { nextTurn } from '../next-turn.ts';
import { compilePattern } from './check.ts';
import type { KvDeps } from './deps.ts';
import { groupsOfPrefix } from './groups-of-keys.ts';
import { globRange } from './pattern-range.ts';
import {
  answerRemoval,
  checkWaiting,
  KEY_BYTES_PER_STEP,
  KEYS_PER_STEP,
  type RemovalStep,
} from './removal.ts';

export function deletePatternMethod({ router, limits }: KvDeps): Method {
  return unary(kv.KVService.method.deletePattern, (request, { context, reply }) => {
    const glob = removalPattern(request);
    const groups = groupsOfPrefix(router, glob.literal, glob.isLiteral);
    const range = {
      ...globRange(glob, limits),
      limit: KEYS_PER_STEP,
      maxBytes: KEY_BYTES_PER_STEP,
      keysOnly: true,
    };
    answerRemoval(stepsOf(groups, range, context), reply);
  });
}

/** @throws GomsgError INVALID_REQUEST or INVALID_PATTERN */
export function removalPattern({ pattern }: kv.KVServiceDeletePatternRequest): Glob {
  if (pattern === '') throw invalidRequest('pattern', 'the pattern is empty; * removes everything');
  return compilePattern(pattern);
}

async function* stepsOf(
  groups: readonly ServiceGroup[],
  range: PageOptions,
  caller: CallContext,
): AsyncGenerator<readonly RemovalStep[]> {
  for (const group of groups) {
    let after: string | undefined;
    do {
      checkWaiting(caller);
      const page = await readPage(group, { ...range, after });
      const keys = page.entries.map(({ key }) => readUtf8Key(key));
      if (keys.length > 0) yield [{ group, keys }];
      after = page.reached;
      // The group may answer in the same turn: other calls get theirs between two steps.
      if (after !== undefined) await nextTurn();
    } while (after !== undefined);
  }
}

function readPage(group: ServiceGroup, options: PageOptions): Promise<Page> {
  return new Promise((resolve, reject) => {
    group.read(
      Consistency.LINEARIZABLE,
      (state, now_ms) => resolve(state.kv.page(options, now_ms)),
      (failure) => reject(new GomsgError(failure)),
    );
  });
}
