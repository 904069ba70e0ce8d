/** The methods about topics as a whole: Create, Configure, Info, List, Delete, Purge. */
import { create, toBinary } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import {
  StreamService,
  StreamServiceInfoResponseSchema,
  type StreamServiceListRequest,
  StreamServiceListResponseSchema,
  type TopicInfo,
} from '../../gen/gomsg/v1/stream_pb.js';
import type { Failure } from '../../state/failure.ts';
import { readUtf8Key, utf8Key } from '../../state/keys.ts';
import { topicNotFound } from '../../state/stream/failures.ts';
import type { StreamMachine } from '../../state/stream/stream-machine.ts';
import { type CursorScope, decodeCursor, encodeCursor } from '../cursors.ts';
import { methodNumber, unary } from '../decode.ts';
import { NO_GROUP_KNOWN, type ServiceGroup, within } from '../groups.ts';
import type { Method } from '../method.ts';
import { proposalOf } from '../proposals.ts';
import { boundedOr, checkSettings, checkTopic } from './checks.ts';
import type { StreamDeps } from './deps.ts';
import type { TopicDefaults } from './topic-defaults.ts';
import { consumerInfos, topicInfo } from './topic-info.ts';

const rpc = StreamService.method;

const MAX_LISTED_TOPICS = 1000;
/** Partitions described in one page: some 40 bytes each. */
const MAX_LISTED_PARTITIONS = 20_000;

export function topicMethods({ router, nodes }: StreamDeps, defaults: TopicDefaults): Method[] {
  return [
    unary(rpc.create, (request, call) => {
      checkTopic(request.topic);
      checkSettings(request.settings);
      router.groupOf(request.topic).submit({ ...proposalOf(request, call), ...defaults.fill(request) });
    }),

    unary(rpc.configure, (request, call) => {
      checkTopic(request.topic);
      checkSettings(request.settings);
      router.groupOf(request.topic).submit(proposalOf(request, call));
    }),

    unary(rpc.delete, (request, call) => {
      checkTopic(request.topic);
      router.groupOf(request.topic).submit(proposalOf(request, call));
    }),

    unary(rpc.purge, (request, call) => {
      checkTopic(request.topic);
      router.groupOf(request.topic).submit(proposalOf(request, call));
    }),

    unary(rpc.info, ({ topic: name }, { reply }) => {
      checkTopic(name);
      const group = router.groupOf(name);
      group.read(
        Consistency.LINEARIZABLE,
        ({ stream }, now_ms) => {
          const topic = stream.topic(name);
          if (!topic) {
            reply.fail(topicNotFound(name));
            return;
          }
          const info = topicInfo(topic, nodes.leaderOf(group.id));
          info.consumers = consumerInfos(stream, topic, now_ms);
          reply.ok(
            toBinary(StreamServiceInfoResponseSchema, create(StreamServiceInfoResponseSchema, { info })),
          );
        },
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.list, (request, { context, reply }) => {
      const limit = topicsPageSize(request);
      const scope = topicsScope(request);
      const position = decodeCursor(scope, request.cursor);
      const after = position === undefined ? undefined : readUtf8Key(position);
      listOfGroups(
        within(router.dataGroups(), context),
        (stream, group) =>
          namesOf(stream, request.prefix, after, limit).map((name) =>
            topicInfo(stream.topic(name)!, nodes.leaderOf(group.id)),
          ),
        (found) => {
          const topics = firstPage(found, limit);
          const last = topics.at(-1);
          const more = last !== undefined && topics.length < found.length;
          const nextCursor = more ? encodeCursor(scope, utf8Key(last.topic)) : new Uint8Array();
          reply.ok(
            toBinary(
              StreamServiceListResponseSchema,
              create(StreamServiceListResponseSchema, { topics, nextCursor }),
            ),
          );
        },
        (failure) => reply.fail(failure),
      );
    }),
  ];
}

export function topicsScope({ prefix }: StreamServiceListRequest): CursorScope {
  return { method: methodNumber(rpc.list), args: [prefix] };
}

/** Most topics of a page. @throws GomsgError INVALID_REQUEST */
export function topicsPageSize({ limit }: StreamServiceListRequest): number {
  return boundedOr(limit, 'limit', MAX_LISTED_TOPICS, MAX_LISTED_TOPICS);
}

/** Names behind `after` that begin with the prefix: one more than a page has, so that it shows whether there are more. */
function namesOf(stream: StreamMachine, prefix: string, after: string | undefined, limit: number): string[] {
  const names = stream.topicNames();
  const found: string[] = [];
  for (let at = firstFrom(names, after ?? prefix); at < names.length && found.length <= limit; at++) {
    const name = names[at]!;
    if (!name.startsWith(prefix)) break;
    if (name !== after) found.push(name);
  }
  return found;
}

/** Place of the first name that is not below `bound`. */
function firstFrom(names: readonly string[], bound: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Collects from all groups; the first failure stands for all. */
function listOfGroups(
  groups: readonly ServiceGroup[],
  query: (stream: StreamMachine, group: ServiceGroup) => TopicInfo[],
  done: (found: TopicInfo[]) => void,
  fail: (failure: Failure) => void,
): void {
  if (groups.length === 0) fail(NO_GROUP_KNOWN);
  const found: TopicInfo[] = [];
  let waiting = groups.length;
  let failed = false;
  for (const group of groups) {
    group.read(
      Consistency.LINEARIZABLE,
      ({ stream }) => {
        found.push(...query(stream, group));
        if (--waiting > 0 || failed) return;
        done(found.sort((a, b) => (a.topic < b.topic ? -1 : 1)));
      },
      (failure) => {
        if (!failed) fail(failure);
        failed = true;
      },
    );
  }
}

function firstPage(topics: readonly TopicInfo[], limit: number): TopicInfo[] {
  const page: TopicInfo[] = [];
  let partitions = 0;
  for (const topic of topics.slice(0, limit)) {
    partitions += topic.partitions.length;
    if (partitions > MAX_LISTED_PARTITIONS && page.length > 0) break;
    page.push(topic);
  }
  return page;
}
