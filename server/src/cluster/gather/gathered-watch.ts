/**
 * Watch of a prefix: the streams of all nodes that lead a group with such keys, as one. Events of a key come in order,
 * since a key is in one group. Every message has the positions of all groups, so that whoever opens the watch again at
 * any node misses nothing and gets nothing twice.
 *
 * A watch that has begun ends with the first leadership that moves: its caller opens a new one.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { KVService, type KVServiceWatchRequest } from '../../gen/gomsg/v1/kv_pb.js';
import { GomsgError } from '../../services/errors.ts';
import { type GroupRouter, NO_GROUP_KNOWN } from '../../services/groups.ts';
import { encodeWatch } from '../../services/kv/encode.ts';
import { groupsOfPrefix } from '../../services/kv/groups-of-keys.ts';
import { decodeResumeToken, encodeResumeToken } from '../../services/kv/resume-token.ts';
import type { CallContext, ServerStreamingMethod } from '../../services/method.ts';
import { movedOn, streamFromLeader, timeLeft } from '../forwarding.ts';
import { LeaderSearch } from '../leader-search.ts';
import { contentOf, fieldsOf } from './fields.ts';
import { byNode, isPassing, type Nodes } from './gather.ts';
import type { GatherDeps } from './gathered-unary.ts';
import { MergedStreams } from './merged-streams.ts';
import { partContext, partHeaders } from './part.ts';

const EVENTS_FIELD = 2;
const TOKEN_FIELD = 4;

/** @param service watches groups that this node leads */
export function gatheredWatch(service: ServerStreamingMethod, deps: GatherDeps): ServerStreamingMethod {
  return {
    ...service,
    handle(request, context) {
      const groups = groupsOf(request, deps.router);
      if (groups === undefined) return service.handle(request, context);
      if (groups.length === 0) throw new GomsgError(NO_GROUP_KNOWN);
      const [only] = groups;
      return groups.length === 1
        ? streamFromLeader(service, request, context, only!, deps.leadership, deps.links)
        : mergedWatch(service, request, context, groups, deps);
    },
  };
}

/** Undefined for a request that the service refuses whichever node it is on. */
function groupsOf(payload: Uint8Array, router: GroupRouter): number[] | undefined {
  let request: KVServiceWatchRequest;
  try {
    request = fromBinary(KVService.method.watch.input, payload);
  } catch {
    return undefined; // The service says what is wrong with it.
  }
  const { target, fromRevision } = request;
  if (target.case === undefined) return undefined;
  const groups =
    target.case === 'key' ? [router.groupOf(target.value)] : groupsOfPrefix(router, target.value);
  // A revision is one group's.
  if (fromRevision !== 0n && groups.length > 1) return undefined;
  return groups.map(({ id }) => id);
}

async function* mergedWatch(
  service: ServerStreamingMethod,
  request: Uint8Array,
  context: CallContext,
  groups: readonly number[],
  nodes: Nodes,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { leadership } = nodes;
  const search = new LeaderSearch(leadership, context, true);
  for (;;) {
    const parts = byNode(groups, leadership, false);
    const leaderless = parts.get(undefined)?.[0];
    let refusal: GomsgError;
    if (leaderless !== undefined) refusal = new GomsgError(leadership.noLeader(leaderless));
    else {
      const positions = new Map<number, number>();
      const moved = new AbortController();
      const stopListening = endWhenMoved(parts, nodes, moved);
      const signal = AbortSignal.any([context.signal, moved.signal]);
      const streams = new MergedStreams(
        [...parts].map(
          ([node, part]) =>
            () =>
              open(service, request, context, node!, part, nodes, signal),
        ),
        signal,
      );
      let begun = false;
      try {
        // Each begins with the message that says that it is in place.
        const first = await streams.firstOfEach();
        if (first === undefined) return;
        for (const message of first) follow(message, positions);
        begun = true;
        yield watchMessage([], positions, true);
        for await (const message of streams) yield watchMessage(follow(message, positions), positions, false);
        return;
      } catch (error) {
        if (begun || !(error instanceof GomsgError) || !isPassing(error)) throw error;
        refusal = error;
      } finally {
        stopListening();
        streams.end();
      }
    }
    await new Promise<void>((resolve, reject) => {
      if (!search.again(leaderless ?? groups[0]!, resolve)) reject(refusal);
    });
  }
}

/** The stream of the groups that one node leads. */
function open(
  service: ServerStreamingMethod,
  payload: Uint8Array,
  context: CallContext,
  node: number,
  groups: readonly number[],
  { leadership, links }: Nodes,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  if (node === leadership.self) return service.handle(payload, partContext(context, groups, signal));
  const headers = partHeaders(groups);
  return links.stream(node, { method: service.number, payload, timeout_ms: timeLeft(context), headers });
}

/** Aborts with NOT_LEADER when another node comes to lead one of the groups. Returns what ends that. */
function endWhenMoved(
  parts: ReadonlyMap<number | undefined, readonly number[]>,
  { leadership }: Nodes,
  moved: AbortController,
): () => void {
  const stops: (() => void)[] = [];
  for (const [node, groups] of parts) {
    for (const group of groups) {
      const look = (): void => {
        if (leadership.leaderOf(group) !== node) moved.abort(new GomsgError(movedOn(group)));
      };
      stops.push(leadership.onLeaderChange(group, look));
    }
  }
  return () => {
    for (const stop of stops) stop();
  };
}

/** Takes note of how far a message brings the groups it is about; returns its events as they are. */
function follow(message: Uint8Array, positions: Map<number, number>): Uint8Array[] {
  const fields = fieldsOf(message);
  for (const [group, revision] of decodeResumeToken(contentOf(fields, TOKEN_FIELD))) {
    positions.set(group, revision);
  }
  return fields.filter(({ number }) => number === EVENTS_FIELD).map(({ bytes }) => bytes);
}

function watchMessage(
  events: readonly Uint8Array[],
  positions: ReadonlyMap<number, number>,
  subscribed: boolean,
): Uint8Array {
  return encodeWatch({ subscribed, events, revision: 0, resumeToken: encodeResumeToken(positions) });
}
