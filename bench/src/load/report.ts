/** The results as text. */
import type { Environment } from './environment.ts';
import type { Memory } from './process-usage.ts';
import type { RedisResult } from './redis.ts';
import type { RowResult } from './run-row.ts';
import type { ServerFigures } from './server-figures.ts';
import type { SoakSample } from './soak.ts';
import {
  LOADED_BYTES_MAX,
  megabytes,
  REDIS_RATIO_MIN,
  ROW_TARGETS,
  SERVER_TARGETS,
  type Target,
} from './targets.ts';

export interface Setup {
  readonly what: 'bundle' | 'source';
  readonly fsync: 'always' | 'interval';
  readonly seconds: number;
  /** Default 1. */
  readonly nodes?: number;
}

export function header(environment: Environment, { what, fsync, seconds, nodes = 1 }: Setup): string {
  const { cpu, cores, memoryBytes, system, node, fileSystem, load, commit } = environment;
  const syncs = `${environment.fdatasync_p50_ms.toFixed(2)} ms p50, ${environment.fdatasync_p99_ms.toFixed(2)} ms p99`;
  const warnings = [
    ...(fsync === 'interval'
      ? ['fsync=interval: answers come before the disk has the write. No target is for this mode.']
      : []),
    ...(fileSystem === 'tmpfs'
      ? ['The data folder is in memory (tmpfs): no write reaches a disk. Choose another with --data-dir.']
      : []),
    ...(load > cores / 2
      ? [`Others are busy on this machine (load ${load.toFixed(1)}): figures are lower than it can give.`]
      : []),
  ];
  return [
    `gomsg ${commit ?? ''}, from ${what === 'bundle' ? 'the bundle in dist/' : 'its sources'}, ${nodes === 1 ? 'one node' : `${nodes} nodes`}, fsync=${fsync}`,
    `machine   ${cores} × ${cpu}, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB, ${system}, load ${load.toFixed(2)}`,
    `disk      ${fileSystem}, append 4 KiB + fdatasync: ${syncs}`,
    `node      ${node}; load from a second process on the same machine, ${seconds} s a row after a warm-up`,
    ...warnings.map((warning) => `WARNING   ${warning}`),
  ].join('\n');
}

const COLUMNS: readonly { readonly title: string; readonly cell: (row: RowResult) => string }[] = [
  { title: 'ops/s', cell: (row) => Math.round(row.perSecond).toLocaleString('en') },
  { title: 'p50 ms', cell: (row) => milliseconds(row.p50_ms) },
  { title: 'p99 ms', cell: (row) => milliseconds(row.p99_ms) },
  { title: 'p99.9 ms', cell: (row) => milliseconds(row.p999_ms) },
  { title: 'server µs/op', cell: (row) => row.serverCpu_us?.toFixed(2) ?? '–' },
  { title: 'client µs/op', cell: (row) => row.clientCpu_us.toFixed(2) },
  { title: 'resident', cell: (row) => (row.memory ? megabytes(row.memory.residentBytes) : '–') },
  { title: 'anonymous', cell: (row) => (row.memory ? megabytes(row.memory.anonymousBytes) : '–') },
];

/** With enough digits to see on which side of a target it lies. */
function milliseconds(value: number): string {
  return value.toFixed(value < 1 ? 3 : 2);
}

const TITLE_WIDTH = 48;
const CELL_WIDTH = 13;

export function tableHead(): string {
  return [
    'row'.padEnd(TITLE_WIDTH),
    ...COLUMNS.map(({ title }) => title.padStart(CELL_WIDTH)),
    '  targets',
  ].join('');
}

export function tableRow(row: RowResult): string {
  const verdicts = verdictsOf(ROW_TARGETS[row.id] ?? [], row);
  return [
    row.title.padEnd(TITLE_WIDTH),
    ...COLUMNS.map(({ cell }) => cell(row).padStart(CELL_WIDTH)),
    `  ${verdicts.length === 0 ? 'none' : verdicts.map(verdictText).join(', ')}`,
  ].join('');
}

export interface Verdict {
  readonly target: string;
  /** Undefined when the figure is not known on this machine. */
  readonly met: boolean | undefined;
}

export function verdictsOf<T>(targets: readonly Target<T>[], result: T): Verdict[] {
  return targets.map(({ text, met }) => ({ target: text, met: met(result) }));
}

function verdictText({ target, met }: Verdict): string {
  return `${target} ${met === undefined ? 'unknown' : met ? 'hit' : 'MISS'}`;
}

export function serverLines(figures: ServerFigures): string {
  return SERVER_TARGETS.map(
    ({ what, figure, text, met }) =>
      `${what.padEnd(TITLE_WIDTH)} ${figure(figures)}, ${verdictText({ target: text, met: met(figures) })}`,
  ).join('\n');
}

export function redisLines(redis: RedisResult, gomsgPerSecond: number | undefined): string {
  const what = `Redis ${redis.kind === 'measured' ? `${redis.version} ` : ''}SET, appendfsync always, 50 clients`;
  const title = what.padEnd(TITLE_WIDTH);
  if (redis.kind === 'absent') return `${title} not run: ${redis.why}`;
  const rate = `${Math.round(redis.perSecond).toLocaleString('en')}/s`;
  if (gomsgPerSecond === undefined) return `${title} ${rate}; no row kv-set-50 beside it`;
  const ratio = gomsgPerSecond / redis.perSecond;
  const verdict = verdictText({ target: `≥ ${REDIS_RATIO_MIN}`, met: ratio >= REDIS_RATIO_MIN });
  return `${title} ${rate}; gomsg has ${ratio.toFixed(2)} of it, ${verdict}`;
}

/** Resident set less the mapped pages of the store. */
export function ownBytes(memory: Memory): number {
  return memory.residentBytes - memory.storeBytes;
}

export function soakLine({ elapsed_ms, row, perSecond, memory }: SoakSample): string {
  const time = `${(elapsed_ms / 1000).toFixed(0)} s`.padStart(7);
  const rate = `${Math.round(perSecond).toLocaleString('en')}/s`.padStart(12);
  const use =
    memory === undefined
      ? 'memory unknown'
      : `resident ${megabytes(memory.residentBytes)}, store's pages ${megabytes(memory.storeBytes)}, rest ${megabytes(ownBytes(memory))}, anonymous ${megabytes(memory.anonymousBytes)}`;
  return `${time}  ${row.padEnd(22)}${rate}  ${use}`;
}

export function soakVerdict(samples: readonly SoakSample[]): string {
  const most = Math.max(
    ...samples.map(({ memory }) => (memory === undefined ? Number.NaN : ownBytes(memory))),
  );
  const met = Number.isNaN(most) ? undefined : most <= LOADED_BYTES_MAX;
  const figure = Number.isNaN(most) ? 'unknown' : megabytes(most);
  return `most resident memory without the store's mapped pages: ${figure}, ${verdictText({ target: `≤ ${megabytes(LOADED_BYTES_MAX)}`, met })}`;
}

/** The last line: how many targets were met. */
export function summary(verdicts: readonly Verdict[]): string {
  const hits = verdicts.filter(({ met }) => met === true).length;
  const misses = verdicts.filter(({ met }) => met === false).length;
  const unknown = verdicts.length - hits - misses;
  return `${hits} targets hit, ${misses} missed${unknown > 0 ? `, ${unknown} unknown on this machine` : ''}`;
}
