/** A node as a process of its own, for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('serve-program.ts', import.meta.url));

/** Lines of a node's log that are kept for the story of a failure. */
const KEPT_LINES = 500;

const SERVES = /^gomsg serves on (\S+)$/;

/** How a process ended: by itself with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The node ended before it served. */
export class NodeDidNotStartError extends Error {
  override readonly name = 'NodeDidNotStartError';
  readonly exit: Exit;

  constructor(exit: Exit, output: string) {
    super(`the node ended with ${exit.code ?? exit.signal} before it served:\n${output}`);
    this.exit = exit;
  }
}

export interface NodeProcessOptions {
  /** Flags beside address and log format, which are given. Without `--data-dir` the node keeps nothing on disk. */
  readonly flags: readonly string[];
  /** Port to listen on. Default: any free one. */
  readonly port?: number;
  /** Changes to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told each line of both outputs, to keep them all. */
  readonly onLine?: (line: string) => void;
}

/** Processes that no test has ended yet: they must not outlive the one that started them. */
const running = new Set<NodeProcess>();
process.on('exit', () => {
  for (const node of running) node.kill();
});

export class NodeProcess {
  /** Resolves with `host:port` once the node answers. @throws NodeDidNotStartError */
  readonly ready: Promise<string>;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #waiting = new Set<{ readonly text: string; readonly seen: () => void }>();
  #exit: Exit | undefined;

  /** Starts a node on a free port of the loopback interface. */
  static start(options: NodeProcessOptions): NodeProcess {
    return new NodeProcess(options);
  }

  private constructor({ flags, port = 0, env, onLine }: NodeProcessOptions) {
    this.#onLine = onLine;
    const hasFolder = flags.some((flag) => flag.startsWith('--data-dir'));
    const args = [
      PROGRAM,
      '--host=127.0.0.1',
      `--port=${port}`,
      '--log-format=json',
      ...(hasFolder ? [] : ['--storage=memory']),
      ...flags,
    ];
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inheritedEnv(), ...env },
    });
    this.#child = child;
    const serving = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line, serving.resolve));
    createInterface({ input: child.stderr }).on('line', (line) => this.#take(line, serving.resolve));
    this.exited = new Promise((resolve) => {
      // Not `exit`: its last words may still be on their way then.
      child.once('close', (code, signal) => {
        running.delete(this);
        this.#exit = { code, signal };
        serving.reject(new NodeDidNotStartError(this.#exit, this.output));
        resolve(this.#exit);
      });
    });
    this.ready = serving.promise;
    this.ready.catch(() => {}); // Not every test waits for it.
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** What it wrote to both outputs, without the oldest lines where there are many. */
  get output(): string {
    return this.#lines.join('\n');
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Bytes of memory that are its own, without LMDB's pages, which the system takes back when it likes. Linux only. */
  get privateBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Resolves once it has written a line that holds the text. Rejects when it ends without. */
  async logged(text: string): Promise<void> {
    if (this.#lines.some((line) => line.includes(text))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = { text, seen: resolve };
    this.#waiting.add(wait);
    const ended = this.exited.then(() => {
      if (this.#waiting.has(wait))
        throw new Error(`the node ended and never said "${text}":\n${this.output}`);
    });
    await Promise.race([promise, ended]);
  }

  /** Ends it as a crash would: nothing in it gets to run any more. */
  kill(): Promise<Exit> {
    return this.signal('SIGKILL');
  }

  /** Asks it to finish and stop. */
  terminate(): Promise<Exit> {
    return this.signal('SIGTERM');
  }

  /** Lets nothing in it run, while its connections stand. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  continue(): void {
    this.#child.kill('SIGCONT');
  }

  signal(signal: NodeJS.Signals): Promise<Exit> {
    this.#child.kill(signal);
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #take(line: string, serves: (address: string) => void): void {
    this.#onLine?.(line);
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    for (const wait of this.#waiting) {
      if (!line.includes(wait.text)) continue;
      this.#waiting.delete(wait);
      wait.seen();
    }
    const address = SERVES.exec(messageOf(line))?.[1];
    if (address !== undefined) serves(address);
  }
}

/** Without settings and flags that were meant for the process that runs the tests. */
function inheritedEnv(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter(
    (name) => !name.startsWith('GOMSG_') && name !== 'NODE_OPTIONS',
  );
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** The message of a log line; the line itself when it is none. */
function messageOf(line: string): string {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === 'string' ? msg : line;
  } catch {
    return line;
  }
}
