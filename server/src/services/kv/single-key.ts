/** The methods on one key: each goes to the one group of its key. */
import { create, toBinary } from '@bufbuild/protobuf';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { msToDuration } from '../../state/durations.ts';
import { utf8Key } from '../../state/keys.ts';
import { keyNotFound } from '../../state/kv/kv-machine.ts';
import { NEVER_MS, recordExpiresAt_ms } from '../../state/kv/record.ts';
import { encodeExistsResponse, encodeGetResponse } from '../../state/kv/responses.ts';
import { invalidRequest, unary } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { Method } from '../method.ts';
import { proposalOf } from '../proposals.ts';
import { checkKey, checkTtl, checkValue } from './check.ts';
import type { KvDeps } from './deps.ts';
import { readPlainGet, readPlainSet } from './plain-requests.ts';

const rpc = kv.KVService.method;

export function singleKeyMethods({ router, limits }: KvDeps): Method[] {
  return [
    unary(
      rpc.set,
      (request, call) => {
        checkKey(request.key, limits);
        checkValue(request.value, request.key, limits);
        checkTtl(request.ttl);
        if (request.keepTtl && request.ttl !== undefined) {
          throw invalidRequest('keep_ttl', 'keep_ttl and ttl exclude each other');
        }
        router.groupOf(request.key).submit(proposalOf(request, call));
      },
      readPlainSet,
    ),

    unary(
      rpc.get,
      ({ key, consistency }, { reply }) => {
        checkKey(key, limits);
        router.groupOf(key).read(
          consistency,
          (state, now_ms) => {
            const record = state.kv.get(utf8Key(key), now_ms);
            if (record === undefined) reply.fail(keyNotFound(key));
            else reply.ok(encodeGetResponse(record));
          },
          (failure) => reply.fail(failure),
        );
      },
      readPlainGet,
    ),

    unary(rpc.exists, ({ key, consistency }, { reply }) => {
      checkKey(key, limits);
      router.groupOf(key).read(
        consistency,
        (state, now_ms) => reply.ok(encodeExistsResponse(state.kv.get(utf8Key(key), now_ms) !== undefined)),
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.tTL, ({ key, consistency }, { reply }) => {
      checkKey(key, limits);
      router.groupOf(key).read(
        consistency,
        (state, now_ms) => {
          const record = state.kv.get(utf8Key(key), now_ms);
          if (record === undefined) reply.fail(keyNotFound(key));
          else reply.ok(encodeTtl(recordExpiresAt_ms(record), now_ms));
        },
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.delete, (request, call) => {
      checkKey(request.key, limits);
      router.groupOf(request.key).submit(proposalOf(request, call));
    }),

    unary(rpc.increment, (request, call) => {
      checkKey(request.key, limits);
      router.groupOf(request.key).submit(proposalOf(request, call));
    }),

    unary(rpc.expire, (request, call) => {
      checkKey(request.key, limits);
      if (request.ttl === undefined) {
        throw new GomsgError({
          reason: ErrorReason.INVALID_DURATION,
          message: 'ttl is missing; Persist removes the time to live of a key',
          subject: 'ttl',
        });
      }
      checkTtl(request.ttl);
      router.groupOf(request.key).submit(proposalOf(request, call));
    }),

    unary(rpc.persist, (request, call) => {
      checkKey(request.key, limits);
      router.groupOf(request.key).submit(proposalOf(request, call));
    }),
  ];
}

function encodeTtl(expiresAt_ms: number, now_ms: number): Uint8Array {
  const left = expiresAt_ms === NEVER_MS ? {} : { ttl: msToDuration(expiresAt_ms - now_ms) };
  return toBinary(kv.KVServiceTTLResponseSchema, create(kv.KVServiceTTLResponseSchema, left));
}
