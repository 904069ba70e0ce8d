import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { bench } from './bench.ts';
import { type BenchOptions, parseOptions, UsageError } from './options.ts';
import { cpuTime_us, cpuTimeOfAll_us, hasProcessUsage, memory } from './process-usage.ts';
import { readBenchmark } from './redis.ts';
import { ROWS } from './rows/rows.ts';
import { ROW_TARGETS } from './targets.ts';
import { drive } from './workload.ts';

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'gomsg-bench-test-'));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe('the bench', () => {
  test('measures a row against a real server, reports it, and leaves nothing behind', async () => {
    const dataDir = folder();
    const json = join(folder(), 'result.json');
    const lines: string[] = [];
    const options = parseOptions([
      '--server',
      'source',
      '--seconds',
      '0.3',
      '--rows',
      'kv-set-50',
      '--data-dir',
      dataDir,
      '--json',
      json,
    ]);
    await bench(options as BenchOptions, (line) => lines.push(line));
    const { rows, server } = JSON.parse(readFileSync(json, 'utf8'));
    expect(rows).toHaveLength(1);
    expect(rows[0].operations).toBeGreaterThan(0);
    expect(rows[0].p50_ms).toBeGreaterThan(0);
    expect(rows[0].p99_ms).toBeGreaterThanOrEqual(rows[0].p50_ms);
    expect(rows[0].verdicts).toHaveLength(2);
    expect(server.firstAnswer_ms).toBeGreaterThan(0);
    if (hasProcessUsage) {
      // None, where so little was done that the clock did not turn.
      expect(rows[0].serverCpu_us).toEqual(expect.any(Number));
      expect(rows[0].memory.storeBytes).toBeLessThan(rows[0].memory.residentBytes);
    }
    const text = lines.join('\n');
    expect(text).toContain('fsync=always');
    expect(text).toMatch(/KV set, 50 in flight .*≥ 60,000\/s (hit|MISS)/);
    expect(text).toMatch(/\d+ targets hit, \d+ missed/);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  test('holds every target against a row that there is', () => {
    const ids = ROWS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of Object.keys(ROW_TARGETS)) expect(ids).toContain(id);
  });
});

describe('the command line', () => {
  test('runs every row for five seconds when it says nothing', () => {
    expect(parseOptions([])).toMatchObject({ seconds: 5, rows: ROWS.map(({ id }) => id), fsync: 'always' });
    expect(parseOptions(['--soak', '10m'])).toMatchObject({ soak_ms: 600_000 });
    expect(parseOptions(['--help'])).toBe('help');
  });

  test.each([
    ['--seconds', '0'],
    ['--seconds', 'x'],
    ['--rows', 'kv-set-50,nothing'],
    ['--soak', '10'],
    ['--fsync', 'never'],
    ['--server', 'docker'],
    ['--unknown', '1'],
  ])('refuses %s %s', (flag, value) => {
    expect(() => parseOptions([flag, value])).toThrow(UsageError);
  });
});

describe('driving a step', () => {
  test('keeps as many under way as asked, and counts those of the window alone', async () => {
    let underWay = 0;
    let most = 0;
    let steps = 0;
    const edges: string[] = [];
    const step = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      steps += 1;
      return 2;
    };
    const { operations, elapsed_ms, latency } = await drive(
      step,
      7,
      { warmUp_ms: 20, window_ms: 20 },
      (edge) => edges.push(edge),
    );
    expect(most).toBe(7);
    expect(edges).toEqual(['begin', 'end']);
    expect(operations).toBe(2 * latency.count);
    expect(latency.count).toBeLessThan(steps);
    expect(elapsed_ms).toBeGreaterThanOrEqual(20);
  });

  test('ends with the first error of a step', async () => {
    let steps = 0;
    const step = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (++steps === 10) throw new Error('the tenth');
      return 1;
    };
    await expect(drive(step, 3, { warmUp_ms: 1e6, window_ms: 1e6 }, () => {})).rejects.toThrow('the tenth');
  });
});

test('the rate of redis-benchmark is read from either form of its CSV', () => {
  const current = '"test","rps","avg_latency_ms"\n"SET","79365.08","0.552"\n';
  expect(readBenchmark(current)).toBe(79365.08);
  expect(readBenchmark('"SET","79365.08"\n')).toBe(79365.08);
  expect(() => readBenchmark('"GET","1"\n')).toThrow('no result for SET');
});

test.runIf(hasProcessUsage)(
  'CPU time of processes grows while they work, and is that of all together',
  () => {
    const before_us = cpuTime_us(process.pid)!;
    while (cpuTime_us(process.pid)! === before_us);
    const together_us = cpuTimeOfAll_us([process.pid, process.pid])!;
    expect(together_us).toBeGreaterThanOrEqual(2 * before_us + 20_000);
  },
);

test.runIf(hasProcessUsage)('memory of a process is its resident set and parts of it', () => {
  const found = memory(process.pid)!;
  expect(found.residentBytes).toBeGreaterThan(10 * 2 ** 20);
  expect(found.anonymousBytes).toBeLessThan(found.residentBytes);
});
