import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type BenchOptions, parseOptions, UsageError } from '../load/options.ts';
import { hasProcessUsage } from '../load/process-usage.ts';
import { BenchCluster } from './cluster.ts';
import { GROWTH_SCRIPT, growth } from './growth/growth.ts';
import { idleNodes } from './idle.ts';
import { type Kill, killEachInTurn } from './kill-each.ts';
import { nodesBench } from './nodes-bench.ts';
import { idleLines, killLines } from './report.ts';
import { CLUSTER_ROW_IDS } from './row-ids.ts';

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'gomsg-bench-test-'));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

function options(...argv: string[]): BenchOptions {
  return parseOptions(['--server', 'source', '--seconds', '0.2', ...argv]) as BenchOptions;
}

test('a row runs against a single node, a cluster by its leaders, and a cluster by one node', {
  timeout: 60_000,
}, async () => {
  const dataDir = folder();
  const json = join(folder(), 'result.json');
  const lines: string[] = [];
  const rows = ['--nodes', '3', '--groups', '2', '--rows', 'kv-set-50,kv-set-1000-forwarded'];
  const chosen = options(...rows, '--data-dir', dataDir, '--json', json);
  expect(chosen.mode).toBe('nodes');
  await nodesBench(chosen, (line) => lines.push(line));
  const result = JSON.parse(readFileSync(json, 'utf8'));
  expect(result.rows.map(({ id }: { id: string }) => id)).toEqual(['kv-set-50', 'kv-set-1000-forwarded']);
  for (const { single, cluster } of result.rows) {
    for (const { operations, serverCpu_us } of [single, cluster]) {
      expect(operations).toBeGreaterThan(0);
      // None, where so little was done that the clock did not turn.
      if (hasProcessUsage) expect(serverCpu_us).toEqual(expect.any(Number));
    }
  }
  expect(lines.join('\n')).toMatch(/KV set, 50 in flight .*\d/);
  expect(readdirSync(dataDir)).toEqual([]);
});

test('a killed node is looked at from the lanes that it led, an idle one by what it uses', {
  timeout: 60_000,
}, async () => {
  const dataDir = folder();
  {
    await using cluster = await BenchCluster.start(options('--groups', '4', '--data-dir', dataDir), 3);
    const idle = await idleNodes(cluster, 0.2);
    expect(idle.map(({ nodeId }) => nodeId)).toEqual(['node1', 'node2', 'node3']);
    if (hasProcessUsage) expect(idleLines(idle, 4, 0.2)).toMatch(/node3 .* % of a core, resident \d+/);
    const kills: Kill[] = [];
    await killEachInTurn(cluster, [cluster.nodes[1]!], (kill) => kills.push(kill));
    expect(kills[0]!.nodeId).toBe('node2');
    expect(kills[0]!.silent_ms.length).toBeGreaterThan(0);
    // Nobody is elected before the followers have missed some heartbeats.
    expect(Math.max(...kills[0]!.silent_ms)).toBeGreaterThan(100);
    expect(killLines(kills)).toMatch(/node2 .*longest \d+ ms/);
  }
  expect(readdirSync(dataDir)).toEqual([]);
});

test('a lone node becomes a cluster and leaves it, and nothing is lost', { timeout: 90_000 }, async () => {
  const dataDir = folder();
  const lines: string[] = [];
  const chosen = options('--growth', '--groups', '2', '--data', '500', '--data-dir', dataDir);
  expect(chosen.mode).toBe('growth');
  const replaced = async (cluster: BenchCluster) => {
    await cluster.join();
    await cluster.leave(cluster.nodes[0]!);
  };
  const script = [
    ...GROWTH_SCRIPT.slice(0, 2),
    ['another takes the place of the founder', replaced] as const,
  ];
  const { steps, verdicts, passed } = await growth(chosen, (line) => lines.push(line), script);
  expect(verdicts.flatMap(({ wrong }) => wrong)).toEqual([]);
  expect(passed).toBe(true);
  expect(steps).toHaveLength(script.length);
  expect(steps.at(-1)!.nodes.map(({ nodeId }) => nodeId)).toEqual(['node2', 'node3', 'node4']);
  // While nodes come and go it lasts as long as that takes; behind it, no longer than was asked for.
  for (const { during } of Object.values(steps.at(-1)!.perSecond)) expect(during).toBeGreaterThan(0);
  expect(lines.join('\n')).toContain('all there, each once');
  expect(readdirSync(dataDir)).toEqual([]);
});

test('the command line chooses one run', () => {
  expect(parseOptions(['--nodes', '3'])).toMatchObject({ nodes: 3, groups: 16, rows: CLUSTER_ROW_IDS });
  expect(parseOptions(['--growth'])).toMatchObject({ mode: 'growth', data: 20_000 });
  expect(() => parseOptions(['--growth', '--nodes', '3'])).toThrow(UsageError);
  expect(() => parseOptions(['--nodes', '2'])).toThrow(UsageError);
  expect(() => parseOptions(['--nodes', '3', '--rows', 'kv-set-250'])).toThrow(UsageError);
  expect(() => parseOptions(['--rows', 'failover'])).toThrow(UsageError);
});
