/** The disk of one node of three is full, of the one that leads first of all. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ClusterService } from '../../gen/gomsg/v1/cluster_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { CannotMountError, SmallDisk } from '../../testing/small-disk.ts';
import { type ClusterNode, ClusterProcess } from '../testing/cluster-process.ts';

const VALUE = Buffer.alloc(20_000, 'v');
const CALLS_AT_ONCE = 20;
const DISK_MIB = 48;
/** More than there is room for on the small disk. */
const WRITES_MAX = (2 * DISK_MIB * 1024 * 1024) / VALUE.length;
/** What is written without the full node. */
const MORE_BATCHES = 20;
const FLAGS = [
  '--groups=2',
  '--overlay-bytes=1MiB',
  '--wal-segment-bytes=1MiB',
  '--max-frame-bytes=960KiB',
  '--max-value-bytes=256KiB',
  '--max-message-bytes=256KiB',
];

test('the others go on, nothing that was answered is lost, and the node is back once it has room', {
  timeout: 240_000,
}, async ({ skip }) => {
  using disk = smallDisk(skip);
  await using cluster = await ClusterProcess.start(1, FLAGS);
  const small = await cluster.join({ dataDir: join(disk.folder, 'data') });
  await cluster.join();
  await cluster.healthy();
  const [first, , third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  const ledBySmall = async () => {
    const { groups } = await first.client.unary(ClusterService.method.status, {});
    return groups.some(({ leaderNodeId, group }) => group > 0 && leaderNodeId === small.name);
  };
  await cluster.until('the small node leads something', ledBySmall);

  const acknowledged: string[] = [];
  const write = async (client: ClusterNode['client'], key: string) => {
    await client.unary(KVService.method.set, { key, value: VALUE }, { timeout_ms: 5_000 });
    acknowledged.push(key);
  };
  let written = 0;
  let refused = 0;
  const writeSome = async () => {
    const calls = Array.from({ length: CALLS_AT_ONCE }, (_, i) =>
      write((i % 2 === 0 ? first : third).client, `key-${written + i}`),
    );
    for (const { status } of await Promise.allSettled(calls)) if (status === 'rejected') refused++;
    written += CALLS_AT_ONCE;
  };
  const isFull = () => /the disk is full|too little room for the store/.test(small.process.output);
  while (!isFull() && written < WRITES_MAX) await writeSome();
  // It may be behind the others with what it writes.
  await cluster.until('the small disk is full', async () => isFull());
  await cluster.until('it leads nothing any more', async () => !(await ledBySmall()));
  const after = acknowledged.length;
  for (let i = 0; i < CALLS_AT_ONCE; i++) await write(first.client, `after-${i}`);
  expect(acknowledged).toHaveLength(after + CALLS_AT_ONCE);
  // Those that were under way while the lead changed hands, at most.
  expect(refused).toBeLessThan(written / 4);
  for (let i = 0; i < MORE_BATCHES; i++) await writeSome();
  await expectAll(third, acknowledged);

  disk.resize(1024);
  if (small.process.exit !== undefined) await cluster.restart(small, { dataDir: join(disk.folder, 'data') });
  await cluster.healthy();
  await cluster.until('it has caught up', async () => {
    await expectAll(small, acknowledged.slice(-CALLS_AT_ONCE));
    return true;
  });
  await expectAll(small, acknowledged);
});

function smallDisk(skip: (why: string) => never): SmallDisk {
  try {
    return new SmallDisk(DISK_MIB);
  } catch (error) {
    if (error instanceof CannotMountError) skip(error.message);
    throw error;
  }
}

async function expectAll({ client }: ClusterNode, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += CALLS_AT_ONCE) {
    const asked = keys.slice(from, from + CALLS_AT_ONCE);
    const { entries } = await client.unary(KVService.method.getMany, { keys: asked });
    expect(entries.filter(({ found, value }) => found && VALUE.equals(value))).toHaveLength(asked.length);
  }
}
