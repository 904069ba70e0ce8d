/** Measures one row against a running server, or the nodes of a cluster. */
import { PipelineClient } from '@gomsg/client/pipeline';
import { cpuTimeOfAll_us, type Memory, memoryOfAll } from './process-usage.ts';
import { quiet } from './server-figures.ts';
import { drive, type Workload } from './workload.ts';

/** What a row loads. */
export interface RowTarget {
  readonly addresses: readonly string[];
  /** Processes whose CPU time and memory count: all that answer, whoever is called. */
  readonly pids: readonly number[];
  /** Each call goes to the node that leads its name, as those of an SDK do. Default: all go to the first address. */
  readonly routing?: boolean;
}

export interface RowResult {
  readonly id: string;
  readonly title: string;
  readonly inFlight: number;
  readonly operations: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly p999_ms: number;
  readonly max_ms: number;
  /** CPU time of the server for each operation, all threads and all nodes, its background work in the window included. */
  readonly serverCpu_us: number | undefined;
  /** CPU time of the loading process for each operation. */
  readonly clientCpu_us: number;
  /** Of the server, all nodes together, at the end of the window. */
  readonly memory: Memory | undefined;
}

/** The part of the window's time that is spent warming up before it. */
const WARM_UP_SHARE = 1 / 3;

export async function runRow(workload: Workload, target: RowTarget, seconds: number): Promise<RowResult> {
  const { addresses, pids, routing = false } = target;
  const client = new PipelineClient({ addresses, routing });
  try {
    const step = await workload.prepare(client);
    await Promise.all(pids.map(quiet));
    const edges: Record<'begin' | 'end', { server_us: number | undefined; client_us: number }> = {
      begin: { server_us: 0, client_us: 0 },
      end: { server_us: 0, client_us: 0 },
    };
    let atEnd: Memory | undefined;
    const window_ms = seconds * 1000;
    const times = { warmUp_ms: window_ms * WARM_UP_SHARE, window_ms };
    const { operations, elapsed_ms, latency } = await drive(step, workload.inFlight, times, (edge) => {
      const { user, system } = process.cpuUsage();
      edges[edge] = { server_us: cpuTimeOfAll_us(pids), client_us: user + system };
      if (edge === 'end') atEnd = memoryOfAll(pids);
    });
    const { begin, end } = edges;
    const milliseconds = (nanoseconds: number) => nanoseconds / 1e6;
    return {
      id: workload.id,
      title: workload.title,
      inFlight: workload.inFlight,
      operations,
      seconds: elapsed_ms / 1000,
      perSecond: (operations / elapsed_ms) * 1000,
      p50_ms: milliseconds(latency.percentile(50)),
      p99_ms: milliseconds(latency.percentile(99)),
      p999_ms: milliseconds(latency.percentile(99.9)),
      max_ms: milliseconds(latency.max),
      serverCpu_us:
        begin.server_us === undefined || end.server_us === undefined
          ? undefined
          : (end.server_us - begin.server_us) / operations,
      clientCpu_us: (end.client_us - begin.client_us) / operations,
      memory: atEnd,
    };
  } finally {
    await client.close();
  }
}
