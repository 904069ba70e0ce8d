/** Nodes that leave a cluster of real processes, up or down, and those that are replaced. */
import { expect, test } from 'vitest';
import { ClusterService, NodeState } from '../gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { type ClusterNode, ClusterProcess } from './testing/cluster-process.ts';

const { leave, leader, nodes, status, health, stats } = ClusterService.method;
const names = Array.from({ length: 20 }, (_, i) => `key-${i}`);

test('a node leaves with its data moved, also the leader and one that is down; whoever left cannot come back', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(4, ['--groups=2', '--replace-after=10s']);
  const [first, second, third, fourth] = cluster.nodes as [
    ClusterNode,
    ClusterNode,
    ClusterNode,
    ClusterNode,
  ];
  for (const key of names) await second.client.unary(KVService.method.set, { key, value: Buffer.from(key) });
  const expectAllThere = async (node: ClusterNode): Promise<void> => {
    const { entries } = await node.client.unary(KVService.method.getMany, { keys: names });
    expect(entries.map(({ value }) => Buffer.from(value).toString())).toEqual(names);
  };
  const expectEndsAsLeft = async (node: ClusterNode): Promise<void> => {
    await node.process.logged('has left its cluster for good');
    expect(await node.process.exited).toMatchObject({ code: 0 });
  };

  // The leader of the control group.
  expect((await second.client.unary(leader, {})).node?.nodeId).toBe(first.name);
  const { node } = await first.client.unary(leave, { nodeId: first.name });
  expect(node).toMatchObject({ nodeId: first.name, state: NodeState.LEAVING });
  await expectEndsAsLeft(first);
  first.client.close();
  await cluster.healthy([second, third, fourth]);
  await expectAllThere(third);
  await cluster.restart(first);
  await expectEndsAsLeft(first);
  first.client.close();

  // One that the others cannot spare.
  const refusal = await third.client.unary(leave, { nodeId: third.name }).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ reason: ErrorReason.CONDITION_FAILED });
  expect((refusal as Error).message).toMatch(/2 nodes stay for 3 replicas .*--fewer-replicas/);

  // One that is down for too long is replaced without being asked.
  const fifth = await cluster.add([`--join=${second.address}`]);
  await cluster.healthy([second, third, fourth, fifth]);
  await cluster.kill(fourth);
  await cluster.until('what was on the dead node is on the others', async () => {
    const { groups, moves } = await second.client.unary(status, {});
    return moves.length === 0 && groups.every(({ voterNodeIds }) => !voterNodeIds.includes(fourth.name));
  });
  await expectAllThere(fifth);
  expect(await second.client.unary(health, { nodeId: fourth.name })).toMatchObject({
    healthy: false,
    node: { nodeId: fourth.name, state: NodeState.DOWN, replicas: 0, leaders: 0 },
    checks: [{ name: 'answers', ok: false }],
  });
  const { total, nodes: figures } = (await second.client.unary(stats, {})).stats!;
  expect(figures.map(({ nodeId, uptime }) => [nodeId, uptime !== undefined])).toEqual([
    ['node2', true],
    ['node3', true],
    ['node4', false],
    ['node5', true],
  ]);
  expect(total?.keys).toBe(BigInt(names.length));
  expect(total?.uptime).toBeUndefined();
  expect(Number(total?.cpuTime?.seconds)).toBeGreaterThan(0);

  // It leaves while it is down, and learns so when it is back.
  await third.client.unary(leave, { nodeId: fourth.name });
  await cluster.until('the dead node is gone', async () => {
    const answer = await third.client.unary(nodes, {});
    return answer.nodes.every(({ nodeId }) => nodeId !== fourth.name);
  });
  await cluster.healthy([second, third, fifth]);
  await cluster.restart(fourth);
  await expectEndsAsLeft(fourth);
});
