/** The figures of this node, as ClusterService tells them. */
import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import type { NodeStatsSchema } from '../gen/gomsg/v1/cluster_pb.js';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import { durationToMs, msToDuration } from '../state/durations.ts';
import type { GroupState } from '../state/group-state.ts';

export type NodeFigures = MessageInitShape<typeof NodeStatsSchema>;

export interface FigureSources {
  readonly metrics: NodeMetrics;
  /** States of the groups whose contents are counted. */
  readonly states: () => readonly GroupState[];
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

/** Takes a sample; its rates are over the time since its own last one. */
export type FigureSampler = () => NodeFigures;

export function figureSampler(sources: FigureSources): FigureSampler {
  let mark = markOf(sources);
  return () => {
    const since = mark;
    mark = markOf(sources);
    return figures(sources, since, mark);
  };
}

function markOf({ metrics }: FigureSources): Mark {
  return {
    at_ms: performance.now(),
    calls: metrics.rpc.handledTotal,
    syncs: metrics.wal.syncSeconds.snapshot(),
  };
}

function figures(sources: FigureSources, since: Mark, mark: Mark): NodeFigures {
  const { metrics, clock, startedAt_ms } = sources;
  const { rpc, wal, transport } = metrics;
  const elapsed_s = (mark.at_ms - since.at_ms) / 1000;
  const { user, system } = process.cpuUsage();
  const totals = sources.states().map(({ kv, queue, stream }) => ({
    keys: kv.keys,
    queues: queue.totals(),
    topics: stream.totals(),
  }));
  const sum = (read: (of: (typeof totals)[number]) => number) =>
    BigInt(totals.reduce((total, of) => total + read(of), 0));
  const disk = diskOf(sources);
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

/** Counts, rates and processor time of all nodes together; percentiles and uptimes of single nodes do not add up. */
export function sumOf(nodes: readonly NodeFigures[]): NodeFigures {
  const count = (read: (figures: NodeFigures) => bigint | undefined): bigint =>
    nodes.reduce((sum, figures) => sum + (read(figures) ?? 0n), 0n);
  const number = (read: (figures: NodeFigures) => number | undefined): number =>
    nodes.reduce((sum, figures) => sum + (read(figures) ?? 0), 0);
  return {
    keys: count(({ keys }) => keys),
    queues: count(({ queues }) => queues),
    queueMessages: count(({ queueMessages }) => queueMessages),
    topics: count(({ topics }) => topics),
    streamMessages: count(({ streamMessages }) => streamMessages),
    callsTotal: count(({ callsTotal }) => callsTotal),
    errorsTotal: count(({ errorsTotal }) => errorsTotal),
    callsPerSecond: number(({ callsPerSecond }) => callsPerSecond),
    logEntriesTotal: count(({ logEntriesTotal }) => logEntriesTotal),
    logBytesTotal: count(({ logBytesTotal }) => logBytesTotal),
    logSyncsTotal: count(({ logSyncsTotal }) => logSyncsTotal),
    diskBytes: count(({ diskBytes }) => diskBytes),
    diskFreeBytes: count(({ diskFreeBytes }) => diskFreeBytes),
    memoryBytes: count(({ memoryBytes }) => memoryBytes),
    cpuTime: msToDuration(
      number(({ cpuTime }) => (cpuTime ? durationToMs(create(DurationSchema, cpuTime)) : 0)),
    ),
    connections: number(({ connections }) => connections),
    subscriptions: number(({ subscriptions }) => subscriptions),
    inFlightBytes: count(({ inFlightBytes }) => inFlightBytes),
  };
}

function diskOf({ dataDir }: FigureSources): { readonly used: number; readonly free: number } {
  if (dataDir === undefined) return { used: 0, free: 0 };
  const { bavail, bsize } = statfsSync(dataDir);
  return { used: folderBytes(dataDir), free: bavail * bsize };
}

function quantiles(metrics: NodeMetrics, since: Mark): NodeFigures {
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
