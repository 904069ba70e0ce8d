/** A cluster of real processes on this machine, for tests that kill some of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterService, ClusterState } from '../../gen/gomsg/v1/cluster_pb.js';
import { NodeClient } from '../../testing/node-client.ts';
import { NodeProcess } from '../../testing/node-process.ts';
import { keptPort } from '../../testing/ports.ts';

/** How long the cluster may take to become what is waited for: some seconds on a quiet machine. */
const SETTLE_MS = 60_000;
const LOOK_MS = 50;

/** Of every cluster of the tests. */
export const SECRET = 'a-secret-of-the-tests';

/** What is different for one process. */
export interface RunOptions {
  /** Beside those of all nodes. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a folder of its own, kept until the cluster is disposed of. */
  readonly dataDir?: string;
}

/** Where everybody else reaches a node: told to them in place of where it listens. */
export interface FrontDoor {
  readonly address: string;
  /** Port at which the node listens; undefined while it is down. */
  target: number | undefined;
  /** Its process, while it has one. */
  pid: number | undefined;
}

export interface ClusterNode {
  readonly name: string;
  process: NodeProcess;
  address: string;
  client: NodeClient;
  /** In a cluster whose nodes have one. */
  door: FrontDoor | undefined;
}

/** Opens the door of the node of that name. */
export type OpenDoor = (name: string) => Promise<FrontDoor>;

export class ClusterProcess implements AsyncDisposable {
  readonly nodes: ClusterNode[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'gomsg-cluster-'));
  readonly #flags: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #openDoor: OpenDoor | undefined;

  private constructor(flags: readonly string[], env: Readonly<Record<string, string>>, openDoor?: OpenDoor) {
    this.#flags = flags;
    this.#env = env;
    this.#openDoor = openDoor;
  }

  /** Founds a cluster and lets the others join; resolves once every group has its replicas and a leader. */
  static async start(
    count: number,
    flags: readonly string[] = ['--groups=4'],
    env: Readonly<Record<string, string>> = {},
    openDoor?: OpenDoor,
  ): Promise<ClusterProcess> {
    const cluster = new ClusterProcess(flags, env, openDoor);
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
  join(options: RunOptions = {}): Promise<ClusterNode> {
    return this.add([`--join=${this.nodes[0]!.address}`, ...(options.flags ?? [])], options);
  }

  async add(flags: readonly string[], options: Omit<RunOptions, 'flags'> = {}): Promise<ClusterNode> {
    const name = `node${this.nodes.length + 1}`;
    const node = { name } as ClusterNode;
    this.nodes.push(node);
    node.door = await this.#openDoor?.(name);
    await this.#run(node, { ...options, flags }, await keptPort());
    return node;
  }

  /** Starts a node that was stopped or killed, at the address that it had. */
  async restart(node: ClusterNode, options: RunOptions = {}): Promise<void> {
    await this.#run(node, options, portOf(node));
  }

  /** Starts a process at the address and with the folder of a node, for tests that expect it to end by itself. */
  launch(node: ClusterNode, options: RunOptions = {}): NodeProcess {
    node.process = this.#start(node, options, portOf(node));
    return node.process;
  }

  /** Of a node of that name, whether or not there is one. */
  folderOf(name: string): string {
    return join(this.#folder, name);
  }

  /** Asks a node to stop, and waits until it has. */
  async stop(node: ClusterNode): Promise<void> {
    node.client.close();
    await node.process.terminate();
    closeDoor(node);
  }

  async kill(node: ClusterNode): Promise<void> {
    node.client.close();
    closeDoor(node);
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

  async #run(node: ClusterNode, options: RunOptions, port: number): Promise<void> {
    const process = this.#start(node, options, port);
    node.process = process;
    if (node.door !== undefined) {
      node.door.pid = process.pid;
      // The others may knock before it says that it serves.
      node.door.target = port;
    }
    node.address = await process.ready;
    node.client = new NodeClient(node.address);
  }

  #start(
    { name, door }: ClusterNode,
    { flags = [], env, dataDir = this.folderOf(name) }: RunOptions,
    port: number,
  ): NodeProcess {
    return NodeProcess.start({
      port,
      env: { ...this.#env, ...env },
      flags: [
        '--cluster',
        `--node-id=${name}`,
        `--cluster-secret=${SECRET}`,
        `--data-dir=${dataDir}`,
        ...(door === undefined ? [] : [`--advertise=${door.address}`]),
        ...this.#flags,
        ...flags,
      ],
    });
  }
}

function closeDoor({ door }: ClusterNode): void {
  if (door === undefined) return;
  door.target = undefined;
  door.pid = undefined;
}

function portOf({ address }: ClusterNode): number {
  return Number(address.split(':').at(-1));
}
