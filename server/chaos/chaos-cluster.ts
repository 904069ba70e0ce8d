/** The cluster of a run: real processes that reach each other, and are reached, through the run's network alone. */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import {
  ClusterService,
  type ClusterServiceStatusResponse,
  ClusterState,
} from '../src/gen/gomsg/v1/cluster_pb.js';
import { NodeClient } from '../src/testing/node-client.ts';
import { type Exit, NodeProcess } from '../src/testing/node-process.ts';
import { keptPort } from '../src/testing/ports.ts';
import { type Door, Network } from './network.ts';

const SECRET = 'a-secret-of-the-chaos-runs';

/** Groups that hold data: more than nodes, so that each leads some. */
export const DATA_GROUPS = 4;

/** Small files, so that a run meets checkpoints, changes of log files and snapshots to replicas that lag. */
const FLAGS = [
  `--groups=${DATA_GROUPS}`,
  '--overlay-bytes=1MiB',
  '--wal-segment-bytes=1MiB',
  '--wal-tail-segments=1',
  '--max-frame-bytes=960KiB',
  '--max-value-bytes=256KiB',
  '--max-message-bytes=256KiB',
  '--drain-timeout=3s',
];

/** The machine may be busy: these bound what would otherwise hang. */
const START_MAX_MS = 30_000;
const STOP_MAX_MS = 20_000;
const STATUS_MAX_MS = 2_000;
const LOOK_MS = 100;

/** Something that had to happen did not, within a generous time. */
export class HungError extends Error {
  override readonly name = 'HungError';
}

export type NodeState = 'up' | 'paused' | 'down';

export class ChaosNode {
  readonly name: string;
  readonly door: Door;
  readonly dataDir: string;
  readonly #flags: readonly string[];
  readonly #log: WriteStream;
  #process: NodeProcess | undefined;
  #port: number | undefined;
  #client: NodeClient | undefined;
  #state: NodeState = 'down';
  /** How it ended by itself, which a node never should. */
  #collapse: Exit | undefined;

  constructor(name: string, door: Door, folder: string, flags: readonly string[], dataDir?: string) {
    this.name = name;
    this.door = door;
    this.dataDir = dataDir ?? join(folder, name);
    this.#flags = flags;
    this.#log = createWriteStream(join(folder, `${name}.log`));
  }

  get state(): NodeState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get collapse(): Exit | undefined {
    return this.#collapse;
  }

  /** A client that goes past the network of the run, for those who only watch. Of a node that was started. */
  get client(): NodeClient {
    if (this.#client === undefined) throw new Error(`${this.name} was never started`);
    return this.#client;
  }

  /** Resolves once it serves. @throws HungError, NodeDidNotStartError */
  async start(flags: readonly string[] = []): Promise<void> {
    this.#port ??= await keptPort();
    const process = NodeProcess.start({
      port: this.#port,
      flags: [
        '--cluster',
        `--node-id=${this.name}`,
        `--cluster-secret=${SECRET}`,
        `--advertise=${this.door.address}`,
        `--data-dir=${this.dataDir}`,
        ...FLAGS,
        ...this.#flags,
        ...flags,
      ],
      onLine: (line) => void this.#log.write(`${line}\n`),
    });
    this.#process = process;
    this.door.pid = process.pid;
    // The others may knock before it says that it serves.
    this.door.target = this.#port;
    const address = await within(START_MAX_MS, process.ready, `${this.name} did not start`);
    this.#client ??= new NodeClient(address);
    this.#state = 'up';
    void process.exited.then((exit) => {
      if (this.#process !== process || this.#state === 'down') return;
      this.#state = 'down';
      this.door.target = undefined;
      this.#collapse = exit;
    });
  }

  async kill(): Promise<void> {
    this.#goesDown();
    await this.#process?.kill();
  }

  /** @throws HungError @returns how it ended */
  async stop(): Promise<Exit> {
    this.#state = 'down';
    const exit = await within(STOP_MAX_MS, this.#process!.terminate(), `${this.name} did not stop`);
    this.#goesDown();
    return exit;
  }

  pause(): void {
    this.#state = 'paused';
    process.kill(this.pid!, 'SIGSTOP');
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'up';
    process.kill(this.pid!, 'SIGCONT');
  }

  /** What it thinks of the cluster. Rejects when it does not answer soon. */
  status(): Promise<ClusterServiceStatusResponse> {
    return this.client.unary(ClusterService.method.status, {}, { timeout_ms: STATUS_MAX_MS });
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.kill();
    await new Promise<void>((resolve) => this.#log.end(resolve));
  }

  #goesDown(): void {
    this.#state = 'down';
    this.door.target = undefined;
    this.door.pid = undefined;
  }
}

export interface ClusterOptions {
  readonly count: number;
  /** Logs and data are kept here. */
  readonly folder: string;
  /** Where the last node keeps its data, if not there. */
  readonly lastDataDir?: string;
}

export class ChaosCluster {
  readonly network = new Network();
  readonly nodes: ChaosNode[] = [];

  /** Founds a cluster, lets the others join, and resolves once all is as it should be. @throws HungError */
  static async start({ count, folder, lastDataDir }: ClusterOptions): Promise<ChaosCluster> {
    mkdirSync(folder, { recursive: true });
    const cluster = new ChaosCluster();
    try {
      for (let number = 1; number <= count; number++) {
        const name = `node${number}`;
        const dataDir = number === count ? lastDataDir : undefined;
        const flags = [`--replication=${count}`];
        cluster.nodes.push(new ChaosNode(name, await cluster.network.open(name), folder, flags, dataDir));
      }
      const [first, ...others] = cluster.nodes;
      await first!.start(['--bootstrap']);
      await Promise.all(others.map((node) => node.start([`--join=${first!.door.address}`])));
      await cluster.healthy(START_MAX_MS * 2);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get addresses(): string[] {
    return this.nodes.map(({ door }) => door.address);
  }

  node(name: string): ChaosNode {
    return this.nodes.find((node) => node.name === name)!;
  }

  /** Resolves once every node thinks that all is as it should be. @throws HungError */
  async healthy(max_ms: number): Promise<void> {
    const until_ms = performance.now() + max_ms;
    for (const node of this.nodes) {
      await solved(until_ms, async () => {
        const problems = await this.#problemsOf(node);
        return problems && `${node.name} does not see a healthy cluster after ${max_ms} ms: ${problems}`;
      });
    }
  }

  /** The node that leads a group, as most say. */
  async leaderOf(group: number): Promise<ChaosNode | undefined> {
    const votes = new Map<string, number>();
    const states = await Promise.allSettled(
      this.nodes.filter(({ state }) => state === 'up').map((node) => node.status()),
    );
    for (const state of states) {
      if (state.status === 'rejected') continue;
      const leader = state.value.groups.find((each) => each.group === group)?.leaderNodeId;
      if (leader) votes.set(leader, (votes.get(leader) ?? 0) + 1);
    }
    const [most] = [...votes].sort(([, a], [, b]) => b - a);
    return most === undefined ? undefined : this.node(most[0]);
  }

  /** Resolves with the node that leads a group, once there is one. @throws HungError */
  async untilLed(group: number, max_ms: number = START_MAX_MS): Promise<ChaosNode> {
    let leader: ChaosNode | undefined;
    await solved(performance.now() + max_ms, async () => {
      leader = await this.leaderOf(group);
      return leader === undefined ? `group ${group} has no leader after ${max_ms} ms` : undefined;
    });
    return leader!;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.nodes.map((node) => {
        node.resume();
        return node.close();
      }),
    );
    this.network.close();
  }

  async #problemsOf(node: ChaosNode): Promise<string | undefined> {
    try {
      const { state, nodesUp, problems } = await node.status();
      if (state === ClusterState.HEALTHY && nodesUp === this.nodes.length) return undefined;
      return `${nodesUp} nodes up; ${problems.join('; ')}`;
    } catch (error) {
      return String(error);
    }
  }
}

export async function within<T>(max_ms: number, work: Promise<T>, else_: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HungError(`${else_} within ${max_ms} ms`)), max_ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks until there is no problem any more. @throws HungError with the problem that there still is at that time */
async function solved(until_ms: number, look: () => Promise<string | undefined>): Promise<void> {
  for (;;) {
    const problem = await look();
    if (problem === undefined) return;
    if (performance.now() >= until_ms) throw new HungError(problem);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
