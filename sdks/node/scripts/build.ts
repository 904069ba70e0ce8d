/**
 * Builds the package that is published: `dist/`, compiled JavaScript with declarations and a package.json of its own.
 * `npm run pack -w @gomsg/client` makes the tarball of it. An argument names another folder to build into.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = resolve(folder, process.argv[2] ?? 'dist');

const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
const { bin } = JSON.parse(readFileSync(typescript, 'utf8')) as { bin: { tsc: string } };

rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(dirname(typescript), bin.tsc), '-p', join(folder, 'tsconfig.build.json'), '--outDir', dist],
  { stdio: 'inherit' },
);
cpSync(join(folder, 'src', 'gen'), join(dist, 'gen'), { recursive: true });
cpSync(join(folder, 'README.md'), join(dist, 'README.md'));
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(publishedManifest(), undefined, 2)}\n`);

/** The manifest with its entries at compiled files. */
function publishedManifest(): object {
  const {
    private: _private,
    scripts: _scripts,
    exports,
    ...manifest
  } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    private?: boolean;
    scripts?: object;
    exports: Record<string, string>;
  };
  return {
    ...manifest,
    exports: Object.fromEntries(
      Object.entries(exports).map(([name, path]) => [
        name,
        path.replace('./src/', './').replace(/\.ts$/, '.js'),
      ]),
    ),
  };
}
