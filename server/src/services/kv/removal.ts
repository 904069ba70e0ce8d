/** Removes keys a step at a time and counts those that there were. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DeleteKeysSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import {
  type KVServiceDeletePatternResponse,
  KVServiceDeletePatternResponseSchema,
} from '../../gen/gomsg/v1/kv_pb.js';
import { internalMethod } from '../../state/internal-methods.ts';
import { toFailure } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { CallContext, Reply } from '../method.ts';

/** Keys that one command removes. */
export const KEYS_PER_STEP = 1_000;

/** Bytes of the keys of one command. */
export const KEY_BYTES_PER_STEP = 256 * 1024;

/** Keys of one group that go in one command. */
export interface RemovalStep {
  readonly group: ServiceGroup;
  readonly keys: string[];
}

/**
 * Answers a DeletePattern call once all steps are done: those of one round at the same time, one round behind the other.
 * When a step fails, so does the call, and says how many keys were removed all the same.
 */
export function answerRemoval(rounds: AsyncIterable<readonly RemovalStep[]>, reply: Reply): void {
  let deleted = 0;
  const remove = async (step: RemovalStep): Promise<void> => {
    const removed = await removeKeys(step);
    deleted += removed;
  };
  const removeAll = async (): Promise<void> => {
    for await (const steps of rounds) {
      const outcomes = await Promise.allSettled(steps.map(remove));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    }
  };
  removeAll().then(
    () => {
      const response = create(KVServiceDeletePatternResponseSchema, { deleted: BigInt(deleted) });
      reply.ok(toBinary(KVServiceDeletePatternResponseSchema, response));
    },
    (error: unknown) => {
      const failure = toFailure(error);
      const message = `${failure.message}; ${deleted} keys were removed before`;
      reply.fail({ ...failure, reason: failure.reason, message });
    },
  );
}

/** Returns how many of the keys existed. */
function removeKeys({ group, keys }: RemovalStep): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = create(DeleteKeysSchema, { keys });
    group.submit({
      method: internalMethod.deleteKeys,
      payload: toBinary(DeleteKeysSchema, request),
      request,
      session: undefined,
      reply: {
        ok: (response) => resolve(deletedIn(response)),
        fail: (failure) => reject(new GomsgError(failure)),
      },
    });
  });
}

function deletedIn(response: Uint8Array): number {
  const { deleted }: KVServiceDeletePatternResponse = fromBinary(
    KVServiceDeletePatternResponseSchema,
    response,
  );
  return Number(deleted);
}

/**
 * The signal of a call in a pipeline is that of the whole stream: its deadline has to be looked at as well.
 * @throws GomsgError when the caller no longer waits
 */
export function checkWaiting({ signal, deadline_ms }: CallContext): void {
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
