/** Imports that end early, and servers that go away: nothing is lost, nothing comes twice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExitCode } from '../exit-codes.ts';
import { jsonLines, runCommand } from '../testing/run-command.ts';
import { MAIN, MAIN_ENVIRONMENT, ServerProcess } from '../testing/server-process.ts';
import { until } from '../testing/until.ts';
import type { Checkpoint } from './checkpoint.ts';

const ROWS = 6_000;
/** Small batches: many places to be interrupted at. */
const BATCH = 25;

/** Processes that start again and again take their time on a busy machine. */
const CRASH_TEST_TIMEOUT_MS = 60_000;

let server: ServerProcess;
let file: string;
const lines = Array.from({ length: ROWS }, (_, at) =>
  JSON.stringify({ id: at, name: `row ${at}`, blob: String((at * 2_654_435_761) % 2 ** 32).repeat(4) }),
);

beforeAll(async () => {
  server = await ServerProcess.start({ storage: 'lmdb' });
  file = join(server.folder, 'rows.ndjson');
  writeFileSync(file, `${lines.join('\n')}\n`);
});
afterAll(() => server?.remove());

function gomsg(line: string, options: { signal?: AbortSignal; stdin?: string } = {}) {
  return runCommand(line, { server: server.address, ...options });
}

/** Resolves once the record in `state` says that some rows are in. */
function rowsImported(state: string, rows: number): Promise<true> {
  return until(`${rows} rows are imported`, () => {
    if (!existsSync(state)) return undefined;
    const { position }: Checkpoint = JSON.parse(readFileSync(state, 'utf8'));
    return position.rows >= rows || undefined;
  });
}

/** A command in a process of its own, to be killed. */
function spawnCommand(line: string): ChildProcess {
  return spawn(process.execPath, [MAIN, ...line.split(' ')], {
    env: { ...MAIN_ENVIRONMENT, GOMSG_SERVER: server.address },
    stdio: 'ignore',
  });
}

async function exportedLines(line: string): Promise<string[]> {
  const { exitCode, out, err } = await gomsg(`${line} - --whole-record`);
  if (exitCode !== ExitCode.done) throw new Error(err);
  return out.trimEnd().split('\n');
}

const TARGETS = [
  { name: 'a queue', target: 'queue', options: '', exactOrder: true },
  { name: 'a topic', target: 'stream', options: '', exactOrder: true },
  { name: 'keys', target: 'kv', options: '--key-field id --key-prefix', exactOrder: false },
] as const;

/** `queue import killed FILE`, or for keys `kv import FILE --key-field id --key-prefix killed:`. */
function importLine({ target, options }: (typeof TARGETS)[number], name: string): string {
  const common = `${file} --batch ${BATCH} --state ${stateOf(target, name)}`;
  return target === 'kv' ? `kv import ${common} ${options} ${name}:` : `${target} import ${name} ${common}`;
}

function stateOf(target: string, name: string): string {
  return join(server.folder, `${target}-${name}.state`);
}

/** Every row once; in their order where there is one. */
async function expectEveryRowOnce(
  { target, exactOrder }: (typeof TARGETS)[number],
  name: string,
): Promise<void> {
  const exported = await exportedLines(
    target === 'kv' ? `kv export --prefix ${name}:` : `${target} export ${name}`,
  );
  expect(exported.length).toBe(ROWS);
  if (exactOrder) expect(exported).toEqual(lines);
  else expect(exported.toSorted()).toEqual(lines.toSorted());
  if (target === 'queue')
    expect(jsonLines(await gomsg(`queue stats ${name} -o json`))[0]).toMatchObject({ pushedTotal: ROWS });
}

describe('imports into a queue, a topic and keys at a time', () => {
  it('go through kill -9 of the server, twice', { timeout: CRASH_TEST_TIMEOUT_MS }, async () => {
    const name = 'server-killed';
    const importing = TARGETS.map((target) => gomsg(importLine(target, name)));
    for (const rows of [ROWS * 0.2, ROWS * 0.6]) {
      // The others are elsewhere in the file, so that each meets its own moments.
      await Promise.any(TARGETS.map(({ target }) => rowsImported(stateOf(target, name), rows)));
      await server.kill();
      await server.restart();
    }
    for (const { exitCode, out, err } of await Promise.all(importing)) {
      expect({ exitCode, err }).toEqual({ exitCode: ExitCode.done, err: '' });
      expect(out).toMatch(/^imported 6,000 rows in /);
    }
    for (const target of TARGETS) {
      expect(existsSync(stateOf(target.target, name))).toBe(false);
      await expectEveryRowOnce(target, name);
    }
  });
});

describe.each(TARGETS)('an import into $name', (target) => {
  it('is gone on with by --resume after kill -9 of the client, twice', {
    timeout: CRASH_TEST_TIMEOUT_MS,
  }, async () => {
    const name = 'client-killed';
    const line = importLine(target, name);
    for (const [run, rows] of [ROWS * 0.2, ROWS * 0.6].entries()) {
      const child = spawnCommand(run === 0 ? line : `${line} --resume`);
      const exit = once(child, 'exit');
      await rowsImported(stateOf(target.target, name), rows);
      child.kill('SIGKILL');
      await exit;
    }
    const { exitCode, err } = await gomsg(`${line} --resume`);
    expect({ exitCode, err }).toEqual({ exitCode: ExitCode.done, err: '' });
    await expectEveryRowOnce(target, name);
    expect((await gomsg(`${line} --resume`)).err).toMatch(/there is no unfinished import/);
  });

  it('stops between two batches at Ctrl-C and is gone on with', async () => {
    const name = 'interrupted';
    const interruption = new AbortController();
    const importing = gomsg(importLine(target, name), { signal: interruption.signal });
    await rowsImported(stateOf(target.target, name), ROWS * 0.2);
    interruption.abort();
    const stopped = await importing;
    expect(stopped.exitCode).toBe(ExitCode.interrupted);
    expect(stopped.err).toContain('--resume');
    expect(await gomsg(importLine(target, name))).toMatchObject({ exitCode: ExitCode.usage });
    expect(await gomsg(`${importLine(target, name)} --resume`)).toMatchObject({ exitCode: ExitCode.done });
    await expectEveryRowOnce(target, name);
  });
});

describe('an import', () => {
  it('gives up on a server that stays away, and is gone on with', async () => {
    const state = join(server.folder, 'away.state');
    const line = `stream import away ${file} --batch ${BATCH} --state ${state}`;
    const importing = gomsg(`${line} --retry-for 200ms`);
    await rowsImported(state, ROWS * 0.2);
    await server.kill();
    const { exitCode, err } = await importing;
    await server.restart();
    expect(exitCode).toBe(ExitCode.unreachable);
    expect(err).toMatch(/^gomsg: rows \d+ to \d+: /);
    expect(await gomsg(`${line} --resume`)).toMatchObject({ exitCode: ExitCode.done });
    expect(await exportedLines('stream export away')).toEqual(lines);
  });

  it('refuses to go on with another file, other options or another target', async () => {
    const state = join(server.folder, 'other.state');
    const interruption = new AbortController();
    const importing = gomsg(`queue import other ${file} --batch ${BATCH} --state ${state}`, {
      signal: interruption.signal,
    });
    await rowsImported(state, BATCH);
    interruption.abort();
    await importing;
    const other = join(server.folder, 'other.ndjson');
    writeFileSync(other, '{"a":1}\n'.repeat(100_000));
    const refusals = [
      [`queue import other ${other} --state ${state} --resume`, /is not the file/],
      [`queue import other ${file} --priority 3 --state ${state} --resume`, /other options/],
      [`stream import other ${file} --state ${state} --resume`, /into queue other/],
    ] as const;
    for (const [line, message] of refusals) {
      const { exitCode, err } = await gomsg(line);
      expect(exitCode).toBe(ExitCode.usage);
      expect(err).toMatch(message);
    }
  });

  it('stops at a bad row, or leaves it out and counts it', async () => {
    const bad = join(server.folder, 'bad.ndjson');
    writeFileSync(bad, '{"key":"bad:1","value":"a"}\n{"key":"bad:2"}\noops\n{"key":"bad:4","value":"b"}\n');
    const stopped = await gomsg(`kv import ${bad}`);
    expect(stopped.exitCode).toBe(ExitCode.failed);
    expect(stopped.err).toMatch(/^gomsg: row 2: has no field value/);
    expect(existsSync(`${bad}.gomsg-import`)).toBe(false);
    const { exitCode, out, err } = await gomsg(`kv import ${bad} --skip-bad -o json`);
    expect(exitCode).toBe(ExitCode.done);
    expect(JSON.parse(out)).toMatchObject({ rows: 2, leftOut: 2 });
    expect(err).toMatch(/row 2 left out: .*\ngomsg: row 3 left out: /);
    expect((await gomsg('kv keys bad:*')).out).toBe('bad:1\nbad:4\n');
  });

  it('of a file that is not there says so', async () => {
    const { exitCode, err } = await gomsg('kv import no-such-file.csv');
    expect({ exitCode, err }).toEqual({
      exitCode: ExitCode.failed,
      err: expect.stringMatching(/^gomsg: no-such-file.csv: ENOENT/),
    });
  });

  it('lets the later of two rows with one key win, however many batches are on their way', async () => {
    const twice = join(server.folder, 'twice.ndjson');
    const rows = Array.from({ length: 200 }, (_, at) =>
      JSON.stringify({ key: `twice:${at % 3}`, value: String(at) }),
    );
    writeFileSync(twice, rows.join('\n'));
    expect(await gomsg(`kv import ${twice} --batch 1`)).toMatchObject({ exitCode: ExitCode.done });
    expect((await gomsg('kv mget twice:0 twice:1 twice:2')).out).toBe(
      'twice:0\t198\ntwice:1\t199\ntwice:2\t197\n',
    );
  });

  it('reads standard input, and resumes it when told where it records', async () => {
    const stdin = lines.slice(0, 100).join('\n');
    expect(await gomsg('queue import piped -', { stdin })).toMatchObject({ exitCode: ExitCode.done });
    expect(await exportedLines('queue export piped')).toEqual(lines.slice(0, 100));
    expect(await gomsg('queue import piped - --resume', { stdin })).toMatchObject({
      exitCode: ExitCode.usage,
    });
  });
});

describe('an export', () => {
  it('of values, times and headers comes back as it was through NDJSON and CSV', async () => {
    await gomsg('kv set back:text a,"b');
    await gomsg('kv set back:brief x --ttl 1h');
    await runCommand(['kv', 'set', 'back:bytes', '-'], {
      server: server.address,
      stdin: Uint8Array.of(255, 0, 10),
    });
    const before = jsonLines(await gomsg('kv scan back: -o json'));
    for (const extension of ['ndjson', 'csv', 'tsv']) {
      const path = join(server.folder, `back.${extension}`);
      expect(await gomsg(`kv export ${path} --prefix back:`)).toMatchObject({ exitCode: ExitCode.done });
      await gomsg('kv del-pattern back:*');
      expect(await gomsg(`kv import ${path}`)).toMatchObject({ exitCode: ExitCode.done });
      const after = jsonLines(await gomsg('kv scan back: -o json'));
      const content = ({ key, value, valueBase64, expiresAt }: Record<string, unknown>) => ({
        key,
        value,
        valueBase64,
        expires: expiresAt !== undefined,
      });
      expect(after.map(content)).toEqual(before.map(content));
      const [was, is] = [before, after].map((entries) => Date.parse(String(entries[0]!.expiresAt)));
      expect(Math.abs(is! - was!)).toBeLessThan(1_000);
    }
  });

  it('of partitions comes back into the same partitions', async () => {
    await gomsg('stream create parts --partitions 3');
    await gomsg('stream create parts-again --partitions 3');
    for (const partition of [2, 0, 1])
      await gomsg(`stream publish-batch parts a b c -p ${partition} --key k${partition}`);
    const path = join(server.folder, 'parts.csv');
    expect(await gomsg(`stream export parts ${path}`)).toMatchObject({ exitCode: ExitCode.done });
    expect(await gomsg(`stream import parts-again ${path} --keep-partitions`)).toMatchObject({
      exitCode: ExitCode.done,
    });
    const contents = async (topic: string) =>
      jsonLines(await gomsg(`stream export ${topic} -`)).map(({ publishedAt: _, ...message }) => message);
    expect(await contents('parts-again')).toEqual(await contents('parts'));
  });

  it('with --drain moves the messages and leaves none behind', async () => {
    await gomsg('queue push drained high --priority 5');
    await gomsg('queue push-batch drained a b --headers h=1');
    const path = join(server.folder, 'drained.ndjson');
    expect(await gomsg(`queue export drained ${path} --drain`)).toMatchObject({ exitCode: ExitCode.done });
    expect(jsonLines(await gomsg('queue stats drained -o json'))[0]).toMatchObject({
      ready: 0,
      inFlight: 0,
      ackedTotal: 3,
    });
    await gomsg('queue push drained later');
    expect(await gomsg(`queue export drained ${path} --drain`)).toMatchObject({ exitCode: ExitCode.done });
    expect(await gomsg(`queue import drained ${path}`)).toMatchObject({ exitCode: ExitCode.done });
    const payloads = jsonLines(await gomsg('queue pop drained -n 10 -o json')).map(({ payload, headers }) => [
      payload,
      headers,
    ]);
    expect(payloads).toEqual([
      ['high', {}],
      ['a', { h: '1' }],
      ['b', { h: '1' }],
      ['later', {}],
    ]);
  });

  it('that fails leaves no half of a file behind', async () => {
    const path = join(server.folder, 'half.ndjson');
    expect(await gomsg(`stream export no-such-topic ${path}`)).toMatchObject({ exitCode: ExitCode.no });
    expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false]);
  });
});
