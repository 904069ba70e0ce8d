/** ClusterService: tells of the node, its groups and their figures. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  ClusterService,
  ClusterServiceGetTopologyResponseSchema,
  ClusterServiceHealthResponseSchema,
  ClusterServiceJoinResponseSchema,
  ClusterServiceLeaderResponseSchema,
  ClusterServiceLeaveResponseSchema,
  ClusterServiceNodesResponseSchema,
  ClusterServiceStatsResponseSchema,
  ClusterServiceStatusResponseSchema,
  ClusterServiceWatchStatsResponseSchema,
  ClusterState,
  type ClusterStats,
  type GroupMoveSchema,
  type GroupStatusSchema,
  type GroupTopologySchema,
  type NodeSchema,
  NodeState,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { HealthReport } from '../observe/health.ts';
import { invalidRequest, serverStreaming, toFailure, type UnaryCall, unary } from './decode.ts';
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
  /** What is wrong with the cluster, one sentence each; empty when nothing is. */
  problems(): readonly string[];
  /** What is not wrong and yet worth knowing, one sentence each. */
  warnings(): readonly string[];
  /** Groups whose replicas are on the move. */
  moves(): MessageInitShape<typeof GroupMoveSchema>[];
  /** Who changes the membership; undefined on a node that runs alone. */
  readonly admin: ClusterAdmin | undefined;
  /** Takes a sample; each sampler has rates over the time since its own last one. */
  sampler(): () => ClusterStats;
}

/** Changes of the membership, and calls that only a certain node can answer. */
export interface ClusterAdmin {
  /** Takes in the node that waits at the address. Rejects with `GomsgError`. */
  join(nodeId: string, address: string): Promise<void>;
  /**
   * Begins to move the data of a node to the others; the node is gone once that is done. Rejects with `GomsgError`.
   * @param fewerReplicas also where groups have fewer replicas then, or the move has to wait for nodes that are down
   */
  leave(nodeId: string, fewerReplicas: boolean): Promise<void>;
  /** Lets another node answer a call about itself. */
  ask(nodeId: string, call: UnaryCall): void;
}

/** Of a call of Join by which a member invites a node, which is not to invite anybody in its turn. */
export const INVITATION_HEADER = 'gomsg-invitation';

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

    unary(rpc.health, ({ nodeId }, call) => {
      const node = knownNode(view, nodeId === '' ? view.self : nodeId);
      if (node.nodeId !== view.self && node.state === NodeState.DOWN) {
        const silent = { name: 'answers', ok: false, detail: `${view.self} hears nothing of it` };
        answer(call.reply, ClusterServiceHealthResponseSchema, { healthy: false, node, checks: [silent] });
        return;
      }
      if (node.nodeId !== view.self && view.admin !== undefined) {
        view.admin.ask(node.nodeId ?? '', call);
        return;
      }
      const { ready, checks } = view.health();
      answer(call.reply, ClusterServiceHealthResponseSchema, {
        healthy: ready,
        node,
        checks: checks.map(({ name, ok, detail }) => ({ name, ok, detail })),
      });
    }),

    unary(rpc.join, ({ nodeId, address }, { reply, context }) => {
      const { admin } = view;
      if (admin === undefined) throw notClustered('join', nodeId);
      if (context.header(INVITATION_HEADER) !== undefined) throw alreadyMember(view);
      checkNodeId(nodeId);
      if (address === '') throw invalidRequest('address', 'address: say where the node waits, as host:port');
      // It was asked to join, and does so by itself: the cluster may not know it yet.
      const joining = { nodeId, address, state: NodeState.JOINING };
      admin.join(nodeId, address).then(
        () => answer(reply, ClusterServiceJoinResponseSchema, { node: nodeNamed(view, nodeId) ?? joining }),
        (error: unknown) => reply.fail(toFailure(error)),
      );
    }),

    unary(rpc.leave, ({ nodeId, fewerReplicas }, { reply }) => {
      const node = knownNode(view, nodeId);
      const { admin } = view;
      if (admin === undefined) throw notClustered('leave', nodeId);
      admin.leave(nodeId, fewerReplicas).then(
        () =>
          answer(reply, ClusterServiceLeaveResponseSchema, { node: { ...node, state: NodeState.LEAVING } }),
        (error: unknown) => reply.fail(toFailure(error)),
      );
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

function nodeNamed(view: ClusterView, nodeId: string): MessageInitShape<typeof NodeSchema> | undefined {
  return view.nodes().find((candidate) => candidate.nodeId === nodeId);
}

function knownNode(view: ClusterView, nodeId: string): MessageInitShape<typeof NodeSchema> {
  const node = nodeNamed(view, nodeId);
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

function checkNodeId(nodeId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(nodeId)) return;
  throw new GomsgError({
    reason: ErrorReason.INVALID_NAME,
    message:
      'a node id has 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit',
    subject: nodeId,
  });
}

function alreadyMember({ self, clusterId }: ClusterView): GomsgError {
  return new GomsgError({
    reason: ErrorReason.ALREADY_EXISTS,
    message: `node ${self} of cluster ${clusterId} is there, and two clusters are never merged`,
    subject: self,
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
  const problems = view.problems();
  const leaderless = groups.some((group) => !group.leaderNodeId);
  const whole = problems.length === 0 ? ClusterState.HEALTHY : ClusterState.DEGRADED;
  return {
    state: leaderless ? ClusterState.UNAVAILABLE : whole,
    clusterId: view.clusterId,
    clustered: view.clustered,
    topologyEpoch: BigInt(view.epoch),
    groups,
    problems: [...problems],
    moves: view.moves(),
    warnings: [...view.warnings()],
    nodesUp: nodes.filter(({ state }) => state !== NodeState.DOWN).length,
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
