/**
 * What the write-ahead log costs: microseconds of CPU a record, and the latency of a flush.
 *
 *     npx node bench/src/wal.ts [--directory <folder on the disk to measure>]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { LogEntry } from '../../server/src/wal/group-log.ts';
import { Wal } from '../../server/src/wal/wal.ts';

const { values } = parseArgs({ options: { directory: { type: 'string' } } });

/** Records a flush and bytes a record, from a lone call to a full turn. */
const SHAPES = [
  { records: 1, bytes: 100 },
  { records: 16, bytes: 100 },
  { records: 256, bytes: 32 },
  { records: 256, bytes: 100 },
  { records: 1000, bytes: 100 },
  { records: 4, bytes: 16_384 },
  { records: 1, bytes: 1_000_000 },
];

const GROUPS = 4;
const SECONDS_PER_SHAPE = 1.5;

console.log(
  'records/flush  bytes  append µs/record  memcpy µs/record  flush p50 ms  p99 ms  CPU µs/flush  records/s',
);
for (const shape of SHAPES) await measure(shape.records, shape.bytes);

async function measure(records: number, bytes: number): Promise<void> {
  const directory = fs.mkdtempSync(path.join(values.directory ?? os.tmpdir(), 'gomsg-wal-'));
  try {
    const wal = await Wal.open(directory);
    const data = new Uint8Array(bytes).fill(7);
    const last = new Array<number>(GROUPS + 1).fill(0);
    const flushMs: number[] = [];
    let appendMs = 0;
    let appended = 0;
    const turn = async () => {
      const batches = makeEntries(records, data, last);
      const started = performance.now();
      for (let group = 1; group <= GROUPS; group++) wal.append(group, batches[group]!);
      const buffered = performance.now();
      await new Promise<void>((resolve, reject) => wal.flush((error) => (error ? reject(error) : resolve())));
      flushMs.push(performance.now() - buffered);
      appendMs += buffered - started;
      appended += records;
      for (let group = 1; group <= GROUPS; group++) wal.release(group, last[group]! - 1000);
    };
    const warm = performance.now() + 500;
    while (performance.now() < warm) await turn();
    flushMs.length = 0;
    appendMs = 0;
    appended = 0;
    const cpu = process.cpuUsage();
    const started = performance.now();
    while (performance.now() - started < SECONDS_PER_SHAPE * 1000) await turn();
    const seconds = (performance.now() - started) / 1000;
    const used = process.cpuUsage(cpu);
    flushMs.sort((a, b) => a - b);
    const cells = [
      String(records).padStart(13),
      String(bytes).padStart(7),
      ((appendMs * 1000) / appended).toFixed(3).padStart(18),
      memcpyMicros(data).toFixed(3).padStart(18),
      flushMs[Math.floor(flushMs.length * 0.5)]!.toFixed(3).padStart(14),
      flushMs[Math.floor(flushMs.length * 0.99)]!.toFixed(3).padStart(8),
      ((used.user + used.system) / flushMs.length).toFixed(0).padStart(14),
      Math.round(appended / seconds)
        .toLocaleString('en')
        .padStart(11),
    ];
    console.log(cells.join(''));
    await wal.close();
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** The next entries of every group; one event-loop turn's worth. */
function makeEntries(records: number, data: Uint8Array, last: number[]): LogEntry[][] {
  const batches: LogEntry[][] = Array.from({ length: GROUPS + 1 }, () => []);
  for (let i = 0; i < records; i++) {
    const group = (i % GROUPS) + 1;
    last[group]!++;
    batches[group]!.push({ index: last[group]!, term: 3, kind: 0, data });
  }
  return batches;
}

/** Cost of the copy alone, which no log can save. */
function memcpyMicros(data: Uint8Array): number {
  const target = new Uint8Array(Math.max(1 << 20, data.length));
  const rounds = 50_000_000 / Math.max(data.length, 500);
  const started = performance.now();
  for (let i = 0, at = 0; i < rounds; i++) {
    if (at + data.length > target.length) at = 0;
    target.set(data, at);
    at += data.length;
  }
  return ((performance.now() - started) * 1000) / rounds;
}
