import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type BenchOptions, parseOptions, UsageError } from '../load/options.ts';
import { ClientProgramError } from '../sdks/programs.ts';
import { type Event, type Kind, parseEvent } from './event.ts';
import { type FailoverResult, failover } from './failover.ts';
import { FAULTS } from './lane-tally.ts';
import { phaseText } from './report.ts';
import { Waits } from './waits.ts';

/** A cluster that starts, and loses and gets back a node, on a machine that does other things too. */
const CLUSTER_TIMEOUT_MS = 120_000;

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'gomsg-bench-test-'));
  folders.push(path);
  return path;
}

afterEach(() => {
  vi.useRealTimers();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

test('a node is killed under the Node SDK and comes back: nothing is lost, and how long lanes waited is told', {
  timeout: CLUSTER_TIMEOUT_MS,
}, async () => {
  const dataDir = folder();
  const json = join(folder(), 'result.json');
  const lines: string[] = [];
  const flags = '--failover --sdk node --server source --lanes 2 --rounds 1 --groups 2';
  const options = parseOptions([...flags.split(' '), '--data-dir', dataDir, '--json', json]);
  const isWhole = await failover(options as BenchOptions, (line) => lines.push(line));
  expect(isWhole, lines.join('\n')).toBe(true);
  const [result]: FailoverResult[] = JSON.parse(readFileSync(json, 'utf8')).failover;
  expect(result!.phases.map(({ title }) => title)).toEqual(['steady', 'node1 killed', 'node1 back']);
  for (const { longest_ms } of result!.phases) expect(longest_ms.incr).toBeGreaterThan(0);
  for (const fault of FAULTS) expect(result!.faults[fault]).toBe(0);
  // In each phase every lane has some.
  const least = result!.phases.length * 2;
  expect(Math.min(result!.increments, result!.pushes, result!.publishes)).toBeGreaterThanOrEqual(least);
  expect(lines.at(-1)).toMatch(/^node: [\d,]+ increments, .*; nothing lost, nothing twice$/);
  expect(readdirSync(dataDir)).toEqual([]);
});

describe('waits', () => {
  function at(kind: Kind, at_ms: number, facts: Partial<Event> = {}): Event {
    return { kind, lane: 1, at: at_ms, ok: true, ...facts };
  }

  test('count in the phase in which they end', () => {
    vi.useFakeTimers({ now: 1_000 });
    const waits = new Waits(2);
    waits.take(at('incr', 1_010));
    waits.take(at('incr', 1_040));
    vi.setSystemTime(1_050);
    waits.begin('node1 killed');
    waits.take(at('incr', 1_045));
    waits.take(at('incr', 2_045));
    waits.take(at('incr', 2_050, { lane: 0 }));
    waits.take(at('push', 2_060, { ok: false, reason: 'NO_QUORUM' }));
    const [steady, killed] = waits.phases;
    expect(steady!.longest_ms.incr).toBe(30);
    expect(killed!.longest_ms.incr).toBe(1_000);
    expect([steady!.errors, killed!.errors]).toEqual([{}, { NO_QUORUM: 1 }]);
  });

  test('tell what has had no success since the newest phase began', () => {
    vi.useFakeTimers({ now: 1_000 });
    const waits = new Waits(2);
    expect(waits.missing()).toHaveLength(11);
    waits.take(at('publish', 1_001));
    expect(waits.missing()).not.toContain('publish in lane 1');
    expect(waits.missing()).not.toContain('commit in lane 1');
    vi.setSystemTime(1_002);
    waits.begin('node1 killed');
    expect(waits.missing()).toContain('publish in lane 1');
  });
});

test('the command line says how nodes fail: they are killed, or stand still for a while', () => {
  const parsed = (...flags: string[]) => parseOptions(['--failover', ...flags]) as BenchOptions;
  expect(parsed().fault).toBe('kill');
  expect(parsed('--fault', 'pause').fault).toBe('pause');
  expect(() => parsed('--fault', 'drown')).toThrow(new UsageError('--fault: give kill or pause, not drown'));
  expect(() => parseOptions(['--fault', 'kill'])).toThrow(/--failover/);
});

test('each phase is held against the target of its fault', () => {
  const waits = new Waits(1);
  waits.begin('node1 stopped');
  const now_ms = Date.now();
  for (const at of [now_ms, now_ms + 3_000]) waits.take({ kind: 'incr', lane: 0, at, ok: true });
  const phase = waits.phases[1]!;
  expect(phaseText('node', phase, 2_000)).toContain('≤ 2 MISS');
  expect(phaseText('node', phase, 7_000)).toContain('≤ 7 hit');
});

test('a line that is no event is refused', () => {
  expect(parseEvent('{"kind":"incr","lane":0,"at":1,"ok":true,"value":7}').value).toBe(7);
  for (const line of ['', 'null', '{}', '{"kind":"what","lane":0,"at":1,"ok":true}', 'Error: no']) {
    expect(() => parseEvent(line)).toThrow(ClientProgramError);
  }
});
