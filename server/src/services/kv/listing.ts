/** Keys and Scan: ordered pages over all groups that can have keys of the range. */
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { prefixEnd, utf8Key } from '../../state/keys.ts';
import { type CursorScope, decodeCursor, encodeCursor } from '../cursors.ts';
import { invalidRequest, methodNumber, unary } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import { within } from '../groups.ts';
import type { Method } from '../method.ts';
import { checkBound, compilePattern, pageSize } from './check.ts';
import type { KvDeps, KvLimits } from './deps.ts';
import { encodeKeys, encodeScan } from './encode.ts';
import { groupsOfPrefix } from './groups-of-keys.ts';
import { readMergedPage } from './merged-page.ts';
import { globRange } from './pattern-range.ts';
import { encodeResumeToken } from './resume-token.ts';

const rpc = kv.KVService.method;

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 10_000;
const DEFAULT_PAGE_BYTES = 1024 * 1024;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

/** Most keys of one page. */
export const MAX_KEYS_PER_PAGE = MAX_LIMIT;

const NO_CURSOR = new Uint8Array();

type FrameLimit = Pick<KvLimits, 'maxFrameBytes'>;

/** How much one page may have. */
export interface PageSize {
  readonly limit: number;
  readonly maxBytes: number;
}

export function listingMethods({ router, limits }: KvDeps): Method[] {
  return [
    unary(rpc.keys, (request, { context, reply }) => {
      const glob = compilePattern(patternOf(request));
      const scope = keysScope(request);
      const options = {
        ...globRange(glob, limits),
        after: positionOf(scope, request.cursor, limits),
        ...keysPageSize(request, limits),
        keysOnly: true,
      };
      readMergedPage(
        within(groupsOfPrefix(router, glob.literal, glob.isLiteral), context),
        request.consistency,
        options,
        ({ entries, reached }) => reply.ok(encodeKeys(entries, cursorAt(scope, reached))),
        (failure) => reply.fail(failure),
      );
    }),

    unary(rpc.scan, (request, { context, reply }) => {
      const { prefix, start, end, reverse, keysOnly } = request;
      if (prefix !== '' && (start !== '' || end !== '')) {
        throw invalidRequest('prefix', 'prefix excludes start and end');
      }
      checkBound(prefix, 'prefix', limits);
      checkBound(start, 'start', limits);
      checkBound(end, 'end', limits);
      const scope = scanScope(request);
      const from = utf8Key(prefix);
      const range =
        prefix !== ''
          ? { from, to: prefixEnd(from) }
          : { from: utf8Key(start), to: end === '' ? undefined : utf8Key(end) };
      const options = {
        ...range,
        after: positionOf(scope, request.cursor, limits),
        reverse,
        ...scanPageSize(request, limits),
        keysOnly,
      };
      readMergedPage(
        within(groupsOfPrefix(router, prefix), context),
        request.consistency,
        options,
        ({ entries, reached, revisions }) => {
          const [revision = 0] = revisions.size === 1 ? revisions.values() : [];
          reply.ok(
            encodeScan({
              entries,
              keysOnly,
              nextCursor: cursorAt(scope, reached),
              revision,
              resumeToken: encodeResumeToken(revisions),
            }),
          );
        },
        (failure) => reply.fail(failure),
      );
    }),
  ];
}

/** The pattern of a Keys request. */
export function patternOf({ pattern }: kv.KVServiceKeysRequest): string {
  return pattern === '' ? '*' : pattern;
}

export function keysScope(request: kv.KVServiceKeysRequest): CursorScope {
  return { method: methodNumber(rpc.keys), args: [patternOf(request)] };
}

export function scanScope({ prefix, start, end, reverse }: kv.KVServiceScanRequest): CursorScope {
  return { method: methodNumber(rpc.scan), args: [prefix, start, end, reverse] };
}

/** @throws GomsgError INVALID_REQUEST */
export function keysPageSize({ limit }: kv.KVServiceKeysRequest, limits: FrameLimit): PageSize {
  return {
    limit: pageSize(limit, 'limit', DEFAULT_LIMIT, MAX_LIMIT),
    maxBytes: fitting(MAX_PAGE_BYTES, limits),
  };
}

/** @throws GomsgError INVALID_REQUEST */
export function scanPageSize({ limit, maxBytes }: kv.KVServiceScanRequest, limits: FrameLimit): PageSize {
  return {
    limit: pageSize(limit, 'limit', DEFAULT_LIMIT, MAX_LIMIT),
    maxBytes: fitting(pageSize(maxBytes, 'max_bytes', DEFAULT_PAGE_BYTES, MAX_PAGE_BYTES), limits),
  };
}

function cursorAt(scope: CursorScope, reached: string | undefined): Uint8Array {
  return reached === undefined ? NO_CURSOR : encodeCursor(scope, reached);
}

/** A cursor is not secret, so a forged one may hold anything: no position longer than a key reaches the store. */
function positionOf(scope: CursorScope, cursor: Uint8Array, { maxKeyBytes }: KvLimits): string | undefined {
  const position = decodeCursor(scope, cursor);
  if (position === undefined || position.length <= maxKeyBytes) return position;
  throw new GomsgError({
    reason: ErrorReason.INVALID_CURSOR,
    message: 'the cursor points behind every key',
    subject: 'cursor',
  });
}

/** Half a frame at most: the other half is room for what surrounds keys and values. */
function fitting(bytes: number, { maxFrameBytes }: FrameLimit): number {
  return Math.min(bytes, Math.floor(maxFrameBytes / 2));
}
