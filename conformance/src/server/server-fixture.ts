/** Real servers for the cases: the program from its sources, on a free port, that can be killed and started again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeProcess } from '../../../server/src/testing/node-process.ts';
import type { ServerKind } from '../case.ts';
import type { Target } from '../net/link.ts';
import { BUILD } from '../sdks.ts';

/** What a case talks to: one node, later several. */
export interface ServerFixture {
  /** Where its nodes answer now, by their number; undefined = that node is down. */
  readonly nodes: readonly (Target | undefined)[];
  readonly kind: ServerKind;
  /** What it wrote, for the story of a failure. */
  readonly output: string;
  remove(): Promise<void>;
}

/** Flags of the kinds that are real servers. */
const FLAGS: Readonly<Record<Exclude<ServerKind, 'scripted'>, readonly string[]>> = {
  /** Used by all cases that do not ask for another, at once. */
  shared: ['--storage=memory'],
  /** Limits so small that cases reach them with little data; shared by the cases that ask for it. */
  limits: [
    '--storage=memory',
    '--max-key-bytes=64',
    '--max-value-bytes=1KiB',
    '--max-message-bytes=1KiB',
    '--max-frame-bytes=128KiB',
  ],
  /** So little room for work in flight that ordinary load is refused; shared by the cases that ask for it. */
  tiny: ['--storage=memory', '--max-in-flight-bytes-per-client=16MiB', '--max-in-flight-bytes=16MiB'],
  /** A case's own, on disk: what was answered outlives it. */
  own: ['--drain-timeout=2s'],
  /** A case's own, in memory: it comes back as a server that never knew anything. */
  forgetful: ['--storage=memory', '--drain-timeout=2s'],
};

/** Kinds that one case has for itself. */
export const OWN_KINDS: ReadonlySet<ServerKind> = new Set(['own', 'forgetful', 'scripted']);

export class RealServer implements ServerFixture {
  readonly kind: Exclude<ServerKind, 'scripted'>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-conformance-'));
  #process: NodeProcess | undefined;
  #target: Target | undefined;
  #removed = false;

  static async start(kind: Exclude<ServerKind, 'scripted'>): Promise<RealServer> {
    const server = new RealServer(kind);
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  private constructor(kind: Exclude<ServerKind, 'scripted'>) {
    this.kind = kind;
  }

  get nodes(): readonly (Target | undefined)[] {
    return [this.#target];
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  /** Starts the node on what is in its folder. Its port is another each time: links follow. */
  async start(): Promise<void> {
    // A case that has failed may be in the middle of a step.
    if (this.#removed) throw new Error('the case of this server is over');
    this.#process = NodeProcess.start({
      flags: [`--data-dir=${join(this.#folder, 'data')}`, ...FLAGS[this.kind]],
      env: { NODE_COMPILE_CACHE: join(BUILD, 'server-compile-cache') },
    });
    const [host, port] = (await this.#process.ready).split(':') as [string, string];
    this.#target = { host, port: Number(port) };
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#target = undefined;
    await this.#process?.kill();
  }

  /** SIGTERM, and the end of the process. */
  async stop(): Promise<void> {
    await this.#process?.terminate();
    this.#target = undefined;
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
