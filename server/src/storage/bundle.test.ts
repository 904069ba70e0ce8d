import { execFile } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { openStore, temporaryFolder, textOf } from './testing/stores.ts';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it('the writer thread is found beside a bundle, too', async () => {
  const dist = temporaryFolder();
  const data = temporaryFolder();
  symlinkSync(source('../../../node_modules'), join(dist, 'node_modules'));
  await build({
    entryPoints: { main: source('./lmdb-store.ts'), 'lmdb-writer': source('./lmdb-writer.ts') },
    outdir: dist,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const script = `
    import { openLmdbStore } from ${JSON.stringify(join(dist, 'main.js'))};
    const store = await openLmdbStore(${JSON.stringify(data)}, { onFatal: (error) => { throw error; } });
    store.put('key', Buffer.from('from the bundle'));
    await store.checkpoint();
    await store.close();
  `;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const store = await openStore(data);
  expect(textOf(store.get('key'))).toBe('from the bundle');
  await store.close();
});
