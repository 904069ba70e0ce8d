/** What becomes of calls in hand when a node of a cluster of real processes is told to stop. */
import { expect, test } from 'vitest';
import { ClusterService } from '../gen/gomsg/v1/cluster_pb.js';
import { QueueService } from '../gen/gomsg/v1/queue_pb.js';
import { NodeClient } from '../testing/node-client.ts';
import { ClusterProcess } from './testing/cluster-process.ts';

const { create, pop, push, stats } = QueueService.method;

test('a call that was passed on when its node is told to stop gets its answer', {
  timeout: 90_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3, ['--groups=1']);
  const [one] = cluster.nodes;
  const { groups } = await one!.client.unary(ClusterService.method.getTopology, {});
  const leader = cluster.nodes.find(({ name }) => name === groups[0]!.leaderNodeId)!;
  const other = cluster.nodes.find(({ name }) => name !== groups[0]!.leaderNodeId)!;
  await leader.client.unary(create, { queue: 'q' });
  const popping = other.client.unary(pop, { queue: 'q', wait: { seconds: 5n } });
  const outcome = popping.then(
    ({ deliveries }) => deliveries.map(({ payload }) => Buffer.from(payload).toString()),
    (error: unknown) => error,
  );
  await cluster.until('the call waits at the leader', async () => {
    const answer = await leader.client.unary(stats, { queue: 'q' });
    return answer.stats?.consumers === 1;
  });
  const stopped = other.process.terminate();
  await cluster.until('its port takes nothing new', async () => {
    const client = new NodeClient(other.address);
    const answer = client.unary(ClusterService.method.health, {}, { timeout_ms: 1_000 });
    const isAnswered = await answer.then(
      () => true,
      () => false,
    );
    client.close();
    return !isAnswered;
  });
  await leader.client.unary(push, { queue: 'q', payload: Buffer.from('m') });
  expect(await outcome).toEqual(['m']);
  expect(await stopped).toMatchObject({ code: 0 });
});
