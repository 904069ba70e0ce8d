/**
 * Makes sdks/python/.venv what the requirements say, with the package itself installed in editable mode. Does nothing
 * when it is right already, and waits when another process is at it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingToolchain } from './toolchains.ts';

const LOCK_POLL_MS = 100;
const LOCK_WAIT_MS = 10 * 60_000;

/** What an environment is made for; tests give a folder of their own. */
export interface PythonEnvironment {
  /** Folder of the package, with `requirements-dev.txt` and `pyproject.toml`. */
  readonly folder: string;
  /** Runs a program and tells whether it succeeded. */
  readonly run: (program: string, args: readonly string[], cwd: string) => boolean;
}

export const packageFolder = fileURLToPath(new URL('../sdks/python', import.meta.url));

/** True when it is right or was made right; false when a program failed, which has said why. */
export function preparePython({ folder, run }: PythonEnvironment): boolean {
  const environment = join(folder, '.venv');
  const stamp = join(environment, 'made-from');
  const wanted = fingerprint(folder);
  const isRight = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  if (isRight()) return true;
  return withLock(join(folder, '.venv.lock'), () => {
    if (isRight()) return true;
    const python = join(environment, 'bin', 'python');
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    // What is there is only brought up to date, unless it is of another Python: others may be using it.
    const isOfThisPython = existsSync(stamp) && readFileSync(stamp, 'utf8').startsWith(pythonVersion());
    const isMade =
      (isOfThisPython || run('python3', ['-m', 'venv', '--clear', environment], folder)) &&
      run(python, [...pip, '--requirement', 'requirements-dev.txt'], folder) &&
      run(python, [...pip, '--no-deps', '--no-build-isolation', '--editable', '.'], folder);
    if (isMade) writeFileSync(stamp, wanted);
    return isMade;
  });
}

/** What the environment depends on: changes when it is to be brought up to date. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256').update(readFileSync(join(folder, 'requirements-dev.txt')));
  // What the tools are told there changes nothing that is installed.
  const [project = ''] = readFileSync(join(folder, 'pyproject.toml'), 'utf8').split('[tool.');
  return `${pythonVersion()}\n${hash.update(project).digest('hex')}\n`;
}

function pythonVersion(): string {
  return spawnSync('python3', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/** Runs `work` alone among all processes. A lock whose holder is gone does not count. */
function withLock(path: string, work: () => boolean): boolean {
  const deadline_ms = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!isHeld(path) || Date.now() > deadline_ms) rmSync(path, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(path, { force: true });
  }
}

function isHeld(path: string): boolean {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    // A file without a number was made a moment ago.
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const missing = missingToolchain('python');
  if (missing !== undefined) {
    console.error(missing);
    process.exit(1);
  }
  const isReady = preparePython({
    folder: packageFolder,
    run: (program, args, cwd) => {
      const { status, error } = spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] });
      if (error !== undefined) console.error(`${program}: ${error.message}`);
      return status === 0;
    },
  });
  if (!isReady) process.exit(1);
}
