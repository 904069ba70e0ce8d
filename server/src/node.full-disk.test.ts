/** A real process on a real file system that is full. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { isReason } from './testing/call-error.ts';
import { NodeClient } from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';
import { CannotMountError, SmallDisk } from './testing/small-disk.ts';

const VALUE = Buffer.alloc(20_000, 'v');
const CALLS_AT_ONCE = 20;
/** A call that the full disk holds up is given up after this: it may still be applied. */
const PATIENCE_MS = 2_000;

test('a node on a full disk refuses writes, reads on, survives kill -9, and resumes with room', {
  timeout: 120_000,
}, async ({ skip }) => {
  using disk = smallDisk(skip);
  const flags = [
    `--data-dir=${join(disk.folder, 'data')}`,
    '--overlay-bytes=1MiB',
    '--wal-segment-bytes=1MiB',
    '--max-frame-bytes=960KiB',
    '--max-value-bytes=256KiB',
    '--max-message-bytes=256KiB',
  ];
  disk.addBallast(24);
  const acknowledged: string[] = [];
  {
    await using node = NodeProcess.start({ flags });
    using client = new NodeClient(await node.ready);
    await writeUntilFull(client, acknowledged);
    await expectAll(client, acknowledged);

    disk.removeBallast();
    await resumes(client);
    await writeUntilFull(client, acknowledged);
    await expectAll(client, acknowledged);
    await node.kill();
  }
  await using node = NodeProcess.start({ flags });
  using client = new NodeClient(await node.ready);
  await expectAll(client, acknowledged);

  disk.resize(256);
  await resumes(client);
  await expectAll(client, acknowledged);
  expect(await node.terminate()).toEqual({ code: 0, signal: null });
});

function smallDisk(skip: (why: string) => never): SmallDisk {
  try {
    return new SmallDisk(64);
  } catch (error) {
    if (error instanceof CannotMountError) skip(error.message);
    throw error;
  }
}

async function writeUntilFull(client: NodeClient, acknowledged: string[]): Promise<void> {
  for (let isFull = false; !isFull; ) {
    await Promise.all(
      Array.from({ length: CALLS_AT_ONCE }, async (_, i) => {
        const key = `key-${acknowledged.length}-${i}`;
        try {
          await client.unary(KVService.method.set, { key, value: VALUE }, { timeout_ms: PATIENCE_MS });
          acknowledged.push(key);
        } catch (error) {
          if (isReason(error, ErrorReason.DISK_FULL)) isFull = true;
          // Taken before the disk was full: it waits in the log for room.
          else if (!isTimeout(error)) throw error;
        }
      }),
    );
  }
}

function isTimeout(error: unknown): boolean {
  const DEADLINE_EXCEEDED = 4;
  return error instanceof Error && 'code' in error && error.code === DEADLINE_EXCEEDED;
}

function resumes(client: NodeClient): Promise<void> {
  const probe = { key: 'probe', value: Buffer.from('probe') };
  const write = () => client.unary(KVService.method.set, probe, { timeout_ms: PATIENCE_MS });
  return expect.poll(() => write().then(() => 'written', String), { timeout: 20_000 }).toBe('written');
}

async function expectAll(client: NodeClient, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += CALLS_AT_ONCE) {
    const asked = keys.slice(from, from + CALLS_AT_ONCE);
    const { entries } = await client.unary(KVService.method.getMany, { keys: asked });
    expect(entries.filter(({ found, value }) => found && VALUE.equals(value))).toHaveLength(asked.length);
  }
}
