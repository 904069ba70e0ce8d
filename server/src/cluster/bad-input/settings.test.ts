/** Settings that would make something else of a node than its folder or its cluster is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { NodeProcess } from '../../testing/node-process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-settings-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['--replication=0', /--replication/],
  ['--replication=10', /--replication/],
  ['--replication=three', /--replication/],
  ['--groups=0', /--groups/],
  ['--groups=1025', /--groups/],
  ['--node-id=node 1', /--node-id/],
  ['--node-id=', /--node-id/],
  [`--node-id=${'n'.repeat(300)}`, /--node-id/],
  ['--join=node1', /--join/],
  ['--join=node1:99999', /--join/],
  ['--cluster-secret=short', /--cluster-secret/],
])('%s is refused before anything is opened', (flag, named) => {
  expect(() => loadConfig({ args: ['--cluster', flag], env: {} })).toThrow(named);
});

test('a number of groups that the folder was not founded with changes nothing, and the log says so', async () => {
  const flags = [`--data-dir=${folder}`];
  {
    await using node = NodeProcess.start({ flags: [...flags, '--groups=2'] });
    await node.ready;
    await node.terminate();
  }
  await using node = NodeProcess.start({ flags: [...flags, '--groups=4'] });
  await node.logged('--groups=4 changes nothing: the data folder was founded with 2');
  await node.ready;
});

test('a founded member goes on with --bootstrap, and its folder takes no other id and no lone node', async () => {
  const flags = ['--cluster', '--bootstrap', '--groups=1', `--data-dir=${folder}`];
  {
    await using node = NodeProcess.start({ flags: [...flags, '--node-id=node1'] });
    await node.ready;
    await node.terminate();
  }
  await using other = NodeProcess.start({ flags: [...flags, '--node-id=node2'] });
  expect(await other.exited).toMatchObject({ code: 4 });
  expect(other.output).toContain('belongs to node node1, not to node2');
  await using lone = NodeProcess.start({ flags: [`--data-dir=${folder}`] });
  expect(await lone.exited).toMatchObject({ code: 4 });
  expect(lone.output).toContain('start it with --cluster');
  await using again = NodeProcess.start({ flags: [...flags, '--node-id=node1'] });
  await again.ready;
});

test('a node that joins where nobody answers says so, goes on asking, and stops when it is told to', async () => {
  const flags = ['--cluster', '--node-id=node2', '--join=127.0.0.1:1', `--data-dir=${folder}`];
  await using node = NodeProcess.start({ flags });
  await node.logged('no member can admit this node yet');
  expect(node.output).toContain('127.0.0.1:1');
  expect(await node.terminate()).toEqual({ code: 0, signal: null });
});
