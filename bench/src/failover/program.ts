/** A failover program that runs: its events as they come, and the two orders that it takes. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type ClientProgram, ClientProgramError } from '../sdks/programs.ts';
import { type Event, parseEvent } from './event.ts';

/** The line with which a program says that nothing new comes: all calls of `incr`, `push` and `publish` are told. */
const STOPPED = 'stopped';
/** A program that has not ended by then hangs. */
const END_TIMEOUT_MS = 20_000;

export interface ProgramOptions {
  readonly addresses: readonly string[];
  readonly name: string;
  readonly lanes: number;
  /** Between two calls of a lane that make work. */
  readonly pause_ms: number;
  readonly onEvent: (event: Event) => void;
}

export class RunningProgram implements AsyncDisposable {
  /** Rejects when it ends before it is told to, or says something that is no event. */
  readonly broken: Promise<never>;
  readonly #sdk: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown[]>;
  readonly #kill = () => this.#child.kill('SIGKILL');
  #isEnding = false;
  #isStopped = false;

  constructor({ sdk, folder, run: [command, ...leading] }: ClientProgram, options: ProgramOptions) {
    const { addresses, name, lanes, pause_ms, onEvent } = options;
    const flags = ['--address', addresses, '--name', name, '--lanes', lanes, '--pause-ms', pause_ms];
    this.#sdk = sdk;
    this.#child = spawn(command, [...leading, ...flags.map(String)], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    process.on('exit', this.#kill);
    this.#closed = once(this.#child, 'close');
    const { promise, reject } = Promise.withResolvers<never>();
    this.broken = promise;
    promise.catch(() => {}); // Whoever runs it waits for other things too.
    this.#closed.then(([code]) => {
      if (!this.#isEnding) reject(new ClientProgramError(`the ${sdk} program ended with ${code}`));
    }, reject);
    this.#child.stdin.on('error', () => {}); // It ended, which is told above.
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line === STOPPED) {
        this.#isStopped = true;
        return;
      }
      try {
        onEvent(parseEvent(line));
      } catch (error) {
        reject(error);
      }
    });
  }

  /** Whether it has done as `stopProducing` says. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Nothing new is pushed, published or counted; what is under way is still read. */
  stopProducing(): void {
    this.#child.stdin.write('stop\n');
  }

  /** Lets it close its client. @throws ClientProgramError when it does not end well */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#child.stdin.end();
    const killer = setTimeout(this.#kill, END_TIMEOUT_MS);
    const [code, signal] = await this.#closed;
    clearTimeout(killer);
    if (code !== 0) {
      throw new ClientProgramError(
        `the ${this.#sdk} program was told to end and did so with ${signal ?? code}`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#kill();
    await this.#closed.catch(() => {}); // It could not be started, which `broken` tells.
    process.off('exit', this.#kill);
  }
}
