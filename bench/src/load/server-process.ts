/** A gomsg server of the bench's own: its process, its data folder, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect } from '@gomsg/client/raw';

/** Where and as what a server is started, where that is not an empty folder, any free port and a node on its own. */
export interface ServerPlace {
  /** Its data folder, which it leaves when it stops. */
  readonly folder: string;
  /** Port to listen on. Default: any free one. */
  readonly port?: number;
  /** Flags beside those of port, data folder and syncs. */
  readonly flags?: readonly string[];
  /** Whether it is a member of a cluster, whose first answer is about the cluster: keys may have to wait for others. */
  readonly isMember?: boolean;
}

export interface ServerOptions {
  readonly dataDir: string;
  readonly fsync: 'always' | 'interval';
  readonly server: 'bundle' | 'source' | undefined;
  readonly profile: boolean;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const bundle = join(root, 'dist', 'gomsg.js');
const sourceEntry = fileURLToPath(new URL('./serve-source.ts', import.meta.url));

/** A server that is not up by then is broken. */
const START_TIMEOUT_MS = 30_000;
/** A server that has not stopped by then is killed. */
const STOP_TIMEOUT_MS = 20_000;
/** Lines of the server's log that are kept to explain a failure. */
const LOG_LINES_KEPT = 40;

export class ServerProcess implements AsyncDisposable {
  readonly address: string;
  readonly pid: number;
  /** What was started. */
  readonly what: 'bundle' | 'source';
  /** From the start of the process to its first answer. */
  readonly firstAnswer_ms: number;
  readonly dataDir: string;
  readonly #child: ChildProcess;
  readonly #profileDir: string | undefined;
  readonly #cleanUp: () => void;

  private constructor(fields: {
    address: string;
    what: 'bundle' | 'source';
    firstAnswer_ms: number;
    dataDir: string;
    child: ChildProcess;
    profileDir: string | undefined;
    cleanUp: () => void;
  }) {
    this.address = fields.address;
    this.pid = fields.child.pid!;
    this.what = fields.what;
    this.firstAnswer_ms = fields.firstAnswer_ms;
    this.dataDir = fields.dataDir;
    this.#child = fields.child;
    this.#profileDir = fields.profileDir;
    this.#cleanUp = fields.cleanUp;
  }

  /** Starts a server and waits for its first answer. Without a place: on its own, with a folder that it takes along. */
  static async start(options: ServerOptions, place?: ServerPlace): Promise<ServerProcess> {
    const what = options.server ?? (existsSync(bundle) ? 'bundle' : 'source');
    const dataDir = place?.folder ?? mkdtempSync(join(options.dataDir, 'gomsg-bench-'));
    const profileDir = options.profile ? mkdtempSync(join(options.dataDir, 'gomsg-profile-')) : undefined;
    const flags = [
      ...['--port', String(place?.port ?? 0), '--data-dir', join(dataDir, 'data')],
      ...['--fsync', options.fsync, '--log-format', 'json'],
      ...(place?.flags ?? []),
    ];
    const began_ms = performance.now();
    const [program, ...leading] =
      what === 'bundle' ? [join(root, 'bin', 'gomsg')] : [process.execPath, sourceEntry];
    const child = spawn(program!, [...leading, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...(profileDir && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
      },
    });
    // Also when this process ends in a way that skips every finally block.
    const cleanUp = () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      if (place === undefined) rmSync(dataDir, { recursive: true, force: true });
      process.off('exit', cleanUp);
    };
    process.on('exit', cleanUp);
    try {
      const address = await listening(child);
      await firstAnswer(address, place?.isMember ?? false);
      const firstAnswer_ms = performance.now() - began_ms;
      return new ServerProcess({ address, what, firstAnswer_ms, dataDir, child, profileDir, cleanUp });
    } catch (error) {
      cleanUp();
      throw error;
    }
  }

  get addresses(): readonly string[] {
    return [this.address];
  }

  get pids(): readonly number[] {
    return [this.pid];
  }

  /** How it ended; undefined while it runs. */
  get ended(): number | NodeJS.Signals | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined;
  }

  /** Resolves once it has ended, by itself or not. */
  async exited(): Promise<void> {
    if (this.ended === undefined) await once(this.#child, 'exit');
  }

  /** Ends it as a crash would. Its data stays, for one that is started on the same folder. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited();
  }

  /** It stands still, with its connections open, until `resume`. Only `kill` ends it meanwhile. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /**
   * Stops the server, removes its data if it was started without a place, and gives the path of its CPU profile where
   * one was recorded.
   */
  async stop(): Promise<string | undefined> {
    if (this.ended === undefined) {
      this.#child.kill('SIGTERM');
      const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await this.exited();
      clearTimeout(killer);
    }
    this.#cleanUp();
    if (this.#profileDir === undefined) return undefined;
    // The profile of the main thread; those of workers lie beside it.
    const [main] = readdirSync(this.#profileDir).sort();
    return main === undefined ? undefined : join(this.#profileDir, main);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The address that the server's log names. Goes on reading, so that the server never waits for a reader. */
function listening(child: ChildProcess): Promise<string> {
  const log: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`no address within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`the server did not start: ${why}\n${log.join('\n')}`));
    };
    const take = (line: string) => {
      log.push(line);
      if (log.length > LOG_LINES_KEPT) log.shift();
      const [, address] = /gomsg serves on (\S+:\d+)/.exec(line) ?? [];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address.replace(/"$/, ''));
    };
    createInterface({ input: child.stdout! }).on('line', take);
    createInterface({ input: child.stderr! }).on('line', take);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => fail(`it ended with ${signal ?? code}`));
  });
}

async function firstAnswer(address: string, isMember: boolean): Promise<void> {
  const client = connect({ address });
  const options = { timeout_ms: START_TIMEOUT_MS };
  try {
    if (isMember) await client.cluster.status({}, options);
    else await client.kv.exists({ key: 'first-answer' }, options);
  } finally {
    client.close();
  }
}

/** Where the profile is, when it is kept. */
export function profileHint(path: string): string {
  return `CPU profile of the server: ${path} (open it in a browser's developer tools; ${dirname(path)} has those of its threads)`;
}
