/** One cluster stays one: what a second founding, an emptied folder and a wrong address get. */
import { expect, test } from 'vitest';
import { ClusterService } from '../../gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import type { NodeProcess } from '../../testing/node-process.ts';
import { type ClusterNode, ClusterProcess, type RunOptions } from '../testing/cluster-process.ts';

const { set, get } = KVService.method;
const text = (value: Uint8Array) => Buffer.from(value).toString();

/** What a node says that does not start, or ends by itself. */
async function lastWords(process: NodeProcess): Promise<string> {
  expect(await process.exited).toEqual({ code: 4, signal: null });
  return process.output;
}

test('a second cluster is never merged into the first, nor takes its place', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3, ['--groups=2']);
  const [first, second, third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  const { client } = second;
  await client.unary(set, { key: 'k', value: Buffer.from('v') });
  const problems = async () => (await client.unary(ClusterService.method.status, {})).problems.join('\n');
  const invite = (nodeId: string, address: string) =>
    client.unary(ClusterService.method.join, { nodeId, address });
  const ends = (node: ClusterNode, options: RunOptions) => lastWords(cluster.launch(node, options));

  // Two bootstraps. The second cluster is neither invited in, under no id, nor taken along by --join.
  const fourth = await cluster.add(['--bootstrap']);
  await fourth.client.unary(set, { key: 'k', value: Buffer.from('of the other cluster') });
  for (const id of ['node4', 'node5']) {
    const refused = invite(id, fourth.address);
    await expect(refused).rejects.toMatchObject({ reason: ErrorReason.INVALID_REQUEST });
    await expect(refused).rejects.toThrow(/node node4 of cluster \S+ is there, and two clusters are never/);
  }
  await cluster.stop(fourth);
  const joinFirst = `--join=${first.address}`;
  expect(await ends(fourth, { flags: [joinFirst] })).toMatch(
    /node4 of cluster .* two clusters are never merged/,
  );
  expect(await ends(fourth, { flags: ['--bootstrap', joinFirst] })).toMatch(/two clusters are never merged/);
  cluster.nodes.pop();

  // A member whose folder was emptied is not let in under its id, whichever way it comes.
  await cluster.kill(third);
  const emptied = { dataDir: cluster.folderOf('node3-emptied') };
  expect(await ends(third, { ...emptied, flags: [joinFirst] })).toMatch(
    /node3 belongs to a member .* ids are never used again: join with a new one.*gomsg cluster leave node3/,
  );
  expect(await ends(third, { ...emptied, flags: [`--join=${third.address}`] })).toMatch(
    /names this node itself: name another member/,
  );
  const waiting = cluster.launch(third, emptied);
  await waiting.logged('waits to be invited');
  await cluster.until('the others say what has happened', async () =>
    /node3 .*waits here with an empty data folder/.test(await problems()),
  );
  await expect(invite('node3', third.address)).rejects.toMatchObject({ reason: ErrorReason.ALREADY_EXISTS });
  await waiting.kill();
  await cluster.restart(third);
  await cluster.healthy();

  // The founder with an emptied folder and the flag that its unit file still has.
  await cluster.kill(first);
  const emptyFounder = { dataDir: cluster.folderOf('node1-emptied'), flags: ['--bootstrap'] };
  // The others may meet it before it says that it serves, or after.
  expect(await ends(first, emptyFounder)).toMatch(
    /node\d of cluster .* has a member at its address: the data folder/,
  );
  // Nor is it started again: its supervisor would try.
  expect(await ends(first, emptyFounder)).toMatch(/has a member at its address/);
  // With --join it asks first, and founds nothing.
  const asking = {
    dataDir: cluster.folderOf('node1-asking'),
    flags: ['--bootstrap', `--join=${second.address}`],
  };
  expect(await ends(first, asking)).toMatch(/there is a cluster already.*node1 belongs to a member/s);

  await cluster.restart(first, { flags: ['--bootstrap'] });
  await cluster.healthy();
  for (const node of cluster.nodes) {
    expect(text((await node.client.unary(get, { key: 'k' })).value)).toBe('v');
  }
});

test('a founder with --join joins where there is a cluster, and founds one where there is none', {
  timeout: 120_000,
}, async () => {
  await using cluster = await ClusterProcess.start(1, ['--groups=1']);
  const [first] = cluster.nodes as [ClusterNode];
  const second = await cluster.join({ flags: ['--bootstrap'] });
  await cluster.healthy();
  await first.client.unary(set, { key: 'k', value: Buffer.from('v') });
  expect(text((await second.client.unary(get, { key: 'k' })).value)).toBe('v');

  await using alone = await ClusterProcess.start(1, ['--groups=1', '--join=127.0.0.1:1']);
  const { nodesTotal } = await alone.nodes[0]!.client.unary(ClusterService.method.status, {});
  expect(nodesTotal).toBe(1);
});
