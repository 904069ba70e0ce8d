/** The methods that change nothing: Peek, Stats and List. */
import { create, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import * as queue from '../../gen/gomsg/v1/queue_pb.js';
import { queueNotFound } from '../../state/queue/managing.ts';
import { type CursorScope, decodeCursor, encodeCursor } from '../cursors.ts';
import { methodNumber, unary } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import { NO_GROUP_KNOWN, within } from '../groups.ts';
import type { Method } from '../method.ts';
import { MAX_NAME_LENGTH } from '../names.ts';
import { checkCount, checkQueue, checkState } from './check.ts';
import type { QueueDeps } from './deps.ts';
import type { Dispatchers } from './dispatchers.ts';

const rpc = queue.QueueService.method;

const MAX_PEEKED = 1_000;
const MAX_LISTED = 1_000;
/** Longest position that Peek issues: a time and a sequence. */
const MAX_PEEK_POSITION_CHARS = 16;

const NO_CURSOR = new Uint8Array();
const CONSISTENCY = Consistency.LINEARIZABLE;

export function readingMethods({ router }: QueueDeps, dispatchers: Dispatchers): Method[] {
  return [
    unary(rpc.peek, (request, { number, reply }) => {
      checkQueue(request.queue);
      checkState(request.state);
      const limit = checkCount(request.limit, 'limit', 1, MAX_PEEKED);
      const of = request.state || queue.MessageState.READY;
      const scope = { method: number, args: [request.queue, of] };
      const after = positionOf(scope, request.cursor, MAX_PEEK_POSITION_CHARS);
      router.groupOf(request.queue).read(
        CONSISTENCY,
        (state, now_ms) => {
          const page = state.queue.peek(request.queue, of, after, limit, now_ms);
          if (!page) reply.fail(queueNotFound(request.queue));
          else reply.ok(encodePeek(page.messages, cursorAt(scope, page.next)));
        },
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.stats, (request, { reply }) => {
      checkQueue(request.queue);
      const group = router.groupOf(request.queue);
      group.read(
        CONSISTENCY,
        (state, now_ms) => {
          const stats = state.queue.stats(request.queue, now_ms);
          if (!stats) {
            reply.fail(queueNotFound(request.queue));
            return;
          }
          stats.consumers = dispatchers.of(group).takers(request.queue);
          reply.ok(
            toBinary(queue.QueueServiceStatsResponseSchema, {
              ...create(queue.QueueServiceStatsResponseSchema),
              stats,
            }),
          );
        },
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.list, (request, { context, reply }) => {
      const limit = queuesPageSize(request);
      const scope = queuesScope(request);
      const after = positionOf(scope, request.cursor, MAX_NAME_LENGTH);
      const groups = within(router.dataGroups(), context);
      if (groups.length === 0) reply.fail(NO_GROUP_KNOWN);
      const found: queue.QueueStats[] = [];
      let left = groups.length;
      let failed = false;
      for (const group of groups) {
        group.read(
          CONSISTENCY,
          (state, now_ms) => {
            if (failed) return;
            // One more than a page tells whether there is another.
            for (const stats of state.queue.list(request.prefix, after, limit + 1, now_ms)) {
              stats.consumers = dispatchers.of(group).takers(stats.queue);
              found.push(stats);
            }
            left--;
            if (left === 0) reply.ok(encodeList(scope, found, limit));
          },
          (failure) => {
            if (failed) return;
            failed = true;
            reply.fail(failure);
          },
        );
      }
    }),
  ];
}

export function queuesScope({ prefix }: queue.QueueServiceListRequest): CursorScope {
  return { method: methodNumber(rpc.list), args: [prefix] };
}

/** Most queues of a page. @throws GomsgError INVALID_REQUEST */
export function queuesPageSize({ limit }: queue.QueueServiceListRequest): number {
  return checkCount(limit, 'limit', MAX_LISTED, MAX_LISTED);
}

function encodePeek(messages: queue.PeekedMessage[], nextCursor: Uint8Array): Uint8Array {
  const response = create(queue.QueueServicePeekResponseSchema);
  response.messages = messages;
  response.nextCursor = nextCursor;
  return toBinary(queue.QueueServicePeekResponseSchema, response);
}

/** Merges what the groups found, which is in order in each. */
function encodeList(scope: CursorScope, found: queue.QueueStats[], limit: number): Uint8Array {
  found.sort((a, b) => (a.queue < b.queue ? -1 : 1));
  const response = create(queue.QueueServiceListResponseSchema);
  response.queues = found.slice(0, limit);
  if (found.length > limit) response.nextCursor = cursorAt(scope, response.queues.at(-1)?.queue);
  return toBinary(queue.QueueServiceListResponseSchema, response);
}

function cursorAt(scope: CursorScope, position: string | undefined): Uint8Array {
  return position === undefined ? NO_CURSOR : encodeCursor(scope, position);
}

/** A cursor is not secret, so a forged one may hold anything: none longer than those that were issued is taken. */
function positionOf(scope: CursorScope, cursor: Uint8Array, maxChars: number): string | undefined {
  const position = decodeCursor(scope, cursor);
  if (position === undefined || position.length <= maxChars) return position;
  throw new GomsgError({
    reason: ErrorReason.INVALID_CURSOR,
    subject: 'cursor',
    message: 'the cursor was not issued by this call',
  });
}
