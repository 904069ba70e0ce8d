/** `npm run bench -- --nodes 3`: the rows against a cluster and against a single node, in turn. */
import { writeFileSync } from 'node:fs';
import { type Environment, environment } from '../load/environment.ts';
import type { BenchOptions } from '../load/options.ts';
import { ROWS } from '../load/rows/rows.ts';
import { type RowResult, runRow } from '../load/run-row.ts';
import { profileHint, ServerProcess } from '../load/server-process.ts';
import { BenchCluster } from './cluster.ts';
import { type IdleNode, idleNodes } from './idle.ts';
import { type Kill, killEachInTurn } from './kill-each.ts';
import { clusterHead, clusterHeader, clusterRow, idleLines, killLines } from './report.ts';
import { FAILOVER_ROW, FORWARDED_ROW, IDLE_ROW, ROUTED_ROWS } from './row-ids.ts';

/** A row as the cluster and the single node did it. */
export interface ClusterRowResult {
  readonly id: string;
  readonly title: string;
  readonly single: RowResult;
  readonly cluster: RowResult;
}

/** All that a run found, as `--json` writes it. */
export interface NodesResult {
  readonly environment: Environment;
  readonly nodes: number;
  readonly groups: number;
  readonly rows: readonly ClusterRowResult[];
  readonly kills: readonly Kill[];
  readonly idle: readonly IdleNode[];
}

/** Groups of the row that looks at an idle cluster. */
export const IDLE_GROUPS = 256;

export async function nodesBench(options: BenchOptions, print: (line: string) => void): Promise<NodesResult> {
  const { nodes, groups, seconds, idleSeconds } = options;
  const machine = environment(options.dataDir);
  const rows: ClusterRowResult[] = [];
  const kills: Kill[] = [];
  const idle: IdleNode[] = [];
  if (options.rows.some((id) => id !== IDLE_ROW)) {
    await using cluster = await BenchCluster.start(options, nodes);
    await using single = await ServerProcess.start(options);
    print(clusterHeader(machine, options, cluster.what));
    print(`\n${clusterHead(nodes)}`);
    for (const id of [...ROUTED_ROWS, FORWARDED_ROW].filter((each) => options.rows.includes(each))) {
      const row = await runBoth(id, cluster, single, seconds);
      rows.push(row);
      print(clusterRow(row));
    }
    // Before nodes are killed, which leaves no profile.
    if (options.profile) {
      for (const profile of await cluster.stop()) print(profileHint(profile));
    } else if (options.rows.includes(FAILOVER_ROW)) {
      await single.stop();
      await killEachInTurn(cluster, cluster.nodes, (kill) => kills.push(kill));
      print(`\n${killLines(kills)}`);
    }
  } else print(clusterHeader(machine, options, undefined));
  if (options.rows.includes(IDLE_ROW)) {
    await using cluster = await BenchCluster.start({ ...options, groups: IDLE_GROUPS }, nodes);
    idle.push(...(await idleNodes(cluster, idleSeconds)));
    print(`\n${idleLines(idle, IDLE_GROUPS, idleSeconds)}`);
  }
  const result: NodesResult = { environment: machine, nodes, groups, rows, kills, idle };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

async function runBoth(
  id: string,
  cluster: BenchCluster,
  single: ServerProcess,
  seconds: number,
): Promise<ClusterRowResult> {
  const isForwarded = id === FORWARDED_ROW;
  const workload = ROWS.find((row) => row.id === (isForwarded ? 'kv-set-1000' : id))!;
  const title = isForwarded ? `${workload.title}, all by one node` : workload.title;
  const { addresses, pids } = cluster;
  const measured = {
    single: await runRow(workload, single, seconds),
    cluster: await runRow(workload, { addresses, pids, routing: !isForwarded }, seconds),
  };
  return { id, title, ...measured };
}
