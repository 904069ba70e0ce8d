// The cluster: its nodes, their health, and where a key lives. A node that runs alone is a cluster of one.
import { connect, FailedPreconditionError } from '@gomsg/client';

// Several addresses, with commas between them, are nodes of one cluster: any of them is a way in.
const client = connect(process.argv[2] ?? process.env.GOMSG_SERVER ?? 'localhost:9000');

const status = await client.cluster.status();
console.log('state:', status.state);
console.log('nodes up:', status.nodesUp, 'of', status.nodesTotal);

const nodes = await client.cluster.nodes();
const leader = await client.cluster.leader();
console.log(
  'leader is among the nodes:',
  nodes.some((node) => node.nodeId === leader.nodeId),
);

for (const node of nodes) {
  const health = await client.cluster.health(node.nodeId);
  console.log('healthy:', health.healthy);
}

const topology = await client.cluster.topology();
const slots = topology.groups.flatMap((group) => group.slots);
const owned = slots.reduce((sum, { first, last }) => sum + last - first + 1, 0);
console.log('slots with an owner:', owned);

// Names that share a {tag} share a slot, and so a node: a call can change them together.
await client.kv.mset({ '{order:7}:state': 'paid', '{order:7}:total': '42' });
console.log('order:', await client.kv.mget(['{order:7}:state', '{order:7}:total']));

try {
  await client.cluster.join('node-2', 'localhost:9001');
} catch (error) {
  if (!(error instanceof FailedPreconditionError)) throw error;
  console.log('join:', error.reasonName);
}

const stats = await client.cluster.stats();
console.log('keys:', stats.total.keys);

await client.close();
