/** A cluster of the bench's own: real processes on this machine, each with its folder, that are killed and come back. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClusterServiceStatusResponse,
  ClusterState,
  type Node,
} from '@gomsg/client/gen/gomsg/v1/cluster_pb.js';
import { connect, type RawClient } from '@gomsg/client/raw';
import { keptPort } from '../../../server/src/testing/ports.ts';
import { type ServerOptions, ServerProcess } from '../load/server-process.ts';

/** How long a cluster may take to become what is waited for. */
const SETTLE_MS = 120_000;
const LOOK_MS = 50;
const STATUS_TIMEOUT_MS = 10_000;

const SECRET_BYTES = 16;

/** The cluster did not become what was waited for. */
export class UnsettledError extends Error {
  override readonly name = 'UnsettledError';
}

export interface ClusterOptions extends ServerOptions {
  /** Raft groups for data. */
  readonly groups: number;
}

/** A node, whether its process runs or not. */
export interface BenchNode {
  readonly nodeId: string;
  readonly folder: string;
  address: string;
  process: ServerProcess;
  /** Asks this node, and nobody else, how things are. */
  client: RawClient;
}

export class BenchCluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #nodes: BenchNode[] = [];
  readonly #cleanUp: () => void;
  #founded = 0;

  /** No node runs yet. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(options.dataDir, 'gomsg-bench-'));
    this.#flags = [
      '--cluster',
      `--groups=${options.groups}`,
      `--cluster-secret=${randomBytes(SECRET_BYTES).toString('hex')}`,
    ];
    this.#cleanUp = () => rmSync(this.#folder, { recursive: true, force: true });
    // Also when this process ends in a way that skips every finally block.
    process.on('exit', this.#cleanUp);
  }

  /** Founds a cluster; resolves once every group has its replicas and a leader, and leaders are spread. */
  static async start(options: ClusterOptions, count: number): Promise<BenchCluster> {
    const cluster = new BenchCluster(options);
    try {
      await cluster.bootstrap();
      for (let joined = 1; joined < count; joined++) await cluster.join();
      await cluster.balanced();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Members, in the order in which they joined. */
  get nodes(): readonly BenchNode[] {
    return this.#nodes;
  }

  get addresses(): readonly string[] {
    return this.#nodes.map(({ address }) => address);
  }

  get pids(): readonly number[] {
    return this.#nodes.map(({ process }) => process.pid);
  }

  get what(): 'bundle' | 'source' {
    return this.#nodes[0]!.process.what;
  }

  /** Starts a node that runs alone, on a folder that may found a cluster later. */
  startAlone(flags: readonly string[]): Promise<BenchNode> {
    return this.#add(flags, false);
  }

  /** Founds the cluster with a new node, or with one that ran alone and was stopped, at the address that it had. */
  async bootstrap(lone?: BenchNode): Promise<BenchNode> {
    const flags = [...this.#flags, '--bootstrap'];
    if (lone === undefined) return this.#add(flags, true);
    await this.#run(lone, flags, true);
    return lone;
  }

  /** Starts a further node, which joins by way of the first. */
  join(): Promise<BenchNode> {
    return this.#add([...this.#flags, `--join=${this.#nodes[0]!.address}`], true);
  }

  /** Starts a node that was killed, at the address that it had. */
  restart(node: BenchNode): Promise<void> {
    return this.#run(node, this.#flags, true);
  }

  /** Lets a node go; resolves once its data is elsewhere and the cluster has settled without it. */
  async leave(node: BenchNode): Promise<void> {
    const by = this.#nodes.find((other) => other !== node)!;
    await by.client.cluster.leave({ nodeId: node.nodeId }, { timeout_ms: SETTLE_MS });
    await this.until(`${node.nodeId} has left`, async () => {
      const { nodes } = await by.client.cluster.nodes({}, { timeout_ms: STATUS_TIMEOUT_MS });
      return nodes.every(({ nodeId }) => nodeId !== node.nodeId);
    });
    await node.process.stop();
    node.client.close();
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    await this.balanced();
  }

  /** Resolves once every node that runs sees all groups whole and led. */
  async healthy(): Promise<void> {
    for (const { nodeId, client } of this.#running) {
      await this.until(`${nodeId} sees a healthy cluster`, async () => {
        const { state, nodesUp } = await client.cluster.status({}, { timeout_ms: STATUS_TIMEOUT_MS });
        return state === ClusterState.HEALTHY && nodesUp === this.#nodes.length;
      });
    }
  }

  /** Resolves once the cluster is healthy, and replicas and leaders are spread as evenly as they get. */
  async balanced(): Promise<void> {
    await this.healthy();
    await this.until('replicas and leaders are spread evenly', async () => {
      const { state } = await this.status();
      return state === ClusterState.HEALTHY && isSpread(await this.members());
    });
  }

  status(): Promise<ClusterServiceStatusResponse> {
    return this.#running[0]!.client.cluster.status({}, { timeout_ms: STATUS_TIMEOUT_MS });
  }

  /** The nodes as one of them tells of them, with their counts of replicas and leaders. */
  async members(): Promise<readonly Node[]> {
    const { nodes } = await this.#running[0]!.client.cluster.nodes({}, { timeout_ms: STATUS_TIMEOUT_MS });
    return nodes;
  }

  /** Resolves once the condition holds, which is asked again and again, whatever it throws meanwhile. @throws UnsettledError */
  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const until_ms = performance.now() + SETTLE_MS;
    let last: unknown = 'it does not hold';
    while (performance.now() < until_ms) {
      try {
        if (await condition()) return;
      } catch (error) {
        last = error;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new UnsettledError(`not within ${SETTLE_MS / 1000} s: ${what} (${String(last)})`);
  }

  /** Stops all nodes, as one that is to write its CPU profile has to be; gives the paths of the profiles. */
  async stop(): Promise<readonly string[]> {
    const profiles = await Promise.all(this.#nodes.map(({ process }) => process.stop()));
    return profiles.filter((path) => path !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Killed: nothing that a node does while it stops is measured, and with too few left it would wait for the others.
    await Promise.all(
      this.#nodes.map(async ({ client, process }) => {
        client.close();
        await process.kill();
        await process.stop();
      }),
    );
    this.#cleanUp();
    process.off('exit', this.#cleanUp);
  }

  get #running(): readonly BenchNode[] {
    return this.#nodes.filter(({ process }) => process.ended === undefined);
  }

  async #add(flags: readonly string[], isMember: boolean): Promise<BenchNode> {
    const nodeId = `node${++this.#founded}`;
    const node = { nodeId, folder: join(this.#folder, nodeId), address: '' } as BenchNode;
    await this.#run(node, flags, isMember);
    this.#nodes.push(node);
    return node;
  }

  async #run(node: BenchNode, flags: readonly string[], isMember: boolean): Promise<void> {
    const { nodeId, folder, address } = node;
    const port = address === '' ? await keptPort() : Number(address.split(':').at(-1));
    // One that was killed is over, and lets go of what it holds.
    await node.process?.stop();
    node.process = await ServerProcess.start(this.#options, {
      folder,
      port,
      flags: [`--node-id=${nodeId}`, ...flags],
      isMember,
    });
    node.address = node.process.address;
    node.client?.close();
    node.client = connect({ address: node.address });
  }
}

/** The balancer leaves differences of a tenth, and of one. */
const UNEVEN_SHARE = 0.1;

function isSpread(nodes: readonly Node[]): boolean {
  return [nodes.map(({ replicas }) => replicas), nodes.map(({ leaders }) => leaders)].every((counts) => {
    const even = counts.reduce((total, count) => total + count, 0) / counts.length;
    const slack = Math.max(1, even * UNEVEN_SHARE);
    return counts.every((count) => Math.abs(count - even) <= slack);
  });
}
