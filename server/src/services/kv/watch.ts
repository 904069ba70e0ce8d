/** Watch: finds the groups of the watched keys and where to begin in each. */
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { utf8Key } from '../../state/keys.ts';
import { invalidRequest, serverStreaming } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import { type GroupRouter, type ServiceGroup, within } from '../groups.ts';
import type { Method } from '../method.ts';
import { checkBound, checkKey } from './check.ts';
import type { KvDeps, KvLimits } from './deps.ts';
import { groupsOfPrefix } from './groups-of-keys.ts';
import { decodeResumeToken, invalidToken } from './resume-token.ts';
import { WatchFeed, type WatchTarget } from './watch-feed.ts';
import { WatchHub } from './watch-hub.ts';
import { WatchSignal, watchMessages } from './watch-messages.ts';

export function watchMethod({ router, limits }: KvDeps): Method {
  const hubs = new WeakMap<ServiceGroup, WatchHub>();
  const hubOf = (group: ServiceGroup): WatchHub => {
    const known = hubs.get(group);
    if (known !== undefined) return known;
    const hub = new WatchHub();
    hubs.set(group, hub);
    return hub;
  };

  return serverStreaming(kv.KVService.method.watch, (request, context) => {
    const { target, groups: all } = targetOf(request, router, limits);
    const startOf = startsOf(request, all);
    const groups = within(all, context);
    const signal = new WatchSignal();
    const options = { target, keysOnly: request.keysOnly, onReady: () => signal.wake() };
    const feeds = groups.map((group) => new WatchFeed(group, hubOf(group), options));
    return endingWith(context.signal, signal, watchMessages(feeds, groups.map(startOf), signal));
  });
}

function targetOf(
  { target }: kv.KVServiceWatchRequest,
  router: GroupRouter,
  limits: KvLimits,
): { target: WatchTarget; groups: readonly ServiceGroup[] } {
  switch (target.case) {
    case 'key':
      checkKey(target.value, limits);
      return { target: { kind: 'key', name: utf8Key(target.value) }, groups: [router.groupOf(target.value)] };
    case 'prefix':
      checkBound(target.value, 'prefix', limits);
      return {
        target: { kind: 'prefix', name: utf8Key(target.value) },
        groups: groupsOfPrefix(router, target.value),
      };
    case undefined:
      throw invalidRequest('target', 'key or prefix must be given; the empty prefix watches all keys');
  }
}

/** The revision behind which a group's events are wanted; undefined = from now. */
function startsOf(
  { fromRevision, resumeToken }: kv.KVServiceWatchRequest,
  groups: readonly ServiceGroup[],
): (group: ServiceGroup) => number | undefined {
  if (resumeToken.length > 0) {
    if (fromRevision !== 0n) {
      throw invalidRequest('from_revision', 'from_revision and resume_token exclude each other');
    }
    const positions = decodeResumeToken(resumeToken);
    if (!groups.every(({ id }) => positions.has(id))) throw invalidToken();
    return ({ id }) => positions.get(id);
  }
  if (fromRevision === 0n) return () => undefined;
  if (groups.length > 1) {
    throw invalidRequest('from_revision', 'the keys are in several groups: go on from a resume_token');
  }
  if (fromRevision > Number.MAX_SAFE_INTEGER) {
    throw invalidRequest('from_revision', 'from_revision is beyond every revision');
  }
  const after = Number(fromRevision) - 1;
  return () => after;
}

/**
 * Ends the messages at once when the caller goes away: a generator's own `return` would wait for the step that it is
 * in, which may wait for an event that never comes.
 */
function endingWith(
  aborted: AbortSignal,
  signal: WatchSignal,
  messages: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncIterableIterator<Uint8Array, void, undefined> {
  const end = () => signal.end();
  aborted.addEventListener('abort', end, { once: true });
  if (aborted.aborted) end();
  return {
    async next() {
      const result = await messages.next();
      if (!result.done) return result;
      aborted.removeEventListener('abort', end);
      if (aborted.aborted && aborted.reason instanceof GomsgError) throw aborted.reason;
      return result;
    },
    return() {
      aborted.removeEventListener('abort', end);
      end();
      return messages.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
