/** The package as it is published: packed, installed into an empty project, and used from there. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { NodeProcess } from '../../../server/src/testing/node-process.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));
const basic = join(folder, '..', '..', 'examples', 'nodejs', 'basic.js');

test('installs into an empty project and runs there as JavaScript, with its types', {
  timeout: 120_000,
}, async () => {
  const project = mkdtempSync(join(tmpdir(), 'gomsg-package-'));
  await using node = NodeProcess.start({ flags: [] });
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const dist = join(project, 'dist');
    run(process.execPath, join(folder, 'scripts', 'build.ts'), dist);
    const tarball = run('npm', 'pack', dist, '--silent').trim();
    writeFileSync(join(project, 'package.json'), '{"type": "module", "private": true}');
    run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', `./${tarball}`);
    cpSync(basic, join(project, 'basic.js'));
    const address = await node.ready;
    expect(run(process.execPath, 'basic.js', address)).toContain('event: 1 user login');

    writeFileSync(
      join(project, 'typed.ts'),
      `import { connect, type KVSetOptions, type QueueMessage } from '@gomsg/client';
       const client = connect();
       const options: KVSetOptions = { ttl: 3 };
       const value: Promise<string> = client.kv.get('x');
       // @ts-expect-error A key is a string.
       client.kv.set(5, 'x', options);
       client.queue.consume('q', (message: QueueMessage) => message.ack());
       void value;`,
    );
    const tsc = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url));
    const types = fileURLToPath(new URL('../../../node_modules/@types', import.meta.url));
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    run(process.execPath, tsc, ...flags, '--typeRoots', types, 'typed.ts');
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
