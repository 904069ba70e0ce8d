/**
 * Copies what gomsg needs to run, and nothing else, into a folder: `bin/gomsg`, the bundle, the pinned Node, and the
 * packages that the bundle leaves out, with what these depend on.
 *
 *     node deploy/assemble.ts FOLDER
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `external` of `scripts/build.ts`: packages with native code. */
export const NATIVE_PACKAGES: readonly string[] = ['lmdb', '@node-rs/crc32'];

/**
 * What of a package never runs here: the C sources and their build files, declarations, maps, and builds for releases
 * of Node that are not the pinned one or for another C library than the image's.
 */
const OF_NO_USE = /^(dependencies|src|node_modules)$|\.(d\.c?ts|map|md|gyp)$|^node\.abi\d+\.|\.musl\.node$/;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The packages and everything they depend on; builds for other machines are not installed, and so not among them. */
export function packageClosure(names: readonly string[]): string[] {
  const found = new Set<string>();
  const visit = (name: string, wantedBy: string, isOptional: boolean): void => {
    if (found.has(name)) return;
    const manifestPath = join(modules, name, 'package.json');
    if (!existsSync(manifestPath)) {
      if (isOptional) return;
      throw new Error(`${wantedBy} needs ${name}, which is not in ${modules}: run npm install`);
    }
    found.add(name);
    const manifest: Manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
    // npm may list an optional dependency among the others too.
    const optional = manifest.optionalDependencies ?? {};
    for (const dependency of Object.keys({ ...manifest.dependencies, ...optional })) {
      visit(dependency, name, dependency in optional);
    }
  };
  for (const name of names) visit(name, 'the bundle', false);
  return [...found].sort();
}

/** Copies the native packages and what they need into the `node_modules` folder `target`. */
export function assemblePackages(target: string): void {
  for (const name of packageClosure(NATIVE_PACKAGES)) {
    const from = join(modules, name);
    copy(from, join(target, name), (path) => !relative(from, path).split('/').some(isOfNoUse));
  }
}

/** @param target made; what it held of an earlier run is replaced */
export function assemble(target: string): void {
  for (const part of ['bin', 'dist', 'node_modules']) {
    rmSync(join(target, part), { recursive: true, force: true });
  }
  copy(join(root, 'bin', 'gomsg'), join(target, 'bin', 'gomsg'));
  copy(join(root, 'deploy', 'healthcheck.sh'), join(target, 'bin', 'healthcheck'));
  // V8's compiled code belongs to the machine that wrote it.
  copy(join(root, 'dist'), join(target, 'dist'), (path) => !path.endsWith('.compile-cache'));
  assemblePackages(join(target, 'node_modules'));
  copy(join(modules, 'node', 'bin', 'node'), join(target, 'node_modules', 'node', 'bin', 'node'));
  mkdirSync(join(target, 'node_modules', '.bin'));
  symlinkSync('../node/bin/node', join(target, 'node_modules', '.bin', 'node'));
  for (const program of ['bin/gomsg', 'bin/healthcheck', 'node_modules/node/bin/node']) {
    chmodSync(join(target, program), 0o755);
  }
}

function isOfNoUse(name: string): boolean {
  return OF_NO_USE.test(name);
}

function copy(from: string, to: string, filter: (path: string) => boolean = () => true): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, dereference: true, filter });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = process.argv[2];
  if (target === undefined) {
    console.error('usage: node deploy/assemble.ts FOLDER');
    process.exit(2);
  }
  assemble(resolve(target));
}
