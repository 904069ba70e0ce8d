/** What ClusterService and StreamService are told on a node that runs alone: a cluster of one. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ClusterStats,
  ClusterStatsSchema,
  type GroupStatusSchema,
  type GroupTopologySchema,
  type NodeSchema,
  NodeState,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { GroupHost } from '../groups/host.ts';
import type { Health, HealthReport } from '../observe/health.ts';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { ClusterView } from '../services/cluster-service.ts';
import type { StreamNodes } from '../services/stream-service.ts';
import { msToTimestamp } from '../state/durations.ts';
import type { Identity } from './identity.ts';
import { figureSampler } from './node-figures.ts';
import type { SlotRouter } from './slot-map.ts';

export interface LoneNodeParts {
  readonly identity: Identity;
  /** `host:port` under which clients reach the node; known once the port is open. */
  readonly address: () => string;
  readonly version: string;
  readonly hostLabel: string | undefined;
  readonly host: GroupHost;
  readonly router: SlotRouter;
  readonly health: Health;
  readonly metrics: NodeMetrics;
  /** Undefined with storage in memory. */
  readonly dataDir: string | undefined;
  readonly startedAt_ms: number;
  readonly clock: () => number;
}

export class LoneNode implements ClusterView, StreamNodes {
  readonly clustered = false;
  readonly admin = undefined;
  readonly #parts: LoneNodeParts;

  constructor(parts: LoneNodeParts) {
    this.#parts = parts;
  }

  get clusterId(): string {
    return this.#parts.identity.clusterId;
  }

  get epoch(): number {
    return this.#parts.router.epoch;
  }

  get self(): string {
    return this.#parts.identity.nodeId;
  }

  leaderOf(_group: number): string {
    return this.self;
  }

  nodes(): MessageInitShape<typeof NodeSchema>[] {
    const { host, address, version, hostLabel, startedAt_ms, health } = this.#parts;
    return [
      {
        nodeId: this.self,
        address: address(),
        state: health.report().state === 'draining' ? NodeState.DRAINING : NodeState.UP,
        leader: true,
        version,
        hostLabel: hostLabel ?? '',
        startedAt: msToTimestamp(startedAt_ms),
        replicas: host.groups.length,
        leaders: host.groups.filter((group) => group.isLeader).length,
      },
    ];
  }

  groups(): MessageInitShape<typeof GroupStatusSchema>[] {
    const { host, router } = this.#parts;
    return host.groups.map((group, position) => {
      const { term, commit } = group.status();
      const { first, last } = router.ranges[position]!;
      return {
        group: group.id,
        leaderNodeId: group.isLeader ? this.self : '',
        term: BigInt(term),
        commitIndex: BigInt(commit),
        appliedIndex: BigInt(group.state.appliedIndex),
        flushedIndex: BigInt(host.flushedIndex(group.id)),
        voterNodeIds: [this.self],
        slots: last - first + 1,
        bytes: BigInt(group.state.dataBytes()),
      };
    });
  }

  topology(): MessageInitShape<typeof GroupTopologySchema>[] {
    const { host, router } = this.#parts;
    return host.groups.map((group, position) => ({
      group: group.id,
      slots: [router.ranges[position]!],
      leaderNodeId: this.self,
      replicaNodeIds: [this.self],
    }));
  }

  health(): HealthReport {
    return this.#parts.health.report();
  }

  problems(): readonly string[] {
    const { ready, reasons } = this.health();
    return ready ? [] : reasons;
  }

  warnings(): readonly string[] {
    return [];
  }

  moves(): [] {
    return [];
  }

  sampler(): () => ClusterStats {
    const { host, metrics, dataDir, startedAt_ms, clock } = this.#parts;
    const states = () => host.groups.map(({ state }) => state);
    const sample = figureSampler({ metrics, states, dataDir, startedAt_ms, clock });
    return () => {
      const figures = sample();
      return create(ClusterStatsSchema, {
        takenAt: msToTimestamp(clock()),
        total: figures,
        nodes: [{ ...figures, nodeId: this.self }],
      });
    };
  }
}
