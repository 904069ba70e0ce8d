/** Real servers for the cases: the program from its sources, on free ports, that can be killed and started again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeProcess } from '../../../server/src/testing/node-process.ts';
import type { NodeAction, NodeChoice, ServerKind } from '../case.ts';
import type { Target } from '../net/link.ts';
import { BUILD } from '../sdks.ts';
import { ClusterServer } from './cluster-server.ts';
import { ScriptedServer } from './scripted-server.ts';

/** What a case talks to: one node, or a cluster. */
export interface ServerFixture {
  /** Where its nodes answer now, by their number; undefined = that node is down. */
  readonly nodes: readonly (Target | undefined)[];
  /** Addresses by which nodes name each other towards clients that route by themselves, by number; empty = none does. */
  readonly advertised: readonly string[];
  readonly kind: ServerKind;
  remove(): Promise<void>;
}

/** One whose nodes can be killed and started again, or kept from working. */
export interface ControlledServer extends ServerFixture {
  /** `name` says which group's leader is meant. Default: that of the first group of data. */
  control(action: NodeAction, choice: NodeChoice, name?: string): Promise<void>;
}

export type RealKind = Exclude<ServerKind, 'scripted'>;

/** Flags of the kinds that are real servers. */
const FLAGS: Readonly<Record<RealKind, readonly string[]>> = {
  /** Used by all cases that do not ask for another, at once. */
  shared: [],
  /** Limits so small that cases reach them with little data; shared by the cases that ask for it. */
  limits: [
    '--max-key-bytes=64',
    '--max-value-bytes=1KiB',
    '--max-message-bytes=1KiB',
    '--max-frame-bytes=128KiB',
  ],
  /** So little room for work in flight that ordinary load is refused; shared by the cases that ask for it. */
  tiny: ['--max-in-flight-bytes-per-client=16MiB', '--max-in-flight-bytes=16MiB'],
  /** A case's own, on disk: what was answered outlives it. */
  own: ['--drain-timeout=2s'],
  /** As `own`, and nodes reach each other, and clients them, through a network that can part them. Linux only. */
  networked: ['--drain-timeout=2s'],
  /** A case's own, in memory: it comes back as a server that never knew anything. */
  forgetful: ['--drain-timeout=2s'],
};

/** Kinds that a lone node keeps in memory. Members of a cluster have a disk, or they could forget what they promised. */
const IN_MEMORY: ReadonlySet<ServerKind> = new Set(['shared', 'limits', 'tiny', 'forgetful']);

export interface ServerSize {
  readonly nodes: number;
  /** Groups of data in a cluster. A lone node has one. */
  readonly groups: number;
}

export function startServer(kind: ServerKind, { nodes, groups }: ServerSize): Promise<ServerFixture> {
  if (kind === 'scripted') return ScriptedServer.start();
  if (nodes === 1) return RealServer.start(kind);
  return ClusterServer.start(kind, nodes, [`--groups=${groups}`, ...FLAGS[kind]]);
}

export function isControlled(server: ServerFixture): server is ControlledServer {
  return 'control' in server;
}

/** Kinds that one case has for itself. */
export const OWN_KINDS: ReadonlySet<ServerKind> = new Set(['own', 'networked', 'forgetful', 'scripted']);

class RealServer implements ControlledServer {
  readonly kind: RealKind;
  /** A client of a lone node has no other to go to. */
  readonly advertised = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-conformance-'));
  #process: NodeProcess | undefined;
  #target: Target | undefined;
  #removed = false;

  static async start(kind: RealKind): Promise<RealServer> {
    const server = new RealServer(kind);
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  private constructor(kind: RealKind) {
    this.kind = kind;
  }

  get nodes(): readonly (Target | undefined)[] {
    return [this.#target];
  }

  /** All nodes are this one, whichever is chosen. */
  async control(action: NodeAction): Promise<void> {
    switch (action) {
      case 'kill':
        return this.kill();
      case 'stop':
        return this.stop();
      case 'start':
        return this.start();
      case 'restart':
        await this.kill();
        return this.start();
      case 'pause':
        this.#process?.pause();
        return;
      case 'continue':
        this.#process?.continue();
        return;
      case 'isolate':
      case 'cut_off':
      case 'heal':
        throw new Error('a lone node has nobody to be parted from');
    }
  }

  /** Starts the node on what is in its folder. Its port is another each time: links follow. */
  async start(): Promise<void> {
    // A case that has failed may be in the middle of a step.
    if (this.#removed) throw new Error('the case of this server is over');
    this.#process = NodeProcess.start({
      flags: [
        `--data-dir=${join(this.#folder, 'data')}`,
        ...(IN_MEMORY.has(this.kind) ? ['--storage=memory'] : []),
        ...FLAGS[this.kind],
      ],
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
