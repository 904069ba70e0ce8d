/** A node whose log fails for good: it writes nothing more anywhere, so that the next start finds what belongs together. */
import { expect, test } from 'vitest';
import { configWith } from './config/load.ts';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { type RunningNode, startNode } from './node.ts';
import { createLogger } from './observe/logger.ts';
import { dataFolder } from './testing/folders.ts';
import { NodeClient } from './testing/node-client.ts';
import { SimulatedDisk } from './wal/simulated-disk.ts';

const MIB = 1024 * 1024;
const LMDB_MAP_BYTES = 1024 * MIB;
const INCREMENTS = 20;

interface Started {
  readonly node: RunningNode;
  readonly client: NodeClient;
  readonly fatal: Promise<Error>;
}

async function start(dataDir: string, disk: SimulatedDisk): Promise<Started> {
  const fatal = Promise.withResolvers<Error>();
  const node = await startNode({
    config: configWith({
      port: 0,
      dataDir,
      lmdbMapBytes: LMDB_MAP_BYTES,
      walSegmentBytes: MIB,
      maxFrameBytes: MIB - 64 * 1024,
      maxValueBytes: MIB / 4,
      maxMessageBytes: MIB / 4,
      drainTimeoutMs: 0,
    }),
    logger: createLogger({ level: 'silent', format: 'json' }),
    onFatal: fatal.resolve,
    logFiles: disk.mount(),
  });
  return { node, client: new NodeClient(`${node.host}:${node.port}`), fatal: fatal.promise };
}

test('a log that fails takes nothing that was applied twice into the next start', async () => {
  const disk = new SimulatedDisk(1);
  const folder = dataFolder();
  const first = await start(folder, disk);
  const increment = ({ client }: Started) =>
    client.unary(KVService.method.increment, { key: 'count' }, { timeout_ms: 20_000 });
  for (let i = 1; i <= INCREMENTS; i++) expect((await increment(first)).value).toBe(BigInt(i));

  // The next sync is one of a batch, not of the segment that is being prepared.
  await expect.poll(() => disk.names().some((name) => name.endsWith('.spare'))).toBe(true);
  disk.fail('fdatasync');
  const lost = increment(first).catch(() => {});
  await first.fatal;
  first.client[Symbol.dispose]();
  await first.node.stop();
  await lost;
  disk.kill();

  const second = await start(folder, disk);
  // The one that was not acknowledged may have reached the log.
  const { value } = await increment(second);
  expect([BigInt(INCREMENTS + 1), BigInt(INCREMENTS + 2)]).toContain(value);
  second.client[Symbol.dispose]();
  await second.node.stop();
});

test('stopping twice is stopping once', async () => {
  const { node, client } = await start(dataFolder(), new SimulatedDisk(2));
  client[Symbol.dispose]();
  const stopped = node.stop();
  expect(node.stop()).toBe(stopped);
  await stopped;
});
