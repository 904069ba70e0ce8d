/** The program as a process: pipes that close, signals, and what it loads. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExitCode } from './exit-codes.ts';
import { runCommand } from './testing/run-command.ts';
import { MAIN, MAIN_ENVIRONMENT, ServerProcess } from './testing/server-process.ts';

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.start({ storage: 'memory' });
});
afterAll(() => server?.remove());

function environment(): NodeJS.ProcessEnv {
  return { ...MAIN_ENVIRONMENT, GOMSG_SERVER: server.address };
}

describe('a pipe that closes', () => {
  it('ends the command quietly', async () => {
    const pairs = Array.from({ length: 5_000 }, (_, at) => [`piped:${at}`, 'x'.repeat(100)]).flat();
    await runCommand(['kv', 'mset', ...pairs], { server: server.address });
    const line = `"${process.execPath}" "${MAIN}" kv scan piped: | head -n 1; echo "$\{PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { env: environment(), encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: `piped:0\t${'x'.repeat(100)}\n0\n`, stderr: '' });
  });
});

describe('Ctrl-C', () => {
  it('ends a subscription with exit code 0', async () => {
    await runCommand('stream publish events first', { server: server.address });
    const child = spawn(process.execPath, [MAIN, 'stream', 'subscribe', 'events', '--from', 'start'], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(child.stdout), 'line');
    expect(line).toBe('first');
    const exit = once(child, 'exit');
    child.kill('SIGINT');
    expect(await exit).toEqual([ExitCode.done, null]);
  });

  it('ends a call that waits with exit code 130', async () => {
    const child = spawn(process.execPath, [MAIN, 'queue', 'pop', 'nothing', '--wait', '5m'], {
      env: environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exit = once(child, 'exit');
    await expect
      .poll(async () => (await runCommand('queue list nothing -o json', { server: server.address })).out, {
        timeout: 20_000,
      })
      .toContain('"consumers":1');
    child.kill('SIGINT');
    expect(await exit).toEqual([ExitCode.interrupted, null]);
  });
});

describe('the bundle', () => {
  it('loads the server, its store and its transports for serving alone', async () => {
    const { metafile } = await build({
      absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
      entryPoints: ['cli/src/main.ts'],
      outdir: 'dist',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      jsx: 'automatic',
      external: ['lmdb', '@node-rs/crc32'],
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    const outputs = metafile.outputs;
    const entry = Object.keys(outputs).find((path) => outputs[path]!.entryPoint === 'cli/src/main.ts')!;
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const { path: next, kind, external } of outputs[path]?.imports ?? []) {
        // Only what `gomsg` and `gomsg serve` import when they serve may lead to the server.
        const entryPoint = outputs[next]?.entryPoint ?? '';
        if (!external && !(kind === 'dynamic-import' && entryPoint.startsWith('server/'))) visit(next);
      }
    };
    visit(entry);
    const inputs = [...reached].flatMap((path) => Object.keys(outputs[path]!.inputs));
    expect(inputs).toEqual(expect.arrayContaining(['cli/src/commands/kv/watch.ts', 'sdks/node/src/raw.ts']));
    expect(inputs.filter((input) => /^server\/|connectrpc|\/pino|prom-client/.test(input))).toEqual([]);
  });
});
