/** The SDKs and how their client programs are built and run. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the suite, and that of the repository around it. */
export const CONFORMANCE = dirname(dirname(fileURLToPath(import.meta.url)));
export const REPOSITORY = dirname(CONFORMANCE);

/** What building makes; not committed. */
export const BUILD = join(CONFORMANCE, '.build');

/** A program with its arguments. */
export type Command = readonly [string, ...string[]];

export interface Sdk {
  readonly name: string;
  /** Folder in which its commands run. */
  readonly cwd: string;
  /** Run once before the first client program; undefined = nothing is to be built. */
  readonly build: Command | undefined;
  readonly run: Command;
  readonly env: Readonly<Record<string, string>>;
}

const clients = join(CONFORMANCE, 'clients');

export const SDKS: readonly Sdk[] = [
  {
    name: 'go',
    cwd: join(clients, 'go'),
    build: ['go', 'build', '-o', join(BUILD, 'go-client'), '.'],
    run: [join(BUILD, 'go-client')],
    env: {},
  },
  {
    name: 'python',
    cwd: join(clients, 'python'),
    build: [process.execPath, join(REPOSITORY, 'scripts', 'python-env.ts')],
    run: [join(REPOSITORY, 'sdks', 'python', '.venv', 'bin', 'python'), 'main.py'],
    env: { PYTHONUNBUFFERED: '1' },
  },
  {
    name: 'node',
    cwd: join(clients, 'node'),
    build: undefined,
    run: [process.execPath, 'main.ts'],
    env: { NODE_COMPILE_CACHE: join(BUILD, 'node-compile-cache') },
  },
];

export const SDK_NAMES: readonly string[] = SDKS.map(({ name }) => name);

export function makeBuildFolder(): void {
  mkdirSync(BUILD, { recursive: true });
}
