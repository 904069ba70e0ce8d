/** Command lines as such: which are a client's, which are wrong, and what is said then. */
import { describe, expect, it, vi } from 'vitest';
import { ExitCode } from './exit-codes.ts';
import { argumentsOfServer, run } from './run.ts';
import { captureStreams } from './testing/captured-streams.ts';
import { runCommand } from './testing/run-command.ts';
import { VERSION } from './version.ts';

/** Nobody listens there: TCP reserves it. */
const NOBODY = '127.0.0.1:1';

describe('a command line', () => {
  it.each([
    [[], []],
    [['serve'], []],
    [['serve', '--port=1'], ['--port=1']],
    [
      ['--cluster', '--node-id=node1', '--port=9000', '--bootstrap'],
      ['--cluster', '--node-id=node1', '--port=9000', '--bootstrap'],
    ],
  ])('%j is the server’s', async (line, flags) => {
    expect(argumentsOfServer(line)).toEqual(flags);
    const serve = vi.fn(async () => 0);
    const onClientStart = vi.fn();
    await run(line, {
      streams: captureStreams(),
      signal: new AbortController().signal,
      onClientStart,
      serve,
    });
    expect(serve).toHaveBeenCalledExactlyOnceWith(flags);
    expect(onClientStart).not.toHaveBeenCalled();
  });

  it.each([
    [['kv', 'get', 'name']],
    [['--help']],
    [['--version']],
    [['help']],
    [['--server', 'localhost:1', 'kv', 'get', 'name']],
    [['--server=localhost:1', 'kv', 'get', 'name']],
    [['-o', 'json', 'kv', 'get', 'name']],
    [['-ojson', 'kv', 'get', 'name']],
  ])('%j is a client’s', (line) => {
    expect(argumentsOfServer(line)).toBeUndefined();
  });
});

describe('help', () => {
  it('of the program names the services and the exit codes', async () => {
    const { exitCode, out } = await runCommand('--help');
    expect(exitCode).toBe(ExitCode.done);
    for (const word of [
      'kv',
      'queue',
      'stream',
      'cluster',
      'serve',
      'completion',
      'Exit codes',
      '--server',
    ]) {
      expect(out).toContain(word);
    }
  });

  it('of a service lists its commands, and of a command its options', async () => {
    expect((await runCommand('help kv')).out).toMatch(/set\|put.*\n.*get/);
    expect((await runCommand('kv --help')).out).toContain('del-pattern');
    const { out } = await runCommand('kv set --help');
    for (const word of ['--if-absent', '--ttl <duration>', 'Common options:', '--timeout', 'Examples:']) {
      expect(out).toContain(word);
    }
  });

  it('of the server lists its settings', async () => {
    const { exitCode, out } = await runCommand('serve --help');
    expect(exitCode).toBe(ExitCode.done);
    expect(out).toContain('--data-dir');
  });

  it('tells the version', async () => {
    expect(await runCommand('--version')).toMatchObject({ exitCode: ExitCode.done, out: `${VERSION}\n` });
  });
});

describe('a wrong command line exits 2 and says why:', () => {
  it.each([
    ['kv gett name', /unknown command 'gett'[\s\S]*Did you mean get/],
    ['kvv', /unknown command 'kvv'[\s\S]*Did you mean kv/],
    ['kv get', /missing required argument 'key'/],
    ['kv get a b', /too many arguments/],
    ['kv get a --nope', /unknown option '--nope'/],
    ['kv set a b --ttl soon', /--ttl <duration>.*expected a duration such as/],
    ['kv set a', /the value is missing/],
    ['kv set a b --if-absent --if-present', /exclude each other/],
    ['kv get a -o xml', /expected one of text, json/],
    ['queue push q x --priority 256', /from 0 to 255/],
    ['queue peek q --state lost', /ready, delayed, in-flight, dead/],
    ['stream subscribe t --consumer c --group g', /exclude each other/],
    ['kv import data.xyz', /--format/],
    ['completion tcsh', /bash, zsh, fish/],
  ])('%s', async (line, message) => {
    const { exitCode, out, err } = await runCommand(line, { server: NOBODY });
    expect(err).toMatch(message);
    expect({ exitCode, out }).toEqual({ exitCode: ExitCode.usage, out: '' });
  });

  it('a service without a command shows its help', async () => {
    const { exitCode, err } = await runCommand('kv');
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toContain('del-pattern');
  });

  it('a wrong variable', async () => {
    const { exitCode, err } = await runCommand('kv get a', { env: { GOMSG_OUTPUT: 'xml' } });
    expect({ exitCode, err }).toEqual({
      exitCode: ExitCode.usage,
      err: expect.stringContaining('text, json'),
    });
  });
});

describe('no server', () => {
  it('exits 3 and says how to get one', async () => {
    const { exitCode, err } = await runCommand('kv get name', { server: NOBODY });
    expect(exitCode).toBe(ExitCode.unreachable);
    expect(err).toMatch(/^gomsg: no server answers at 127\.0\.0\.1:1 .*\nStart one with "gomsg"/);
  });

  it('is told to scripts as JSON', async () => {
    const { err } = await runCommand('kv get name -o json', { server: NOBODY });
    expect(JSON.parse(err)).toMatchObject({
      error: { exitCode: ExitCode.unreachable, reason: 'UNSPECIFIED' },
    });
  });
});
