/** What the runs with a cluster found, as text. */
import type { Environment } from '../load/environment.ts';
import type { BenchOptions } from '../load/options.ts';
import { header } from '../load/report.ts';
import type { RowResult } from '../load/run-row.ts';
import { megabytes } from '../load/targets.ts';
import type { IdleNode } from './idle.ts';
import type { Kill } from './kill-each.ts';
import type { ClusterRowResult } from './nodes-bench.ts';

export function clusterHeader(
  machine: Environment,
  { nodes, groups, fsync, seconds }: BenchOptions,
  what: 'bundle' | 'source' | undefined,
): string {
  return [
    header(machine, { what: what ?? 'bundle', fsync, seconds }),
    `cluster   ${nodes} nodes, ${groups} groups of up to 3 replicas, beside the single node; load and all nodes share`,
    `          the ${machine.cores} cores above and one disk, so operations a second say little about nodes with machines`,
    '          of their own: CPU for each operation, of all nodes together, is the figure that counts',
  ].join('\n');
}

const TITLE_WIDTH = 44;
const CELL_WIDTH = 12;

/** The single node on the left, the cluster on the right of each pair. */
const PAIRS: readonly { readonly title: string; readonly cell: (row: RowResult) => string }[] = [
  { title: 'ops/s', cell: ({ perSecond }) => Math.round(perSecond).toLocaleString('en') },
  { title: 'p50 ms', cell: ({ p50_ms }) => p50_ms.toFixed(2) },
  { title: 'p99 ms', cell: ({ p99_ms }) => p99_ms.toFixed(2) },
  { title: 'CPU µs/op', cell: ({ serverCpu_us }) => serverCpu_us?.toFixed(2) ?? '–' },
];

export function clusterHead(nodes: number): string {
  const titles = PAIRS.flatMap(({ title }) => [title, `of ${nodes}`]);
  return [
    'row'.padEnd(TITLE_WIDTH),
    ...[...titles, 'ops ratio', 'CPU ratio'].map((title) => title.padStart(CELL_WIDTH)),
  ].join('');
}

export function clusterRow({ title, single, cluster }: ClusterRowResult): string {
  const cells = PAIRS.flatMap(({ cell }) => [cell(single), cell(cluster)]);
  return [
    title.padEnd(TITLE_WIDTH),
    ...[...cells, ...ratios(single, cluster)].map((cell) => cell.padStart(CELL_WIDTH)),
  ].join('');
}

function ratios(single: RowResult, cluster: RowResult): string[] {
  const ops = cluster.perSecond / single.perSecond;
  const cpu =
    single.serverCpu_us === undefined || cluster.serverCpu_us === undefined
      ? undefined
      : cluster.serverCpu_us / single.serverCpu_us;
  return [ops.toFixed(2), cpu?.toFixed(2) ?? '–'];
}

/** How long writes may stand still when a node dies. */
export const FAILOVER_MAX_MS = 2_000;

export function killLines(kills: readonly Kill[]): string {
  const lines = kills.map(({ nodeId, leaders, silent_ms, failures }) => {
    const sorted = silent_ms.toSorted((a, b) => a - b);
    const [median, longest] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    const figures =
      median === undefined || longest === undefined
        ? 'led the key of no lane'
        : `median ${median.toFixed(0)} ms, longest ${longest.toFixed(0)} ms, ≤ ${FAILOVER_MAX_MS} ms ${longest <= FAILOVER_MAX_MS ? 'hit' : 'MISS'}`;
    return `${nodeId.padEnd(10)}${`led ${leaders} groups, ${sorted.length} lanes`.padEnd(28)}${figures}; ${failures} calls failed`;
  });
  return [
    'killed under load: longest time without an answer, of lanes that increment keys which the node led',
    ...lines,
  ].join('\n');
}

export function idleLines(nodes: readonly IdleNode[], groups: number, seconds: number): string {
  const lines = nodes.map(({ nodeId, cpuShare, memory, replicas, leaders }) => {
    const cpu = cpuShare === undefined ? 'unknown' : `${(cpuShare * 100).toFixed(1)} % of a core`;
    const size =
      memory === undefined
        ? 'memory unknown'
        : `resident ${megabytes(memory.residentBytes)}, anonymous ${megabytes(memory.anonymousBytes)}`;
    return `${nodeId.padEnd(10)}${`${replicas} replicas, ${leaders} leaders`.padEnd(28)}${cpu}, ${size}`;
  });
  return [`idle with ${groups} groups, over ${seconds} s`, ...lines].join('\n');
}
