/** Runs the commands of the README against a fresh node and compares what they print. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ConsoleCommand, consoleCommands } from './console-blocks.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const README_ADDRESS = 'localhost:9000';

/** What differs from run to run, in the order in which it is replaced. */
const VARYING: readonly [RegExp, string][] = [
  // Left out while nothing is flushed, as JSON leaves out zeros.
  [/,"flushedIndex":"\d+"/g, ''],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/g, '<time>'],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>'],
  [/node-[0-9a-f]{8}/g, '<node>'],
  [/(localhost|127\.0\.0\.1):\d+/g, '<address>'],
  [/"(term|commitIndex|appliedIndex|flushedIndex|bytes)":"\d+"/g, '"$1":"<n>"'],
];

/** Notes that commands write only when standard error is a terminal. */
const TERMINAL_NOTE = /^.*; Ctrl-C ends\n?/gm;

const folder = mkdtempSync(join(tmpdir(), 'gomsg-readme-'));
const running = new Set<ChildProcess>();
let address = '';
let env: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  const built = spawnSync(join(bin, 'node'), ['scripts/build.ts', '--if-stale'], { cwd: root });
  if (built.status !== 0) throw new Error(`the build failed: ${built.stderr}`);
  env = { ...process.env, PATH: [join(root, 'bin'), bin, process.env.PATH].join(delimiter), TZ: 'UTC' };
  const server = start(`gomsg --port=0 --data-dir="${join(folder, 'data')}" --log-format=json`);
  for await (const line of createInterface({ input: server.stderr as NodeJS.ReadableStream })) {
    const port = / serves on \S+:(\d+)"/.exec(line)?.[1];
    if (port === undefined) continue;
    address = `localhost:${port}`;
    break;
  }
  if (address === '') throw new Error('the node did not start');
  (server.stderr as NodeJS.ReadableStream).resume();
  env = { ...env, GOMSG_SERVER: address };
});

afterAll(async () => {
  for (const child of running) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

/** The shell becomes the command, so that a signal reaches it. */
function start(command: string): ChildProcess {
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function here({ command }: ConsoleCommand): string {
  return command.replaceAll(README_ADDRESS, address);
}

function normal(text: string): string {
  let result = text.replace(TERMINAL_NOTE, '').trimEnd();
  for (const [pattern, name] of VARYING) result = result.replace(pattern, name);
  return result;
}

/** Streams that were begun so far. */
async function streamsBegun(): Promise<number> {
  const metrics = await (await fetch(`http://${address}/metrics`)).text();
  const counts = metrics.matchAll(
    /^gomsg_rpc_started_total\{.*method="(?:Subscribe|Consume|Watch)"\} (\d+)/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** A write that changes nothing that a command shows: writes begun before it are applied once it is answered. */
async function passThroughLog(): Promise<void> {
  const url = `http://${address}/gomsg.v1.PipelineService/OpenSession`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(answer.status).toBe(200);
}

function run(example: ConsoleCommand): string {
  // As in a terminal, where both go to one place.
  const { stdout } = spawnSync('sh', ['-c', `exec 2>&1\n${here(example)}`], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  // What npm itself has to say is not the command's.
  return stdout.replace(/^npm .*\n/gm, '');
}

interface Running {
  readonly example: ConsoleCommand;
  readonly child: ChildProcess;
  printed: string;
}

/** Resolves once its stream is in place, for which it may have had to create its queue or topic. */
async function startUntilInterrupted(example: ConsoleCommand): Promise<Running> {
  const before = await streamsBegun();
  const child = start(here(example));
  const started: Running = { example, child, printed: '' };
  child.stdout?.on('data', (bytes: Buffer) => {
    started.printed += bytes.toString();
  });
  await vi.waitFor(async () => expect(await streamsBegun()).toBe(before + 1), { timeout: 30_000 });
  await passThroughLog();
  return started;
}

/** Waits for what it has to print, then sends it Ctrl-C. */
async function interrupt(started: Running): Promise<void> {
  const { example, child } = started;
  await vi.waitFor(() => expectPrinted(example, started.printed), { timeout: 30_000 });
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
  expectPrinted(example, started.printed);
}

function expectPrinted(example: ConsoleCommand, printed: string): void {
  expect(normal(printed), `line ${example.line}: ${example.command}`).toBe(normal(example.printed));
}

describe('the README', () => {
  it('prints what the commands print', { timeout: 300_000 }, async () => {
    const examples = consoleCommands(readFileSync(join(root, 'README.md'), 'utf8'));
    expect(examples.length).toBeGreaterThan(20);
    let waiting: Running[] = [];
    for (const [at, example] of examples.entries()) {
      if (example.interrupted) waiting.push(await startUntilInterrupted(example));
      else expectPrinted(example, run(example));
      if (examples[at + 1]?.section === example.section) continue;
      for (const started of waiting) await interrupt(started);
      waiting = [];
    }
  });
});

describe('a console block', () => {
  it('is commands with what they print', () => {
    const page =
      '# Title\n```console\n$ one \\\n  more\nfirst\nsecond\n$ two\n$ three\nlast\n^C\n```\n```sh\n$ not this\n```\n';
    const section = '# Title';
    expect(consoleCommands(page)).toEqual([
      { command: 'one \\\n  more', printed: 'first\nsecond', interrupted: false, line: 3, section },
      { command: 'two', printed: '', interrupted: false, line: 7, section },
      { command: 'three', printed: 'last', interrupted: true, line: 8, section },
    ]);
  });

  it('begins with a command and has an end', () => {
    expect(() => consoleCommands('```console\nprinted\n```')).toThrow('line 2');
    expect(() => consoleCommands('```console\n$ one')).toThrow('no end');
  });
});
