/** The load programs of the SDKs: what each runs, and how it is built first. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const clients = join(root, 'bench', 'clients');

export interface LoadProgram {
  readonly sdk: string;
  /** Run once before, in `folder`. */
  readonly build: readonly [string, ...string[]] | undefined;
  readonly folder: string;
  readonly run: readonly [string, ...string[]];
  /** Durable sets a second that it is held to, with 1,000 in flight. */
  readonly perSecondMin: number;
}

export const LOAD_PROGRAMS: readonly LoadProgram[] = [
  {
    sdk: 'node',
    build: undefined,
    folder: join(clients, 'node'),
    run: [process.execPath, 'load.ts'],
    perSecondMin: 50_000,
  },
  {
    sdk: 'go',
    build: ['go', 'build', '-o', join(root, 'dist', 'bench-go'), '.'],
    folder: join(clients, 'go'),
    run: [join(root, 'dist', 'bench-go')],
    perSecondMin: 50_000,
  },
  {
    sdk: 'python',
    build: [process.execPath, join(root, 'scripts', 'python-env.ts')],
    folder: join(clients, 'python'),
    run: [join(root, 'sdks', 'python', '.venv', 'bin', 'python'), 'load.py'],
    perSecondMin: 15_000,
  },
];
