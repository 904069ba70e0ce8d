/** How a command finds its server: several addresses, and TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_CERTIFICATE, TEST_KEY } from '../../server/src/transport/testing/certificate.ts';
import { ExitCode } from './exit-codes.ts';
import { runCommand } from './testing/run-command.ts';
import { ServerProcess } from './testing/server-process.ts';

/** Nobody listens there: TCP reserves it. */
const NOBODY = '127.0.0.1:1';

let folder: string;
let certificate: string;
let key: string;
let server: ServerProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-cli-tls-'));
  certificate = join(folder, 'cert.pem');
  key = join(folder, 'key.pem');
  writeFileSync(certificate, TEST_CERTIFICATE);
  writeFileSync(key, TEST_KEY);
  const flags = [`--tls-cert=${certificate}`, `--tls-key=${key}`, `--tls-ca=${certificate}`];
  server = await ServerProcess.start({ storage: 'memory', flags });
});
afterAll(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const trusted = () => ['--cacert', certificate, '--client-cert', certificate, '--client-key', key];

describe('a server with TLS that asks for certificates', () => {
  it('is reached with the files that flags name, in front of the command or behind it', async () => {
    const { address } = server;
    expect((await runCommand([...trusted(), 'kv', 'set', 'k', 'v'], { server: address })).err).toBe('');
    const { exitCode, out } = await runCommand(['kv', 'get', 'k', ...trusted()], { server: address });
    expect({ exitCode, out }).toEqual({ exitCode: ExitCode.done, out: 'v' });
  });

  it('is reached with the files that variables name', async () => {
    const env = { GOMSG_CACERT: certificate, GOMSG_CLIENT_CERT: certificate, GOMSG_CLIENT_KEY: key };
    const { exitCode } = await runCommand('cluster status', { server: server.address, env });
    expect(exitCode).toBe(ExitCode.done);
  });

  it.each([
    ['without TLS', () => []],
    ['without a certificate', () => ['--cacert', certificate]],
    ['trusting the authorities of the system alone', () => ['--tls']],
  ])('is not reached %s', async (_how, flags) => {
    const line = ['kv', 'get', 'k', '--timeout', '2s', ...flags()];
    expect((await runCommand(line, { server: server.address })).exitCode).toBe(ExitCode.unreachable);
  });
});

describe('wrong files', () => {
  it.each([
    ['that is not there', () => ['--cacert', join(folder, 'none.pem')], /no such file.*none\.pem/],
    ['that holds something else', () => ['--cacert', process.execPath], /cannot be used/],
    ['without its key', () => ['--client-cert', certificate], /go together/],
    [
      'with a certificate for a key',
      () => ['--client-cert', certificate, '--client-key', certificate],
      /cannot be used/,
    ],
  ])('%s is refused before anything is sent', async (_what, flags, message) => {
    const { exitCode, err } = await runCommand(['kv', 'get', 'k', ...flags()], { server: NOBODY });
    expect(exitCode).toBe(ExitCode.usage);
    expect(err).toMatch(message);
  });
});

describe('several servers', () => {
  it('are tried until one answers', async () => {
    const servers = `${NOBODY},${server.address}`;
    const { exitCode } = await runCommand(['kv', 'exists', 'nothing', ...trusted()], { server: servers });
    expect(exitCode).toBe(ExitCode.no);
    const listed = ['--server', servers, ...trusted(), 'cluster', 'health'];
    expect((await runCommand(listed)).exitCode).toBe(ExitCode.done);
  });

  it('are all named when none answers', async () => {
    const { exitCode, err } = await runCommand('kv get k', { server: `${NOBODY},127.0.0.2:1` });
    expect(exitCode).toBe(ExitCode.unreachable);
    expect(err).toContain(`${NOBODY}, 127.0.0.2:1`);
  });
});
