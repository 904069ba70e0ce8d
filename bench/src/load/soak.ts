/** Load for a long time, the rows in turn, with an eye on the server's memory. */
import type { Memory } from './process-usage.ts';
import { runRow } from './run-row.ts';
import type { ServerProcess } from './server-process.ts';
import type { Workload } from './workload.ts';

/** What one turn of one row showed. */
export interface SoakSample {
  /** Since the soak began. */
  readonly elapsed_ms: number;
  readonly row: string;
  readonly perSecond: number;
  /** Of the server, at the end of the turn. */
  readonly memory: Memory | undefined;
}

/** Time of one turn of a row. */
const TURN_SECONDS = 10;

export async function soak(
  workloads: readonly Workload[],
  server: ServerProcess,
  soak_ms: number,
  onSample: (sample: SoakSample) => void,
): Promise<SoakSample[]> {
  const began_ms = performance.now();
  const samples: SoakSample[] = [];
  for (let turn = 0; performance.now() - began_ms < soak_ms; turn++) {
    const left_s = (soak_ms - (performance.now() - began_ms)) / 1000;
    const workload = workloads[turn % workloads.length]!;
    const { perSecond, memory } = await runRow(workload, server, Math.min(TURN_SECONDS, left_s));
    const sample = { elapsed_ms: performance.now() - began_ms, row: workload.id, perSecond, memory };
    samples.push(sample);
    onSample(sample);
  }
  return samples;
}
