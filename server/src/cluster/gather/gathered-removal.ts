/** DeletePattern: finds the keys as Keys does, on all nodes, and proposes their removal to the groups they are in. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { KVService, type KVServiceKeysResponse } from '../../gen/gomsg/v1/kv_pb.js';
import { unary } from '../../services/decode.ts';
import { GomsgError } from '../../services/errors.ts';
import type { GroupRouter, ServiceGroup } from '../../services/groups.ts';
import { removalPattern } from '../../services/kv/delete-pattern.ts';
import { MAX_KEYS_PER_PAGE } from '../../services/kv/listing.ts';
import {
  answerRemoval,
  checkWaiting,
  KEY_BYTES_PER_STEP,
  KEYS_PER_STEP,
  type RemovalStep,
} from '../../services/kv/removal.ts';
import type { CallContext, UnaryMethod } from '../../services/method.ts';

const { keys: keysRpc, deletePattern } = KVService.method;

/** @param keys Keys, as gathered from all nodes */
export function gatheredRemoval(keys: UnaryMethod, router: GroupRouter): UnaryMethod {
  return unary(deletePattern, (request, { context, reply }) => {
    removalPattern(request);
    answerRemoval(rounds(request.pattern, keys, router, context), reply);
  });
}

async function* rounds(
  pattern: string,
  keys: UnaryMethod,
  router: GroupRouter,
  caller: CallContext,
): AsyncGenerator<readonly RemovalStep[]> {
  let cursor: Uint8Array = new Uint8Array();
  do {
    checkWaiting(caller);
    const page = await pageOfKeys(keys, pattern, cursor, caller);
    yield stepsOf(page.keys, router);
    cursor = page.nextCursor;
  } while (cursor.length > 0);
}

function pageOfKeys(
  keys: UnaryMethod,
  pattern: string,
  cursor: Uint8Array,
  caller: CallContext,
): Promise<KVServiceKeysResponse> {
  const request = create(keysRpc.input, { pattern, cursor, limit: MAX_KEYS_PER_PAGE });
  return new Promise((resolve, reject) => {
    keys.handle(toBinary(keysRpc.input, request), caller, {
      ok: (response) => resolve(fromBinary(keysRpc.output, response)),
      fail: (failure) => reject(new GomsgError(failure)),
    });
  });
}

/** The keys by group, in pieces that one command may have. */
function stepsOf(keys: readonly string[], router: GroupRouter): RemovalStep[] {
  const steps: RemovalStep[] = [];
  const open = new Map<ServiceGroup, { step: RemovalStep; bytes: number }>();
  for (const key of keys) {
    const group = router.groupOf(key);
    const bytes = Buffer.byteLength(key);
    const last = open.get(group);
    if (last && last.step.keys.length < KEYS_PER_STEP && last.bytes + bytes <= KEY_BYTES_PER_STEP) {
      last.step.keys.push(key);
      last.bytes += bytes;
    } else {
      const step = { group, keys: [key] };
      open.set(group, { step, bytes });
      steps.push(step);
    }
  }
  return steps;
}
