/** What ClusterService and StreamService are told on a node that runs alone: a cluster of one. */
import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ClusterStats,
  ClusterStatsSchema,
  type GroupStatusSchema,
  type GroupTopologySchema,
  type NodeSchema,
  NodeState,
  type NodeStatsSchema,
} from '../gen/gomsg/v1/cluster_pb.js';
import type { GroupHost } from '../groups/host.ts';
import type { Health, HealthReport } from '../observe/health.ts';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import type { ClusterView } from '../services/cluster-service.ts';
import type { StreamNodes } from '../services/stream-service.ts';
import { msToDuration, msToTimestamp } from '../state/durations.ts';
import type { Identity } from './identity.ts';
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

/** What rates are counted from. */
interface Mark {
  readonly at_ms: number;
  readonly calls: number;
  readonly syncs: ReturnType<NodeMetrics['wal']['syncSeconds']['snapshot']>;
}

export class LoneNode implements ClusterView, StreamNodes {
  readonly clustered = false;
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

  isAlive(_nodeId: string): boolean {
    return false; // there is no other
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

  sampler(): () => ClusterStats {
    let mark = this.#mark();
    return () => {
      const since = mark;
      mark = this.#mark();
      const figures = this.#figures(since, mark);
      return create(ClusterStatsSchema, {
        takenAt: msToTimestamp(this.#parts.clock()),
        total: figures,
        nodes: [{ ...figures, nodeId: this.self }],
      });
    };
  }

  #mark(): Mark {
    const { metrics } = this.#parts;
    return {
      at_ms: performance.now(),
      calls: metrics.rpc.handledTotal,
      syncs: metrics.wal.syncSeconds.snapshot(),
    };
  }

  #figures(since: Mark, mark: Mark): MessageInitShape<typeof NodeStatsSchema> {
    const { host, metrics, clock, startedAt_ms } = this.#parts;
    const { rpc, wal, transport } = metrics;
    const elapsed_s = (mark.at_ms - since.at_ms) / 1000;
    const { user, system } = process.cpuUsage();
    const totals = host.groups.map(({ state }) => ({
      keys: state.kv.keys,
      queues: state.queue.totals(),
      topics: state.stream.totals(),
    }));
    const sum = (read: (of: (typeof totals)[number]) => number) =>
      BigInt(totals.reduce((total, of) => total + read(of), 0));
    const disk = this.#disk();
    return {
      keys: sum(({ keys }) => keys),
      queues: sum(({ queues }) => queues.queues),
      queueMessages: sum(({ queues }) => queues.messages),
      topics: sum(({ topics }) => topics.topics),
      streamMessages: sum(({ topics }) => topics.messages),
      callsTotal: BigInt(mark.calls),
      errorsTotal: BigInt(rpc.failedTotal),
      callsPerSecond: elapsed_s > 0 ? (mark.calls - since.calls) / elapsed_s : 0,
      logEntriesTotal: BigInt(wal.entries.value),
      logBytesTotal: BigInt(wal.bytes.value),
      logSyncsTotal: BigInt(wal.syncSeconds.count),
      ...quantiles(metrics, since),
      diskBytes: BigInt(disk.used),
      diskFreeBytes: BigInt(disk.free),
      memoryBytes: BigInt(process.memoryUsage.rss()),
      cpuTime: msToDuration(Math.round((user + system) / 1000)),
      connections: transport.connections.value,
      subscriptions: transport.subscriptions.value,
      inFlightBytes: BigInt(transport.inFlightBytes.value),
      uptime: msToDuration(clock() - startedAt_ms),
    };
  }

  #disk(): { readonly used: number; readonly free: number } {
    const { dataDir } = this.#parts;
    if (dataDir === undefined) return { used: 0, free: 0 };
    const { bavail, bsize } = statfsSync(dataDir);
    return { used: folderBytes(dataDir), free: bavail * bsize };
  }
}

function quantiles(metrics: NodeMetrics, since: Mark): MessageInitShape<typeof NodeStatsSchema> {
  const { syncSeconds } = metrics.wal;
  const at = (quantile: number): number => syncSeconds.quantile(quantile, since.syncs) * 1000;
  // Not a number when there was no sync.
  if (Number.isNaN(at(0.5))) return {};
  return { logSyncP50: msToDuration(at(0.5)), logSyncP99: msToDuration(at(0.99)) };
}

/** Bytes that the files of a data folder occupy: it has a handful of them, in two levels. */
function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += folderBytes(path);
    // Blocks, not length: the database file has holes, and segments are reserved ahead.
    else bytes += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }
  return bytes;
}
