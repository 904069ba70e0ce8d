/** The nodes of the cluster, and who comes and goes. */
import {
  ClusterService,
  ClusterServiceHealthResponseSchema,
  type HealthCheck,
  type Node,
  NodeSchema,
  NodeState,
} from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { address } from '../../arguments/kinds.ts';
import { type AnyCommand, argument, command, flag, optionalArgument } from '../../arguments/spec.ts';
import type { CommandContext } from '../../context.ts';
import { ExitCode } from '../../exit-codes.ts';
import { humanEnum, humanTime } from '../../output/human.ts';
import { messageToJson } from '../../output/json.ts';
import { table } from '../../output/table.ts';

const { method } = ClusterService;

const DEFAULT_PORT = 9000;

const nodeColumns = [
  { title: 'NODE', cell: (node: Node) => node.nodeId },
  { title: 'ADDRESS', cell: (node: Node) => node.address },
  { title: 'STATE', cell: (node: Node) => humanEnum(NodeState, node.state) },
  { title: 'ROLE', cell: (node: Node) => (node.leader ? 'leader' : '') },
  { title: 'REPLICAS', align: 'right', cell: (node: Node) => String(node.replicas) },
  { title: 'MOVING', cell: describeMoves },
  { title: 'LEADS', align: 'right', cell: (node: Node) => String(node.leaders) },
  { title: 'LABEL', cell: (node: Node) => node.hostLabel },
  { title: 'VERSION', cell: (node: Node) => node.version },
  { title: 'STARTED', cell: (node: Node) => humanTime(node.startedAt) },
] as const;

/** Replicas on their way to a node, and from it. */
export function describeMoves({ replicasArriving, replicasDeparting }: Node): string {
  const arriving = replicasArriving > 0 ? [`+${replicasArriving}`] : [];
  const departing = replicasDeparting > 0 ? [`-${replicasDeparting}`] : [];
  return [...arriving, ...departing].join(' ');
}

/** One line for one node in JSON, as for lists. */
async function showNodes({ output }: CommandContext, nodes: readonly Node[]): Promise<void> {
  if (output.isJson) await output.jsonLines(nodes.map((node) => messageToJson(NodeSchema, node)));
  else await output.table(table(nodeColumns, nodes));
}

export const nodes = command({
  name: 'nodes',
  aliases: ['ls', 'list'],
  summary: 'List the nodes.',
  rpcs: [method.nodes],
  specs: {},
  async run(context) {
    const { nodes } = await context.client.cluster.nodes({}, context.call());
    await showNodes(context, nodes);
    return ExitCode.done;
  },
});

export const leader = command({
  name: 'leader',
  summary: 'Show the node that leads the cluster.',
  rpcs: [method.leader],
  specs: {},
  async run(context) {
    const { node } = await context.client.cluster.leader({}, context.call());
    await showNodes(context, node === undefined ? [] : [node]);
    return ExitCode.done;
  },
});

export const health = command({
  name: 'health',
  summary: 'Check one node, also by the exit code: 0 or 1.',
  rpcs: [method.health],
  specs: { nodeId: optionalArgument('id of the node; the one that answers unless given') },
  async run(context, { nodeId = '' }) {
    const answer = await context.client.cluster.health({ nodeId }, context.call());
    await context.output.answer(ClusterServiceHealthResponseSchema, answer, () => [
      `${answer.node?.nodeId ?? nodeId} is ${answer.healthy ? 'healthy' : 'not healthy'}`,
      ...(answer.checks.length === 0 ? [] : table(checkColumns, answer.checks)),
    ]);
    return answer.healthy ? ExitCode.done : ExitCode.no;
  },
});

const checkColumns = [
  { title: 'CHECK', cell: (check: HealthCheck) => check.name },
  { title: 'RESULT', cell: (check: HealthCheck) => (check.ok ? 'ok' : 'FAILED') },
  { title: 'DETAIL', cell: (check: HealthCheck) => check.detail },
] as const;

export const join = command({
  name: 'join',
  summary: 'Add a node.',
  rpcs: [method.join],
  specs: {
    nodeId: argument('id of the new node'),
    address: argument('where it is reached', address(DEFAULT_PORT)),
  },
  async run(context, { nodeId, address }) {
    const { node } = await context.client.cluster.join({ nodeId, address }, context.call());
    await showNodes(context, node === undefined ? [] : [node]);
    return ExitCode.done;
  },
});

export const leave = command({
  name: 'leave',
  summary: 'Remove a node, after its data was moved to the others.',
  description:
    'Answers once the node is known to leave; "gomsg cluster status" shows how far its data is. The node ends by itself when it has nothing left, and its id is never used again. A node that is down can leave too.',
  rpcs: [method.leave],
  specs: {
    nodeId: argument('id of the node'),
    fewerReplicas: flag('also when groups have fewer replicas then, or have to wait for nodes that are down'),
  },
  async run(context, { nodeId, fewerReplicas }) {
    const { node } = await context.client.cluster.leave({ nodeId, fewerReplicas }, context.call());
    await showNodes(context, node === undefined ? [] : [node]);
    return ExitCode.done;
  },
});

export const memberCommands: readonly AnyCommand[] = [nodes, leader, health, join, leave];
