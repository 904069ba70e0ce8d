/**
 * `npm run bench -- --sdk all`: durable sets through the public face of each SDK, one after the other against the same
 * node, with 1, 50 and 1,000 calls in flight.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { environment } from '../load/environment.ts';
import type { BenchOptions } from '../load/options.ts';
import { header } from '../load/report.ts';
import { ServerProcess } from '../load/server-process.ts';
import { build, ClientProgramError, LOAD_PROGRAMS, type LoadProgram } from './programs.ts';

const IN_FLIGHT = [1, 50, 1000];
const VALUE_BYTES = 64;

/** What a load program prints as its last line. */
export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** CPU time of the program, user and system, for each call. */
  readonly cpu_us_per_call: number;
}

export interface SdkRow extends LoadResult {
  readonly sdk: string;
  readonly inFlight: number;
  readonly perSecond: number;
  /** Undefined where no target is set for this many in flight. */
  readonly met: boolean | undefined;
}

export async function sdkBench(options: BenchOptions, print: (line: string) => void): Promise<SdkRow[]> {
  const programs = LOAD_PROGRAMS.filter(({ sdk }) => options.sdks.includes(sdk));
  for (const program of programs) build(program);
  await using server = await ServerProcess.start(options);
  const { what } = server;
  const { fsync, seconds } = options;
  print(header(environment(options.dataDir), { what, fsync, seconds }));
  print(`\n${TITLES.join('')}`);
  const rows: SdkRow[] = [];
  for (const inFlight of IN_FLIGHT) {
    for (const program of programs) {
      const row = await measure(program, server.address, inFlight, seconds);
      rows.push(row);
      print(rowText(row, program));
    }
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ sdks: rows }, null, 2)}\n`);
  return rows;
}

async function measure(
  program: LoadProgram,
  address: string,
  inFlight: number,
  seconds: number,
): Promise<SdkRow> {
  const { sdk, folder, run, perSecondMin } = program;
  const [command, ...leading] = run;
  const flags = [
    '--address',
    address,
    '--in-flight',
    inFlight,
    '--duration',
    seconds,
    '--value-bytes',
    VALUE_BYTES,
  ];
  const child = spawn(command, [...leading, ...flags.map(String)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => child.kill('SIGKILL');
  process.on('exit', end);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  process.off('exit', end);
  const lastLine = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || !lastLine.startsWith('{')) {
    throw new ClientProgramError(
      `the ${sdk} load program ended with ${code} and this last line: ${lastLine}`,
    );
  }
  const result: LoadResult = JSON.parse(lastLine);
  const perSecond = result.calls / result.seconds;
  const met = inFlight === 1000 ? perSecond >= perSecondMin : undefined;
  return { ...result, sdk, inFlight, perSecond, met };
}

const WIDTHS = [8, 10, 12, 10, 10, 16, 24];
const TITLES = cells(['sdk', 'in flight', 'sets/s', 'p50 ms', 'p99 ms', 'client µs/call', 'target']);

function rowText(row: SdkRow, { perSecondMin }: LoadProgram): string {
  const verdict =
    row.met === undefined ? '' : `≥ ${perSecondMin.toLocaleString('en')}/s ${row.met ? 'hit' : 'MISS'}`;
  return cells([
    row.sdk,
    String(row.inFlight),
    Math.round(row.perSecond).toLocaleString('en'),
    row.p50_ms.toFixed(2),
    row.p99_ms.toFixed(2),
    row.cpu_us_per_call.toFixed(2),
    verdict,
  ]).join('');
}

function cells(texts: readonly string[]): string[] {
  return texts.map((text, column) =>
    column === 0 ? text.padEnd(WIDTHS[0]!) : text.padStart(WIDTHS[column]!),
  );
}
