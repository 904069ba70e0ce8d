/** Releases side by side: who is upgraded serves with who is not, and who cannot apply what is written takes no part. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { NodeDidNotStartError } from '../../testing/node-process.ts';
import { type ClusterNode, ClusterProcess } from '../testing/cluster-process.ts';

/** Makes a process one of the next release. */
const NEXT = {
  env: { NODE_OPTIONS: `--import=${fileURLToPath(new URL('../testing/next-level.ts', import.meta.url))}` },
};

const { set, get } = KVService.method;
const keys = Array.from({ length: 16 }, (_, i) => `key-${i}`);

test('a cluster is upgraded node by node, writes the new level when all apply it, and keeps older nodes out', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(1, ['--groups=2']);
  await cluster.join(NEXT);
  await cluster.join();
  await cluster.healthy();
  const [first, second, third] = cluster.nodes as ClusterNode[];
  const writeThrough = async ({ name, client }: ClusterNode) => {
    for (const key of keys) await client.unary(set, { key, value: Buffer.from(name) }, { timeout_ms: 5_000 });
  };
  // Whoever leads, all is written as those of the old release understand it.
  await writeThrough(second!);
  // There is a way back while not every node applies the new level.
  for (const [node, release] of [
    [second!, {}],
    [second!, NEXT],
    [first!, NEXT],
    [third!, NEXT],
  ] as const) {
    await cluster.stop(node);
    await cluster.restart(node, release);
    await cluster.healthy();
    await writeThrough(node);
  }
  await cluster.until('the level is raised', async () =>
    cluster.nodes.every(({ process }) => process.output.includes('the cluster writes at level 2')),
  );
  await writeThrough(third!);

  // There is no way back now: the node ends before it takes part, and the others go on.
  await cluster.kill(third!);
  const back = cluster.launch(third!);
  await expect(back.ready).rejects.toThrow(NodeDidNotStartError);
  expect(await back.exited).toMatchObject({ code: 4 });
  expect(back.output).toMatch(/is at level 2, and this gomsg applies levels up to 1/);
  await writeThrough(first!);

  // Nor does a new node of the old release get in.
  const late = await cluster.join().catch((error: unknown) => error);
  expect(String(late)).toMatch(/applies what is written up to level 1, and the cluster writes at level 2/);
  cluster.nodes.pop();

  await cluster.restart(third!, NEXT);
  await cluster.healthy();
  for (const key of keys) {
    const { value } = await third!.client.unary(get, { key });
    expect(Buffer.from(value).toString()).toBe(first!.name);
  }
});
