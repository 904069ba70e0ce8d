/** How the cluster is doing: status, topology, figures. */
import {
  ClusterService,
  ClusterServiceGetTopologyResponseSchema,
  ClusterServiceStatusResponseSchema,
  ClusterState,
  type ClusterStats,
  ClusterStatsSchema,
  type GroupMove,
  type GroupStatus,
  type GroupTopology,
  MovePhase,
  MoveReason,
  type NodeStats,
} from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { count, duration } from '../../arguments/kinds.ts';
import { type AnyCommand, command, option } from '../../arguments/spec.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanBytes, humanCount, humanDuration, humanEnum } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { facts, table } from '../../output/table.ts';
import { durationField } from '../call-fields.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const { method } = ClusterService;

export const status = command({
  name: 'status',
  summary: 'Show how the cluster is doing, and the state of each Raft group.',
  description: 'Exits 1 when some part of the data takes no writes.',
  rpcs: [method.status],
  specs: {},
  async run(context) {
    const answer = await context.client.cluster.status({}, context.call());
    await context.output.answer(ClusterServiceStatusResponseSchema, answer, () => [
      ...facts([
        ['state', humanEnum(ClusterState, answer.state)],
        ['cluster', answer.clustered ? answer.clusterId : `${answer.clusterId} (one node, alone)`],
        ['nodes up', `${answer.nodesUp} of ${answer.nodesTotal}`],
        ['topology epoch', String(answer.topologyEpoch)],
        ...answer.problems.map((problem) => ['problem', problem] as const),
        ...answer.warnings.map((warning) => ['warning', warning] as const),
      ]),
      '',
      ...table(groupColumns, answer.groups),
      ...moveLines(answer.moves),
    ]);
    return answer.state === ClusterState.UNAVAILABLE ? ExitCode.no : ExitCode.done;
  },
});

const groupColumns = [
  { title: 'GROUP', align: 'right', cell: (group: GroupStatus) => String(group.group) },
  { title: 'LEADER', cell: (group: GroupStatus) => group.leaderNodeId || '(none)' },
  { title: 'TERM', align: 'right', cell: (group: GroupStatus) => String(group.term) },
  { title: 'COMMITTED', align: 'right', cell: (group: GroupStatus) => humanCount(group.commitIndex) },
  { title: 'APPLIED', align: 'right', cell: (group: GroupStatus) => humanCount(group.appliedIndex) },
  { title: 'FLUSHED', align: 'right', cell: (group: GroupStatus) => humanCount(group.flushedIndex) },
  { title: 'SLOTS', align: 'right', cell: (group: GroupStatus) => humanCount(group.slots) },
  { title: 'WRITES/S', align: 'right', cell: (group: GroupStatus) => humanCount(group.writesPerSecond) },
  { title: 'READS/S', align: 'right', cell: (group: GroupStatus) => humanCount(group.readsPerSecond) },
  { title: 'DATA', align: 'right', cell: (group: GroupStatus) => humanBytes(group.bytes) },
  {
    title: 'VOTERS',
    cell: (group: GroupStatus) =>
      [...group.voterNodeIds, ...group.learnerNodeIds.map((node) => `${node} (learning)`)].join(' '),
  },
] as const;

/** What moves, a line for each group; nothing when nothing does. */
export function moveLines(moves: readonly GroupMove[]): string[] {
  return moves.length === 0 ? [] : ['', ...table(moveColumns, moves)];
}

const moveColumns = [
  { title: 'MOVING', align: 'right', cell: (move: GroupMove) => String(move.group) },
  { title: 'FROM', cell: (move: GroupMove) => move.fromNodeIds.join(' ') || '-' },
  { title: 'TO', cell: (move: GroupMove) => move.toNodeIds.join(' ') || '-' },
  { title: 'PHASE', cell: describePhase },
  { title: 'BECAUSE', cell: (move: GroupMove) => MOVE_REASONS[move.reason] },
] as const;

function describePhase({ phase, percent }: GroupMove): string {
  const name = humanEnum(MovePhase, phase);
  return phase === MovePhase.CATCHING_UP ? `${name} ${percent} %` : name;
}

const MOVE_REASONS: Readonly<Record<MoveReason, string>> = {
  [MoveReason.UNSPECIFIED]: '-',
  [MoveReason.REPLICATION]: 'of the number of replicas',
  [MoveReason.LEAVING]: 'a node leaves',
  [MoveReason.DOWN]: 'a node is down',
  [MoveReason.LABELS]: 'replicas share a host label',
  [MoveReason.COUNT]: 'nodes hold uneven numbers',
  [MoveReason.LOAD]: 'nodes bear uneven load',
};

export const topology = command({
  name: 'topology',
  summary: 'Show which group owns which slots, and who leads it.',
  rpcs: [method.getTopology],
  specs: {},
  async run(context) {
    const answer = await context.client.cluster.getTopology({}, context.call());
    await context.output.answer(ClusterServiceGetTopologyResponseSchema, answer, () => [
      `epoch ${answer.epoch}`,
      '',
      ...table(topologyColumns, answer.groups),
    ]);
    return ExitCode.done;
  },
});

const topologyColumns = [
  { title: 'GROUP', align: 'right', cell: (group: GroupTopology) => String(group.group) },
  { title: 'LEADER', cell: (group: GroupTopology) => group.leaderNodeId || '(none)' },
  { title: 'REPLICAS', cell: (group: GroupTopology) => group.replicaNodeIds.join(' ') },
  {
    title: 'SLOTS',
    cell: (group: GroupTopology) => group.slots.map(({ first, last }) => `${first}-${last}`).join(' '),
  },
] as const;

export const stats = command({
  name: 'stats',
  summary: 'Show figures of the cluster and of each node.',
  rpcs: [method.stats],
  specs: {},
  async run(context) {
    const { stats } = await context.client.cluster.stats({}, context.call());
    if (stats === undefined) return ExitCode.failed;
    await context.output.answer(ClusterStatsSchema, stats, () => describe(stats));
    return ExitCode.done;
  },
});

export const watchStats = command({
  name: 'watch-stats',
  summary: 'Show figures again and again, a line for each moment, until Ctrl-C.',
  rpcs: [method.watchStats],
  specs: {
    interval: option(duration, 'time between lines, 100ms to 1h; 1s unless given', { short: 'i' }),
    count: option(count, 'end after this many', { short: 'n' }),
  },
  async run(context, { interval, count = Number.POSITIVE_INFINITY }) {
    const { client, output } = context;
    const responses = client.cluster.watchStats(durationField('interval', interval), context.stream());
    let left = count;
    await untilInterrupted(context.signal, responses, async ({ stats }) => {
      if (stats?.total === undefined) return true;
      const [titles, row] = table(rateColumns, [stats.total]);
      if (output.isJson) await output.json(messageToJson(ClusterStatsSchema, stats));
      else if (left === count) await output.lines([titles!, row!]);
      else await output.line(row!);
      left -= 1;
      return left > 0;
    });
    return ExitCode.done;
  },
});

/** As wide as its title or a fixed width, whichever is more: lines come one at a time and must still align. */
function rateColumn(title: string, cell: (stats: NodeStats) => string) {
  return { title: title.padStart(10), align: 'right' as const, cell };
}

const rateColumns = [
  rateColumn('CALLS/S', ({ callsPerSecond }) => humanCount(callsPerSecond)),
  rateColumn('ERRORS', ({ errorsTotal }) => humanCount(errorsTotal)),
  rateColumn('SYNC P50', ({ logSyncP50 }) => humanSync(logSyncP50)),
  rateColumn('SYNC P99', ({ logSyncP99 }) => humanSync(logSyncP99)),
  rateColumn('MEMORY', ({ memoryBytes }) => humanBytes(memoryBytes)),
  rateColumn('DISK', ({ diskBytes }) => humanBytes(diskBytes)),
  rateColumn('CONNECTED', ({ connections }) => humanCount(connections)),
  rateColumn('IN FLIGHT', ({ inFlightBytes }) => humanBytes(inFlightBytes)),
];

/** Syncs take well under a millisecond on good disks. */
function humanSync(duration: NodeStats['logSyncP50']): string {
  if (duration === undefined) return '-';
  const ms = Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${Math.round(ms)} ms`;
}

const NODE_FACTS: readonly (readonly [name: string, cell: (stats: NodeStats) => string])[] = [
  ['keys', ({ keys }) => humanCount(keys)],
  ['queues', ({ queues }) => humanCount(queues)],
  ['queue messages', ({ queueMessages }) => humanCount(queueMessages)],
  ['topics', ({ topics }) => humanCount(topics)],
  ['stream messages', ({ streamMessages }) => humanCount(streamMessages)],
  ['calls', ({ callsTotal }) => humanCount(callsTotal)],
  ['errors', ({ errorsTotal }) => humanCount(errorsTotal)],
  ['calls/s', ({ callsPerSecond }) => humanCount(callsPerSecond)],
  ['log entries', ({ logEntriesTotal }) => humanCount(logEntriesTotal)],
  ['log written', ({ logBytesTotal }) => humanBytes(logBytesTotal)],
  ['log syncs', ({ logSyncsTotal }) => humanCount(logSyncsTotal)],
  ['log sync p50', ({ logSyncP50 }) => humanSync(logSyncP50)],
  ['log sync p99', ({ logSyncP99 }) => humanSync(logSyncP99)],
  ['disk', ({ diskBytes }) => humanBytes(diskBytes)],
  ['disk free', ({ diskFreeBytes }) => humanBytes(diskFreeBytes)],
  ['memory', ({ memoryBytes }) => humanBytes(memoryBytes)],
  ['cpu time', ({ cpuTime }) => humanDuration(cpuTime)],
  ['connections', ({ connections }) => humanCount(connections)],
  ['subscriptions', ({ subscriptions }) => humanCount(subscriptions)],
  ['in flight', ({ inFlightBytes }) => humanBytes(inFlightBytes)],
  ['uptime', ({ uptime }) => humanDuration(uptime)],
];

function isSilent({ nodeId, uptime }: NodeStats): boolean {
  return nodeId !== '' && uptime === undefined;
}

/** A figure a line, a column for each node and, with more than one, for all of them. */
function describe({ total, nodes }: ClusterStats): string[] {
  const shown = nodes.length === 1 || total === undefined ? nodes : [total, ...nodes];
  return table(
    [
      { title: '', cell: ([name]: (typeof NODE_FACTS)[number]) => name },
      ...shown.map((stats) => ({
        title: stats.nodeId === '' ? 'TOTAL' : stats.nodeId,
        align: 'right' as const,
        // A node that is down says nothing of itself.
        cell: ([, cell]: (typeof NODE_FACTS)[number]) => (isSilent(stats) ? '-' : cell(stats)),
      })),
    ],
    NODE_FACTS,
  );
}

export const stateCommands: readonly AnyCommand[] = [status, topology, stats, watchStats];
