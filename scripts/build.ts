/**
 * Bundles gomsg into `dist/`, for a quick start: one file instead of a thousand. With `--if-stale` it first looks
 * whether any file that went into the last build has changed since.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
/** Written last: what the build was made from. Its time is the time of the build. */
const recordPath = join(dist, 'inputs.json');

/** Decide about the build without being bundled: a change to one of them makes the build stale too. */
const EXTRA_INPUTS = ['package-lock.json', 'scripts/build.ts'];

const options = {
  absWorkingDir: root,
  entryPoints: { gomsg: 'cli/src/main.ts', 'lmdb-writer': 'server/src/storage/lmdb-writer.ts' },
  outdir: dist,
  bundle: true,
  // What a command imports when it needs it stays in a file of its own: `gomsg kv get` never loads the server.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  sourcemap: true,
  // For debuggers; the sources themselves are in the repository.
  sourcesContent: false,
  jsx: 'automatic',
  // Native code finds its .node file relative to its own folder.
  external: ['lmdb', '@node-rs/crc32'],
  // Bundled CommonJS packages call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  write: false,
  metafile: true,
  logLevel: 'warning',
} satisfies BuildOptions;

if (!process.argv.includes('--if-stale') || isStale()) {
  try {
    await build();
  } catch (error) {
    // esbuild has shown what is wrong in the sources by then; its own stack adds nothing to that.
    if (!(error instanceof Error) || !('errors' in error)) throw error;
    process.exitCode = 1;
  }
}

function isStale(): boolean {
  if (!existsSync(recordPath)) return true;
  const builtAt = statSync(recordPath).mtimeMs;
  const inputs: string[] = JSON.parse(readFileSync(recordPath, 'utf8'));
  return inputs.some((input) => {
    const stats = statSync(join(root, input), { throwIfNoEntry: false });
    return stats === undefined || stats.mtimeMs > builtAt;
  });
}

async function build(): Promise<void> {
  const startedAt = Date.now();
  const esbuild = await import('esbuild');
  const { outputFiles, metafile } = await esbuild.build(options);
  mkdirSync(dist, { recursive: true });
  const previous = readdirSync(dist).filter((name) => /\.js(\.map)?$/.test(name));

  // Chunks carry a hash in their names, entries do not: written last and whole, an entry never names a chunk that
  // is not there yet, and a program that starts meanwhile gets the old build or the new one.
  const entryNames = Object.keys(options.entryPoints).map((name) => `${name}.js`);
  const entriesLast = outputFiles.toSorted(
    (a, b) => Number(entryNames.includes(basename(a.path))) - Number(entryNames.includes(basename(b.path))),
  );
  for (const { path, contents } of entriesLast) {
    const partial = `${path}.${process.pid}.partial`;
    writeFileSync(partial, contents);
    renameSync(partial, path);
  }
  const current = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of previous) {
    if (!current.has(name)) rmSync(join(dist, name), { force: true });
  }

  // V8's compiled code, kept by bin/gomsg, of files that are gone.
  rmSync(join(dist, '.compile-cache'), { recursive: true, force: true });

  const sources = Object.keys(metafile.inputs).filter((input) => !input.includes('node_modules/'));
  writeFileSync(recordPath, JSON.stringify([...EXTRA_INPUTS, ...sources], null, 1));
  // Dated by its start: a source that was saved while it ran must count as changed.
  utimesSync(recordPath, startedAt / 1000, startedAt / 1000);
  console.error(`Built dist/ in ${Date.now() - startedAt} ms.`);
}
