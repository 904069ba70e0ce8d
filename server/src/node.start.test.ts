/** What refuses to start says why, with an exit code that scripts can tell apart. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { configWith } from './config/load.ts';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { LogStateMismatchError } from './groups/group-face.ts';
import { serve } from './main.ts';
import { type RunningNode, startNode } from './node.ts';
import { createLogger } from './observe/logger.ts';
import { dataFolder } from './testing/folders.ts';
import { NodeClient } from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';

const key = 'name';
const value = Buffer.from('alice');

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test('a second process on a folder or a port ends with 4 and names the first, which goes on', async () => {
  const dataDir = dataFolder();
  await using first = NodeProcess.start({ flags: [`--data-dir=${dataDir}`] });
  const address = await first.ready;
  using client = new NodeClient(address);

  await using onFolder = NodeProcess.start({ flags: [`--data-dir=${dataDir}`] });
  await using onPort = NodeProcess.start({ flags: [], port: Number(address.split(':')[1]) });
  expect(await onFolder.exited).toEqual({ code: 4, signal: null });
  expect(onFolder.output).toContain('the node cannot start');
  expect(onFolder.output).toContain(dataDir);
  expect(onFolder.output).toContain(String(first.pid));
  expect(await onPort.exited).toEqual({ code: 4, signal: null });
  expect(onPort.output).toContain(address);

  await client.unary(KVService.method.set, { key, value });
});

test('an unknown flag ends with 2 and suggests the one that was meant', async () => {
  const output = standardError();
  expect(await serve(['--overlay-byte=1MiB'])).toBe(2);
  expect(output()).toContain('--overlay-bytes');
});

test('values out of range, in a flag and in the environment, end with 2 and name their origins', async () => {
  const output = standardError();
  vi.stubEnv('GOMSG_GROUPS', 'many');
  expect(await serve(['--wal-segment-bytes=1'])).toBe(2);
  expect(output()).toContain('--wal-segment-bytes');
  expect(output()).toContain('GOMSG_GROUPS');
});

test('flags of clusters without --cluster end with 2: a node that runs alone must not pass for a cluster', async () => {
  const output = standardError();
  expect(await serve(['--bootstrap'])).toBe(2);
  expect(output()).toContain('add --cluster');
  expect(await serve(['--cluster', '--bootstrap', '--storage=memory'])).toBe(2);
  expect(output()).toContain('keeps its votes');
});

test('a folder that lost its log is refused, and serves again once the log is back', async () => {
  const dataDir = dataFolder();
  const log = join(dataDir, 'wal');
  const aside = join(dataDir, 'lost');
  const start = (): Promise<RunningNode> =>
    startNode({
      config: configWith({ port: 0, dataDir }),
      logger: createLogger({ level: 'silent', format: 'json' }),
      onFatal: (error) => {
        throw error;
      },
    });

  let node = await start();
  {
    using client = new NodeClient(`${node.host}:${node.port}`);
    await client.unary(KVService.method.set, { key, value });
  }
  await node.stop();

  renameSync(log, aside);
  await expect(start()).rejects.toThrow(LogStateMismatchError);
  rmSync(log, { recursive: true });
  renameSync(aside, log);

  node = await start();
  using client = new NodeClient(`${node.host}:${node.port}`);
  expect(Buffer.from((await client.unary(KVService.method.get, { key })).value)).toEqual(value);
  client.close();
  await node.stop();
});

/** Catches what goes to standard error. */
function standardError(): () => string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  return () => write.mock.calls.map(([text]) => String(text)).join('');
}
