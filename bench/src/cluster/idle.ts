/** What the nodes of a cluster use while nobody calls. */
import { cpuTime_us, type Memory, memory } from '../load/process-usage.ts';
import type { BenchCluster } from './cluster.ts';

export interface IdleNode {
  readonly nodeId: string;
  /** Of one core. Undefined where /proc is absent. */
  readonly cpuShare: number | undefined;
  readonly memory: Memory | undefined;
  readonly replicas: number;
  readonly leaders: number;
}

/** Background work of the founding goes on for a while: the overlay is written after 5 s. */
const SETTLE_MS = 8_000;

/** Watches a cluster that has just been founded for so many seconds. */
export async function idleNodes(cluster: BenchCluster, seconds: number): Promise<readonly IdleNode[]> {
  const pause = (time_ms: number) => new Promise((resolve) => setTimeout(resolve, time_ms));
  await pause(Math.min(SETTLE_MS, seconds * 1000));
  const members = await cluster.members();
  const began_ms = performance.now();
  const before = cluster.pids.map(cpuTime_us);
  await pause(seconds * 1000);
  const after = cluster.pids.map(cpuTime_us);
  const elapsed_us = (performance.now() - began_ms) * 1000;
  return cluster.nodes.map(({ nodeId, process: { pid } }, index) => {
    const [from_us, to_us] = [before[index], after[index]];
    const { replicas, leaders } = members.find((member) => member.nodeId === nodeId)!;
    const cpuShare =
      from_us === undefined || to_us === undefined ? undefined : (to_us - from_us) / elapsed_us;
    return { nodeId, cpuShare, memory: memory(pid), replicas, leaders };
  });
}
