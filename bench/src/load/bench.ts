/** One run of the bench: a server, the rows, the report. */
import { writeFileSync } from 'node:fs';
import { environment } from './environment.ts';
import type { BenchOptions } from './options.ts';
import { measureRedis, type RedisResult } from './redis.ts';
import {
  header,
  redisLines,
  serverLines,
  soakLine,
  soakVerdict,
  summary,
  tableHead,
  tableRow,
  type Verdict,
  verdictsOf,
} from './report.ts';
import { ROWS } from './rows/rows.ts';
import { type RowResult, runRow } from './run-row.ts';
import { type ServerFigures, serverFigures } from './server-figures.ts';
import { profileHint, ServerProcess } from './server-process.ts';
import { type SoakSample, soak } from './soak.ts';
import { REDIS_RATIO_MIN, ROW_TARGETS, SERVER_TARGETS } from './targets.ts';

/** All that a run found, as `--json` writes it. */
export interface BenchResult {
  readonly environment: ReturnType<typeof environment>;
  readonly fsync: string;
  readonly server: ServerFigures & { readonly what: string };
  readonly rows: readonly (RowResult & { readonly verdicts: readonly Verdict[] })[];
  readonly redis: RedisResult | undefined;
  readonly soak: readonly SoakSample[];
}

/** Runs the bench; `print` gets its lines as they are known. */
export async function bench(options: BenchOptions, print: (line: string) => void): Promise<BenchResult> {
  const machine = environment(options.dataDir);
  await using server = await ServerProcess.start(options);
  print(header(machine, { what: server.what, fsync: options.fsync, seconds: options.seconds }));
  const figures = await serverFigures(server);
  print(`\n${serverLines(figures)}\n`);

  const workloads = options.rows.map((id) => ROWS.find((row) => row.id === id)!);
  const rows: RowResult[] = [];
  let redis: RedisResult | undefined;
  let samples: SoakSample[] = [];
  if (options.soak_ms === undefined) {
    print(tableHead());
    for (const workload of workloads) {
      const row = await runRow(workload, server, options.seconds);
      rows.push(row);
      print(tableRow(row));
      // Right behind its counterpart, so that both meet the same disk.
      if (options.redis && workload.id === 'kv-set-50')
        redis = await measureRedis(options.dataDir, options.seconds);
    }
    if (options.redis) {
      redis ??= await measureRedis(options.dataDir, options.seconds);
      print(`\n${redisLines(redis, setsPerSecond(rows))}`);
    }
    print(`\n${summary(verdicts(rows, figures, redis))}`);
  } else {
    samples = await soak(workloads, server, options.soak_ms, (sample) => print(soakLine(sample)));
    print(`\n${soakVerdict(samples)}`);
  }

  const profile = await server.stop();
  if (profile !== undefined) print(profileHint(profile));
  const result: BenchResult = {
    environment: machine,
    fsync: options.fsync,
    server: { ...figures, what: server.what },
    rows: rows.map((row) => ({ ...row, verdicts: verdictsOf(ROW_TARGETS[row.id] ?? [], row) })),
    redis,
    soak: samples,
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

function setsPerSecond(rows: readonly RowResult[]): number | undefined {
  return rows.find(({ id }) => id === 'kv-set-50')?.perSecond;
}

function verdicts(
  rows: readonly RowResult[],
  figures: ServerFigures,
  redis: RedisResult | undefined,
): Verdict[] {
  const sets = setsPerSecond(rows);
  return [
    ...verdictsOf(SERVER_TARGETS, figures),
    ...rows.flatMap((row) => verdictsOf(ROW_TARGETS[row.id] ?? [], row)),
    ...(redis?.kind === 'measured' && sets !== undefined
      ? [{ target: 'Redis', met: sets / redis.perSecond >= REDIS_RATIO_MIN }]
      : []),
  ];
}
