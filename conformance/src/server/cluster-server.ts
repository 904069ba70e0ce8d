/** A cluster of real nodes for the cases: processes on this machine, any of which can be killed, paused or cut off. */
import { join } from 'node:path';
import { CLIENTS, Network } from '../../../server/chaos/network.ts';
import { type ClusterNode, ClusterProcess } from '../../../server/src/cluster/testing/cluster-process.ts';
import {
  ClusterService,
  type ClusterServiceGetTopologyResponse,
} from '../../../server/src/gen/gomsg/v1/cluster_pb.js';
import { slotOf } from '../../../server/src/state/crc16.ts';
import type { NodeAction, NodeChoice } from '../case.ts';
import type { Target } from '../net/link.ts';
import { BUILD } from '../sdks.ts';
import type { ControlledServer, RealKind } from './server-fixture.ts';

const CALL_MS = 2_000;

export class ClusterServer implements ControlledServer {
  readonly kind: RealKind;
  readonly #cluster: ClusterProcess;
  /** Through which nodes of the kind `networked` are reached. */
  readonly #network: Network | undefined;
  readonly #down = new Set<ClusterNode>();
  /** Those that are paused or parted from others: they are not asked who leads. */
  readonly #apart = new Set<ClusterNode>();
  #removed = false;

  /** Resolves once every group has its replicas and a leader. */
  static async start(kind: RealKind, nodes: number, flags: readonly string[]): Promise<ClusterServer> {
    const env = { NODE_COMPILE_CACHE: join(BUILD, 'server-compile-cache') };
    if (kind !== 'networked') return new ClusterServer(kind, await ClusterProcess.start(nodes, flags, env));
    const network = new Network();
    try {
      const cluster = await ClusterProcess.start(nodes, flags, env, (name) => network.open(name));
      return new ClusterServer(kind, cluster, network);
    } catch (error) {
      network.close();
      throw error;
    }
  }

  private constructor(kind: RealKind, cluster: ClusterProcess, network?: Network) {
    this.kind = kind;
    this.#cluster = cluster;
    this.#network = network;
  }

  get nodes(): readonly (Target | undefined)[] {
    return this.#cluster.nodes.map((node) => {
      if (this.#down.has(node)) return undefined;
      const [host, port] = reachedAt(node).split(':') as [string, string];
      return { host, port: Number(port) };
    });
  }

  get advertised(): readonly string[] {
    return this.#cluster.nodes.map(reachedAt);
  }

  async control(action: NodeAction, choice: NodeChoice, name?: string): Promise<void> {
    // A case that has failed may be in the middle of a step.
    if (this.#removed) throw new Error('the case of this server is over');
    const chosen = await this.#chosen(choice, name);
    switch (action) {
      case 'kill':
        await Promise.all(chosen.map((node) => this.#kill(node)));
        return;
      case 'stop':
        await Promise.all(chosen.map((node) => this.#stop(node)));
        return;
      case 'start':
        await Promise.all(chosen.map((node) => this.#start(node)));
        return;
      case 'restart':
        for (const node of chosen) {
          await this.#kill(node);
          await this.#start(node);
          await this.healthy();
        }
        return;
      case 'pause':
        for (const node of chosen) {
          this.#apart.add(node);
          node.process.pause();
        }
        return;
      case 'continue':
        for (const node of chosen) {
          this.#apart.delete(node);
          node.process.continue();
        }
        return;
      case 'isolate':
        for (const node of chosen) this.#part(node, this.#others(node));
        return;
      case 'cut_off':
        for (const node of chosen) this.#part(node, [...this.#others(node), CLIENTS]);
        return;
      case 'heal':
        this.#networkOfCase().heal();
        this.#apart.clear();
    }
  }

  /** Resolves once all nodes are up and agree that nothing is missing. */
  healthy(): Promise<void> {
    return this.#cluster.healthy();
  }

  /** Kills the node that leads the first group of data, and returns how to start it again. */
  async killLeader(): Promise<() => Promise<void>> {
    const leader = await this.#leader();
    await this.#kill(leader);
    return () => this.#start(leader);
  }

  async remove(): Promise<void> {
    this.#removed = true;
    await this.#cluster[Symbol.asyncDispose]();
    this.#network?.close();
  }

  async #chosen(choice: NodeChoice, name: string | undefined): Promise<readonly ClusterNode[]> {
    const { nodes } = this.#cluster;
    if (choice === 'all') return nodes;
    if (choice === 'down') return nodes.filter((node) => this.#down.has(node));
    const leader = await this.#leader(name);
    return [choice === 'leader' ? leader : this.#running.find((node) => node !== leader)!];
  }

  get #running(): readonly ClusterNode[] {
    return this.#cluster.nodes.filter((node) => !this.#down.has(node) && !this.#apart.has(node));
  }

  #others(node: ClusterNode): readonly string[] {
    return this.#cluster.nodes.filter((other) => other !== node).map(({ name }) => name);
  }

  /** Nothing passes between the node and those parties any more; no connection is told. */
  #part(node: ClusterNode, from: readonly string[]): void {
    const network = this.#networkOfCase();
    this.#apart.add(node);
    for (const party of from) {
      network.block(node.name, party);
      network.block(party, node.name);
    }
  }

  #networkOfCase(): Network {
    if (this.#network === undefined)
      throw new Error('only nodes of a case with `server: networked` can be parted');
    return this.#network;
  }

  /** Of the group of a name. Default: of the first group of data. */
  async #leader(ofName?: string): Promise<ClusterNode> {
    let leader: ClusterNode | undefined;
    await this.#cluster.until('a running node leads the group', async () => {
      const running = this.#running;
      for (const { client } of running) {
        const topology = await client.unary(ClusterService.method.getTopology, {}, { timeout_ms: CALL_MS });
        const leaderId = leaderOf(topology, ofName);
        leader = running.find(({ name }) => name === leaderId);
        if (leader !== undefined) return true;
      }
      return false;
    });
    return leader!;
  }

  async #kill(node: ClusterNode): Promise<void> {
    this.#down.add(node);
    await this.#cluster.kill(node);
  }

  async #stop(node: ClusterNode): Promise<void> {
    node.client.close();
    await node.process.terminate();
    this.#down.add(node);
  }

  async #start(node: ClusterNode): Promise<void> {
    await this.#cluster.restart(node);
    this.#down.delete(node);
  }
}

/** Where others reach a node: its door, if it has one. */
function reachedAt({ address, door }: ClusterNode): string {
  return door?.address ?? address;
}

function leaderOf(
  { groups }: ClusterServiceGetTopologyResponse,
  name: string | undefined,
): string | undefined {
  if (name === undefined) return groups[0]?.leaderNodeId;
  const slot = slotOf(name);
  return groups.find(({ slots }) => slots.some(({ first, last }) => first <= slot && slot <= last))
    ?.leaderNodeId;
}
