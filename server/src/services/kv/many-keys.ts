/** The methods on several named keys: split by group, done in all groups at once, answered in the order asked. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { type Failure, reasonInDoubt } from '../../state/failure.ts';
import { utf8Key } from '../../state/keys.ts';
import { unary } from '../decode.ts';
import { ErrorReason } from '../errors.ts';
import type { GroupRouter, ServiceGroup } from '../groups.ts';
import type { Method } from '../method.ts';
import { checkKey, checkKeyCount, checkTtl, checkValue } from './check.ts';
import type { KvDeps } from './deps.ts';
import { encodeLookups, lookupFieldSize } from './encode.ts';

const rpc = kv.KVService.method;

export function manyKeyMethods({ router, limits }: KvDeps): Method[] {
  return [
    unary(rpc.getMany, ({ keys, consistency }, { reply }) => {
      checkKeyCount(keys.length);
      for (const key of keys) checkKey(key, limits);
      const parts = positionsByGroup(router, keys);
      const names = keys.map(utf8Key);
      const records = new Array<Uint8Array | undefined>(keys.length).fill(undefined);
      let bytes = 0;
      let open = parts.size;
      const settle = (failure?: Failure) => {
        if (open <= 0) return;
        open = failure === undefined ? open - 1 : 0;
        if (failure !== undefined) reply.fail(failure);
        else if (open === 0) reply.ok(encodeLookups(names, records, bytes));
      };
      if (parts.size === 0) reply.ok(new Uint8Array());
      for (const [group, positions] of parts) {
        group.read(
          consistency,
          (state, now_ms) => {
            for (const position of positions) {
              const name = names[position] as string;
              const record = state.kv.get(name, now_ms);
              records[position] = record;
              bytes += lookupFieldSize(name, record);
              if (bytes > limits.maxFrameBytes) return settle(answerTooLarge(limits.maxFrameBytes));
            }
            settle();
          },
          settle,
        );
      }
    }),

    unary(rpc.setMany, (request, { payload, number, context, reply }) => {
      const { entries } = request;
      checkKeyCount(entries.length);
      for (const { key, value, ttl } of entries) {
        checkKey(key, limits);
        checkValue(value, key, limits);
        checkTtl(ttl);
      }
      const parts = positionsByGroup(
        router,
        entries.map(({ key }) => key),
      );
      const { session, canGoElsewhere } = context;
      if (parts.size === 0) reply.ok(new Uint8Array());
      if (parts.size === 1) {
        for (const group of parts.keys()) {
          group.submit({ method: number, payload, request, session, canGoElsewhere, reply });
        }
        return;
      }
      const versions = new Array<bigint>(entries.length).fill(0n);
      let open = parts.size;
      for (const [group, positions] of parts) {
        const part = create(kv.KVServiceSetManyRequestSchema, {
          entries: positions.map((position) => entries[position] as kv.KVWrite),
        });
        group.submit({
          method: number,
          payload: toBinary(kv.KVServiceSetManyRequestSchema, part),
          request: part,
          session,
          canGoElsewhere,
          reply: {
            ok(response) {
              if (open <= 0) return;
              const written = fromBinary(kv.KVServiceSetManyResponseSchema, response);
              positions.forEach((position, i) => {
                versions[position] = written.versions[i] as bigint;
              });
              if (--open > 0) return;
              const whole = create(kv.KVServiceSetManyResponseSchema, { versions });
              reply.ok(toBinary(kv.KVServiceSetManyResponseSchema, whole));
            },
            fail(failure) {
              if (open <= 0) return;
              open = 0;
              reply.fail(partlyApplied(failure, positions.length, entries.length));
            },
          },
        });
      }
    }),
  ];
}

/** Positions of the keys, by the group that has them. */
function positionsByGroup(router: GroupRouter, keys: readonly string[]): Map<ServiceGroup, number[]> {
  const parts = new Map<ServiceGroup, number[]>();
  keys.forEach((key, position) => {
    const group = router.groupOf(key);
    const positions = parts.get(group);
    if (positions === undefined) parts.set(group, [position]);
    else positions.push(position);
  });
  return parts;
}

export function answerTooLarge(maxFrameBytes: number): Failure {
  return {
    reason: ErrorReason.BATCH_TOO_LARGE,
    message: `the values together are over the ${maxFrameBytes} bytes of one answer; ask for fewer keys`,
  };
}

/**
 * The failure of one group's part; the parts of other groups are on their way or done. Whoever passed the call on would send
 * it again, whole, if it were certain that nothing was done.
 */
function partlyApplied(failure: Failure, failed: number, all: number): Failure {
  const rest = all - failed;
  return {
    ...failure,
    reason: reasonInDoubt(failure.reason),
    message: `${failure.message}; this is about ${failed} of the ${all} entries, the other ${rest} may be applied`,
  };
}
