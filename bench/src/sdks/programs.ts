/** The programs of the SDKs that the bench runs: what each is, and how it is built first. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const clients = join(root, 'bench', 'clients');

export interface ClientProgram {
  readonly sdk: string;
  /** Run once before, in `folder`. */
  readonly build: readonly [string, ...string[]] | undefined;
  readonly folder: string;
  readonly run: readonly [string, ...string[]];
}

export interface LoadProgram extends ClientProgram {
  /** Durable sets a second that it is held to, with 1,000 in flight. */
  readonly perSecondMin: number;
}

/** Durable sets, as many as it can. */
export const LOAD_PROGRAMS: readonly LoadProgram[] = [
  { ...node('load.ts'), perSecondMin: 50_000 },
  { ...go('.', 'bench-go'), perSecondMin: 50_000 },
  { ...python('load.py'), perSecondMin: 15_000 },
];

/** Work of all kinds, and what came of it. */
export const FAILOVER_PROGRAMS: readonly ClientProgram[] = [
  node('failover.ts'),
  go('./failover', 'bench-go-failover'),
  python('failover.py'),
];

/** A program of an SDK could not be built or run, or did not say what it is to say. */
export class ClientProgramError extends Error {
  override readonly name = 'ClientProgramError';
}

/** @throws ClientProgramError */
export function build({ sdk, build: command, folder }: ClientProgram): void {
  if (command === undefined) return;
  const [program, ...args] = command;
  const { status, error } = spawnSync(program, args, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    throw new ClientProgramError(
      `the ${sdk} program could not be built: ${error?.message ?? `exit code ${status}`}`,
    );
  }
}

function node(file: string): ClientProgram {
  return { sdk: 'node', build: undefined, folder: join(clients, 'node'), run: [process.execPath, file] };
}

function go(source: string, name: string): ClientProgram {
  const binary = join(root, 'dist', name);
  return {
    sdk: 'go',
    build: ['go', 'build', '-o', binary, source],
    folder: join(clients, 'go'),
    run: [binary],
  };
}

function python(file: string): ClientProgram {
  return {
    sdk: 'python',
    build: [process.execPath, join(root, 'scripts', 'python-env.ts')],
    folder: join(clients, 'python'),
    run: [join(root, 'sdks', 'python', '.venv', 'bin', 'python'), file],
  };
}
