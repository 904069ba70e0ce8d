/** ClusterService: tells of the node, its groups and their figures. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  ClusterService,
  ClusterServiceGetTopologyResponseSchema,
  ClusterServiceHealthResponseSchema,
  ClusterServiceLeaderResponseSchema,
  ClusterServiceNodesResponseSchema,
  ClusterServiceStatsResponseSchema,
  ClusterServiceStatusResponseSchema,
  ClusterServiceWatchStatsResponseSchema,
  ClusterState,
  type ClusterStats,
  type GroupStatusSchema,
  type GroupTopologySchema,
  type NodeSchema,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { HealthReport } from '../observe/health.ts';
import { serverStreaming, unary } from './decode.ts';
import { checkDuration } from './durations.ts';
import { ErrorReason, GomsgError } from './errors.ts';
import type { CallContext, Method, Reply } from './method.ts';

/** What the service asks about the cluster; `node.ts` answers for a node that runs alone. */
export interface ClusterView {
  readonly clusterId: string;
  readonly clustered: boolean;
  readonly epoch: number;
  /** Id of the answering node. */
  readonly self: string;
  nodes(): MessageInitShape<typeof NodeSchema>[];
  groups(): MessageInitShape<typeof GroupStatusSchema>[];
  topology(): MessageInitShape<typeof GroupTopologySchema>[];
  health(): HealthReport;
  /** Takes a sample; each sampler has rates over the time since its own last one. */
  sampler(): () => ClusterStats;
}

const INTERVAL_MS_DEFAULT = 1_000;
const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 3_600_000;

export function clusterMethods(view: ClusterView): Method[] {
  const rpc = ClusterService.method;
  const sample = view.sampler();
  return [
    unary(rpc.nodes, (_request, { reply }) =>
      answer(reply, ClusterServiceNodesResponseSchema, { nodes: view.nodes() }),
    ),

    unary(rpc.status, (_request, { reply }) =>
      answer(reply, ClusterServiceStatusResponseSchema, statusOf(view)),
    ),

    unary(rpc.leader, (_request, { reply }) => {
      const leader = view.nodes().find((node) => node.leader);
      if (leader === undefined) {
        throw new GomsgError({
          reason: ErrorReason.NO_QUORUM,
          message: 'no node leads the cluster just now',
        });
      }
      answer(reply, ClusterServiceLeaderResponseSchema, { node: leader });
    }),

    unary(rpc.health, ({ nodeId }, { reply }) => {
      const node = knownNode(view, nodeId === '' ? view.self : nodeId);
      const { ready, checks } = view.health();
      answer(reply, ClusterServiceHealthResponseSchema, {
        healthy: ready,
        node,
        checks: checks.map(({ name, ok, detail }) => ({ name, ok, detail })),
      });
    }),

    unary(rpc.join, ({ nodeId }) => {
      throw notClustered('join', nodeId);
    }),

    unary(rpc.leave, ({ nodeId }) => {
      knownNode(view, nodeId);
      throw notClustered('leave', nodeId);
    }),

    unary(rpc.stats, (_request, { reply }) =>
      answer(reply, ClusterServiceStatsResponseSchema, { stats: sample() }),
    ),

    unary(rpc.getTopology, (_request, { reply }) =>
      answer(reply, ClusterServiceGetTopologyResponseSchema, {
        epoch: BigInt(view.epoch),
        groups: view.topology(),
        nodes: view.nodes(),
      }),
    ),

    serverStreaming(rpc.watchStats, ({ interval }, context) => {
      const bounds = { min_ms: INTERVAL_MS_MIN, max_ms: INTERVAL_MS_MAX };
      const interval_ms = checkDuration(interval, 'interval', bounds) ?? INTERVAL_MS_DEFAULT;
      return samples(view, interval_ms, context);
    }),
  ];
}

function answer<D extends DescMessage>(reply: Reply, schema: D, response: MessageInitShape<D>): void {
  reply.ok(toBinary(schema, create(schema, response)));
}

function knownNode(view: ClusterView, nodeId: string): MessageInitShape<typeof NodeSchema> {
  const node = view.nodes().find((candidate) => candidate.nodeId === nodeId);
  if (node !== undefined) return node;
  throw new GomsgError({
    reason: ErrorReason.NODE_NOT_FOUND,
    message: `the cluster has no node ${JSON.stringify(nodeId)}; it has ${view
      .nodes()
      .map((candidate) => candidate.nodeId)
      .join(', ')}`,
    subject: nodeId,
  });
}

function notClustered(call: string, nodeId: string): GomsgError {
  return new GomsgError({
    reason: ErrorReason.NOT_CLUSTERED,
    message: `this node runs alone: ${call} needs a cluster`,
    subject: nodeId,
  });
}

function statusOf(view: ClusterView): MessageInitShape<typeof ClusterServiceStatusResponseSchema> {
  const nodes = view.nodes();
  const groups = view.groups();
  const { ready, reasons } = view.health();
  const leaderless = groups.some((group) => !group.leaderNodeId);
  return {
    state: leaderless ? ClusterState.UNAVAILABLE : ready ? ClusterState.HEALTHY : ClusterState.DEGRADED,
    clusterId: view.clusterId,
    clustered: view.clustered,
    topologyEpoch: BigInt(view.epoch),
    groups,
    problems: [...reasons],
    nodesUp: nodes.length,
    nodesTotal: nodes.length,
  };
}

/** One sample at once, then one an interval; a reader that is slow gets fewer, never a backlog. */
async function* samples(
  view: ClusterView,
  interval_ms: number,
  context: CallContext,
): AsyncGenerator<Uint8Array> {
  const sample = view.sampler();
  while (true) {
    yield toBinary(
      ClusterServiceWatchStatsResponseSchema,
      create(ClusterServiceWatchStatsResponseSchema, { stats: sample() }),
    );
    await pause(interval_ms, context.signal);
    if (context.signal.aborted) {
      if (context.signal.reason instanceof GomsgError) throw context.signal.reason;
      return;
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
