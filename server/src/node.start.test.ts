/** What refuses to start says why, with an exit code that scripts can tell apart. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { dataFolder } from './testing/folders.ts';
import { NodeClient } from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';

const key = 'name';
const value = Buffer.from('alice');

test('a second process on a data folder ends with 4 and names the first, which goes on', async () => {
  const dataDir = dataFolder();
  await using first = NodeProcess.start({ flags: [`--data-dir=${dataDir}`] });
  using client = new NodeClient(await first.ready);

  await using second = NodeProcess.start({ flags: [`--data-dir=${dataDir}`] });
  expect(await second.exited).toEqual({ code: 4, signal: null });
  expect(second.output).toContain('the node cannot start');
  expect(second.output).toContain(dataDir);
  expect(second.output).toContain(String(first.pid));

  await client.unary(KVService.method.set, { key, value });
});

test('a folder whose process was killed is free at once', async () => {
  const flags = [`--data-dir=${dataFolder()}`];
  await using first = NodeProcess.start({ flags });
  await first.ready;
  await first.kill();
  await using second = NodeProcess.start({ flags });
  await second.ready;
});

test('an unknown flag ends with 2 and suggests the one that was meant', async () => {
  await using node = NodeProcess.start({ flags: ['--overlay-byte=1MiB'] });
  expect(await node.exited).toEqual({ code: 2, signal: null });
  expect(node.output).toContain('--overlay-bytes');
});

test('a value out of range, in a flag or in the environment, ends with 2 and names its origin', async () => {
  await using byFlag = NodeProcess.start({ flags: ['--groups=0'] });
  await using byVariable = NodeProcess.start({ flags: [], env: { GOMSG_GROUPS: 'many' } });
  expect(await byFlag.exited).toEqual({ code: 2, signal: null });
  expect(byFlag.output).toContain('--groups');
  expect(await byVariable.exited).toEqual({ code: 2, signal: null });
  expect(byVariable.output).toContain('GOMSG_GROUPS');
});

test('an address that another process has ends with 4 and is named', async () => {
  await using first = NodeProcess.start({ flags: [] });
  const address = await first.ready;
  await using second = NodeProcess.start({ flags: [], env: {}, port: Number(address.split(':')[1]) });
  expect(await second.exited).toEqual({ code: 4, signal: null });
  expect(second.output).toContain(address);
});

test('a folder that lost its log ends with 4 instead of serving what is left', async () => {
  const dataDir = dataFolder();
  const flags = [`--data-dir=${dataDir}`];
  {
    await using node = NodeProcess.start({ flags });
    using client = new NodeClient(await node.ready);
    await client.unary(KVService.method.set, { key, value });
    await node.terminate();
  }
  renameSync(join(dataDir, 'wal'), join(dataDir, 'lost'));
  await using node = NodeProcess.start({ flags });
  expect(await node.exited).toEqual({ code: 4, signal: null });
  expect(node.output).toContain('put the whole data folder back');

  rmSync(join(dataDir, 'wal'), { recursive: true, force: true });
  renameSync(join(dataDir, 'lost'), join(dataDir, 'wal'));
  await using healed = NodeProcess.start({ flags });
  using client = new NodeClient(await healed.ready);
  expect(Buffer.from((await client.unary(KVService.method.get, { key })).value)).toEqual(value);
});
