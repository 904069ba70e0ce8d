/** The rpcs that list something in order: what gathering has to know about each. */
import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import type { CursorScope } from '../../services/cursors.ts';
import type { GroupRouter, ServiceGroup } from '../../services/groups.ts';
import { compilePattern } from '../../services/kv/check.ts';
import { groupsOfPrefix } from '../../services/kv/groups-of-keys.ts';
import { keysPageSize, keysScope, patternOf, scanPageSize, scanScope } from '../../services/kv/listing.ts';
import { queuesPageSize, queuesScope } from '../../services/queue/reading.ts';
import { topicsPageSize, topicsScope } from '../../services/stream/topics.ts';

/** How much one page may have. */
export interface PageSize {
  readonly limit: number;
  readonly maxBytes: number;
}

/**
 * What one rpc that lists has of its own. Common to all: field 1 of the response has the entries, each a name or a
 * message whose field 1 is its name, in the order of the names' bytes; field 2 the cursor.
 */
export interface Listing<I extends DescMessage, O extends DescMessage> {
  readonly desc: DescMethodUnary<I, O>;
  /** @throws GomsgError INVALID_PATTERN */
  readonly groups: (request: MessageShape<I>, router: GroupRouter) => readonly ServiceGroup[];
  readonly isStale: (request: MessageShape<I>) => boolean;
  readonly isReverse: (request: MessageShape<I>) => boolean;
  readonly scope: (request: MessageShape<I>) => CursorScope;
  /** @throws GomsgError INVALID_REQUEST */
  readonly pageSize: (request: MessageShape<I>, limits: { readonly maxFrameBytes: number }) => PageSize;
  /** The request, asking for a page of another size. */
  readonly sized: (request: MessageShape<I>, size: PageSize) => MessageShape<I>;
  readonly nameOf: 'the entry' | 'field 1 of the entry';
  /** Field of the response that has the positions of all groups; undefined = there is none. */
  readonly tokenField?: number;
}

const kv = KVService.method;

export const keysListing: Listing<typeof kv.keys.input, typeof kv.keys.output> = {
  desc: kv.keys,
  groups(request, router) {
    const { literal, isLiteral } = compilePattern(patternOf(request));
    return groupsOfPrefix(router, literal, isLiteral);
  },
  isStale: ({ consistency }) => consistency === Consistency.STALE,
  isReverse: () => false,
  scope: keysScope,
  pageSize: keysPageSize,
  sized: (request, { limit }) => ({ ...request, limit }),
  nameOf: 'the entry',
};

export const scanListing: Listing<typeof kv.scan.input, typeof kv.scan.output> = {
  desc: kv.scan,
  groups: ({ prefix }, router) => groupsOfPrefix(router, prefix),
  isStale: ({ consistency }) => consistency === Consistency.STALE,
  isReverse: ({ reverse }) => reverse,
  scope: scanScope,
  pageSize: scanPageSize,
  sized: (request, { limit, maxBytes }) => ({ ...request, limit, maxBytes }),
  nameOf: 'field 1 of the entry',
  tokenField: 4,
};

const { list: listQueues } = QueueService.method;

export const queueListing: Listing<typeof listQueues.input, typeof listQueues.output> = {
  desc: listQueues,
  groups: (_request, router) => router.dataGroups(),
  isStale: () => false,
  isReverse: () => false,
  scope: queuesScope,
  pageSize: (request, limits) => ({ limit: queuesPageSize(request), maxBytes: halfAFrame(limits) }),
  sized: (request, { limit }) => ({ ...request, limit }),
  nameOf: 'field 1 of the entry',
};

const { list: listTopics } = StreamService.method;

export const topicListing: Listing<typeof listTopics.input, typeof listTopics.output> = {
  desc: listTopics,
  groups: (_request, router) => router.dataGroups(),
  isStale: () => false,
  isReverse: () => false,
  scope: topicsScope,
  pageSize: (request, limits) => ({ limit: topicsPageSize(request), maxBytes: halfAFrame(limits) }),
  sized: (request, { limit }) => ({ ...request, limit }),
  nameOf: 'field 1 of the entry',
};

function halfAFrame({ maxFrameBytes }: { readonly maxFrameBytes: number }): number {
  return Math.floor(maxFrameBytes / 2);
}
