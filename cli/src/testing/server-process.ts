/** A real server in a process of its own, that can be killed like one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { keptPort } from '../../../server/src/testing/ports.ts';

/** The program as it is in the sources. */
export const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Environment of its processes: what one compiled is there for the next. */
export const MAIN_ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../../node_modules/.cache/gomsg-tests', import.meta.url)),
};

export interface ServerOptions {
  /** `memory` starts faster and forgets all. */
  readonly storage: 'lmdb' | 'memory';
  /** Further flags. */
  readonly flags?: readonly string[];
}

export class ServerProcess {
  readonly #port: number;
  readonly #options: ServerOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-cli-test-'));
  #child: ChildProcess | undefined;

  private constructor(port: number, options: ServerOptions) {
    this.#port = port;
    this.#options = options;
  }

  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(await keptPort(), options);
    try {
      await server.restart();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** `host:port`, the same after every restart. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Where a test may put its files; removed with the server. */
  get folder(): string {
    return this.#folder;
  }

  /** Starts again on what the last process left, once it is gone. */
  async restart(): Promise<void> {
    const settings = [
      `--port=${this.#port}`,
      `--storage=${this.#options.storage}`,
      `--data-dir=${join(this.#folder, 'data')}`,
      '--log-format=json',
      ...(this.#options.flags ?? []),
    ];
    const child = spawn(process.execPath, [MAIN, 'serve', ...settings], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    await serving(child);
  }

  /** kill -9, and the end of the process. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Resolves as soon as the log says that it serves. */
function serving(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const seen: string[] = [];
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface(stream).on('line', (line) => {
        seen.push(line);
        if (line.includes('gomsg serves on ')) resolve();
      });
    }
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${seen.join('\n')}`)));
  });
}
