/** Redis beside gomsg: the same machine, disk and minute, every write synced before its answer, 50 clients. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { keptPort } from '../../../server/src/testing/ports.ts';
import { KEYS, VALUE } from './rows/keys.ts';

export type RedisResult =
  | { readonly kind: 'measured'; readonly version: string; readonly perSecond: number }
  | { readonly kind: 'absent'; readonly why: string };

const CLIENTS = 50;
/** Requests from whose time the number for the measured run is reckoned; redis-benchmark takes no duration. */
const TRIAL_REQUESTS = 20_000;
const START_TRIES = 200;
const TRY_EVERY_MS = 25;

/** Measures Redis for about `seconds`, in a data folder of its own under `dataDir`. */
export async function measureRedis(dataDir: string, seconds: number): Promise<RedisResult> {
  const version = versionOf('redis-server');
  if (version === undefined) return { kind: 'absent', why: 'no redis-server on the PATH' };
  if (versionOf('redis-benchmark') === undefined)
    return { kind: 'absent', why: 'no redis-benchmark on the PATH' };
  const folder = mkdtempSync(join(dataDir, 'redis-bench-'));
  const port = await keptPort();
  const server = spawn(
    'redis-server',
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
    ],
    { stdio: 'ignore' },
  );
  const kill = () => server.kill('SIGKILL');
  process.on('exit', kill);
  try {
    await accepting(server, port);
    const trial = await benchmark(port, TRIAL_REQUESTS);
    const perSecond = await benchmark(port, Math.ceil(trial * seconds));
    return { kind: 'measured', version, perSecond };
  } finally {
    process.off('exit', kill);
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit');
      kill();
      await exited;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchmark(port: number, requests: number): Promise<number> {
  const args = [
    '-p',
    port,
    '-t',
    'set',
    '-c',
    CLIENTS,
    '-n',
    requests,
    '-d',
    VALUE.length,
    '-r',
    KEYS,
    '--csv',
  ];
  const { stdout } = await promisify(execFile)('redis-benchmark', args.map(String));
  return readBenchmark(stdout);
}

/** Requests a second from `redis-benchmark --csv`. @throws Error when it has no line for SET */
export function readBenchmark(csv: string): number {
  const [, rate] = /^"SET","([\d.]+)"/m.exec(csv) ?? [];
  if (rate === undefined) throw new Error(`redis-benchmark printed no result for SET:\n${csv}`);
  return Number(rate);
}

function versionOf(program: string): string | undefined {
  try {
    const text = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? text.trim();
  } catch {
    // Not there, which is an answer.
    return undefined;
  }
}

async function accepting(server: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries++) {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
    if (await connects(port)) return;
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
  throw new Error('redis-server does not accept connections');
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    const done = (connected: boolean) => {
      socket.destroy();
      resolve(connected);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
