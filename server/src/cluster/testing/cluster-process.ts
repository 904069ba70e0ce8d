/** A cluster of real processes on this machine, for tests that kill some of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterService, ClusterState } from '../../gen/gomsg/v1/cluster_pb.js';
import { NodeClient } from '../../testing/node-client.ts';
import { NodeProcess } from '../../testing/node-process.ts';

/** How long the cluster may take to become what is waited for. */
const SETTLE_MS = 25_000;
const LOOK_MS = 50;

const SECRET = 'a-secret-of-the-tests';

export interface ClusterNode {
  readonly name: string;
  process: NodeProcess;
  address: string;
  client: NodeClient;
}

export class ClusterProcess implements AsyncDisposable {
  readonly nodes: ClusterNode[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-cluster-'));
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  private constructor(flags: readonly string[], env: Readonly<Record<string, string>>) {
    this.#flags = flags;
    this.#env = env;
  }

  /** Founds a cluster and lets the others join; resolves once every group has its replicas and a leader. */
  static async start(
    count: number,
    flags: readonly string[] = ['--groups=4'],
    env: Readonly<Record<string, string>> = {},
  ): Promise<ClusterProcess> {
    const cluster = new ClusterProcess(flags, env);
    try {
      await cluster.add(['--bootstrap']);
      await Promise.all(Array.from({ length: count - 1 }, () => cluster.join()));
      await cluster.healthy();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a further node that joins. */
  join(): Promise<ClusterNode> {
    return this.add([`--join=${this.nodes[0]!.address}`]);
  }

  async add(flags: readonly string[]): Promise<ClusterNode> {
    const name = `node${this.nodes.length + 1}`;
    const node = { name } as ClusterNode;
    this.nodes.push(node);
    await this.#run(node, flags, 0);
    return node;
  }

  /** Starts a node that was stopped or killed, at the address that it had. */
  async restart(node: ClusterNode): Promise<void> {
    await this.#run(node, [], Number(node.address.split(':').at(-1)));
  }

  async kill(node: ClusterNode): Promise<void> {
    node.client.close();
    await node.process.kill();
  }

  /** Resolves once the condition holds, which is asked of `through` again and again, whatever it throws meanwhile. */
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
    const logs = this.nodes.map(
      ({ name, process }) => `--- ${name}\n${process?.lines.slice(-15).join('\n')}`,
    );
    throw new Error(`not within ${SETTLE_MS} ms: ${what} (${String(last)})\n${logs.join('\n')}`);
  }

  /** Resolves once the nodes that run agree that all is as it should be. */
  async healthy(nodes: readonly ClusterNode[] = this.nodes): Promise<void> {
    for (const { name, client } of nodes) {
      await this.until(`${name} sees a healthy cluster of ${nodes.length}`, async () => {
        const { state, nodesUp } = await client.unary(
          ClusterService.method.status,
          {},
          { timeout_ms: 2_000 },
        );
        return state === ClusterState.HEALTHY && nodesUp === nodes.length;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.nodes.map(async ({ client, process }) => {
        client?.close();
        await process?.kill();
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(node: ClusterNode, flags: readonly string[], port: number): Promise<void> {
    node.process = NodeProcess.start({
      port,
      env: this.#env,
      flags: [
        '--cluster',
        `--node-id=${node.name}`,
        `--cluster-secret=${SECRET}`,
        `--data-dir=${join(this.#folder, node.name)}`,
        ...this.#flags,
        ...flags,
      ],
    });
    node.address = await node.process.ready;
    node.client = new NodeClient(node.address);
  }
}
