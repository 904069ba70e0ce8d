/** DeletePattern: finds matching keys a page at a time and proposes their removal, group after group. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DeleteKeysSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { internalMethod } from '../../state/internal-methods.ts';
import { readUtf8Key } from '../../state/keys.ts';
import type { Page, PageOptions } from '../../state/kv/page.ts';
import { invalidRequest, toFailure, unary } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { CallContext, Method } from '../method.ts';
import { nextTurn } from '../next-turn.ts';
import { compilePattern } from './check.ts';
import type { KvDeps } from './deps.ts';
import { groupsOfPrefix } from './groups-of-keys.ts';
import { globRange } from './pattern-range.ts';

const rpc = kv.KVService.method;

/** Keys that one command removes. */
const KEYS_PER_STEP = 1_000;

/** Bytes of the keys of one command. */
const KEY_BYTES_PER_STEP = 256 * 1024;

export function deletePatternMethod({ router, limits }: KvDeps): Method {
  return unary(rpc.deletePattern, ({ pattern }, { context, reply }) => {
    if (pattern === '') throw invalidRequest('pattern', 'the pattern is empty; * removes everything');
    const glob = compilePattern(pattern);
    const groups = groupsOfPrefix(router, glob.literal, glob.isLiteral);
    const range = {
      ...globRange(glob, limits),
      limit: KEYS_PER_STEP,
      maxBytes: KEY_BYTES_PER_STEP,
      keysOnly: true,
    };
    const run = new Removal(groups, range, context);
    run.all().then(
      () => {
        const response = create(kv.KVServiceDeletePatternResponseSchema, { deleted: BigInt(run.deleted) });
        reply.ok(toBinary(kv.KVServiceDeletePatternResponseSchema, response));
      },
      (error: unknown) => {
        const failure = toFailure(error);
        const message = `${failure.message}; ${run.deleted} keys were removed before`;
        reply.fail({ ...failure, reason: failure.reason, message });
      },
    );
  });
}

class Removal {
  /** Keys removed so far. */
  deleted = 0;
  readonly #groups: readonly ServiceGroup[];
  readonly #range: PageOptions;
  readonly #caller: CallContext;

  constructor(groups: readonly ServiceGroup[], range: PageOptions, caller: CallContext) {
    this.#groups = groups;
    this.#range = range;
    this.#caller = caller;
  }

  async all(): Promise<void> {
    for (const group of this.#groups) {
      let after: string | undefined;
      do {
        checkWaiting(this.#caller);
        const page = await readPage(group, { ...this.#range, after });
        const keys = page.entries.map(({ key }) => readUtf8Key(key));
        if (keys.length > 0) this.deleted += await removeKeys(group, keys);
        after = page.reached;
        // The group may answer in the same turn: other calls get theirs between two steps.
        if (after !== undefined) await nextTurn();
      } while (after !== undefined);
    }
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

/** Returns how many of the keys existed. */
function removeKeys(group: ServiceGroup, keys: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = create(DeleteKeysSchema, { keys });
    group.submit({
      method: internalMethod.deleteKeys,
      payload: toBinary(DeleteKeysSchema, request),
      request,
      session: undefined,
      reply: {
        ok: (response) =>
          resolve(Number(fromBinary(kv.KVServiceDeletePatternResponseSchema, response).deleted)),
        fail: (failure) => reject(new GomsgError(failure)),
      },
    });
  });
}

/** The signal of a call in a pipeline is that of the whole stream: its deadline has to be looked at as well. */
function checkWaiting({ signal, deadline_ms }: CallContext): void {
  if (deadline_ms !== undefined && Date.now() >= deadline_ms) {
    throw new GomsgError({
      reason: ErrorReason.DEADLINE_EXCEEDED,
      message: 'the deadline of the call passed',
    });
  }
  if (!signal.aborted) return;
  if (signal.reason instanceof GomsgError) throw signal.reason;
  throw new GomsgError({ reason: ErrorReason.CANCELED, message: 'the caller gave up on the call' });
}
