/** The buf templates of the repository, and how they are run. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Toolchain } from './suites.ts';
import { missingToolchain } from './toolchains.ts';

export interface Template {
  readonly path: string;
  /** What its plugins need beside Node. */
  readonly needs: readonly Toolchain[];
}

/** In order: the generator of the SDKs is itself generated in part. */
export const TEMPLATES: readonly Template[] = [
  { path: 'buf.gen.yaml', needs: [] },
  { path: 'server/src/transport/proto/buf.gen.yaml', needs: [] },
  { path: 'sdks/node/buf.gen.yaml', needs: [] },
  { path: 'sdks/go/buf.gen.yaml', needs: ['go'] },
  { path: 'sdks/python/buf.gen.yaml', needs: ['python'] },
  { path: 'conformance/buf.gen.yaml', needs: [] },
  { path: 'conformance/clients/node/buf.gen.yaml', needs: [] },
  { path: 'conformance/clients/go/buf.gen.yaml', needs: ['go'] },
  { path: 'conformance/clients/go/buf.gen.dispatch.yaml', needs: ['go'] },
  { path: 'conformance/clients/python/buf.gen.yaml', needs: ['python'] },
  { path: 'conformance/buf.gen.methods.yaml', needs: [] },
];

/** Runs the templates, into the repository or below another folder. False when one failed, which it has then said. */
export function generate(outputFolder = '.'): boolean {
  return TEMPLATES.every(({ path, needs }) => {
    const missing = needs.flatMap((toolchain) => missingToolchain(toolchain) ?? []);
    if (missing.length > 0) {
      console.error(`${path}: ${missing.join('\n')}`);
      return false;
    }
    if (needs.includes('python') && !run('node', 'scripts/python-env.ts')) return false;
    return run('buf', 'generate', '--template', path, '--output', outputFolder);
  });
}

/** Folders that templates write to, and whether a folder holds generated files only (`clean: true`). */
export function outFolders(): ReadonlyMap<string, { readonly isOnlyGenerated: boolean }> {
  return new Map(
    TEMPLATES.flatMap(({ path }) => {
      const { clean, plugins } = parse(readFileSync(path, 'utf8')) as BufGen;
      return plugins.map(({ out }) => [join(out), { isOnlyGenerated: clean === true }] as const);
    }),
  );
}

interface BufGen {
  readonly clean?: boolean;
  readonly plugins: readonly { readonly out: string }[];
}

function run(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'inherit' }).status === 0;
}
