/** A cluster of real nodes for the cases: processes on this machine, any of which can be killed and started again. */
import { join } from 'node:path';
import { type ClusterNode, ClusterProcess } from '../../../server/src/cluster/testing/cluster-process.ts';
import { ClusterService } from '../../../server/src/gen/gomsg/v1/cluster_pb.js';
import type { NodeAction, NodeChoice } from '../case.ts';
import type { Target } from '../net/link.ts';
import { BUILD } from '../sdks.ts';
import type { ControlledServer, RealKind } from './server-fixture.ts';

const CALL_MS = 2_000;

export class ClusterServer implements ControlledServer {
  readonly kind: RealKind;
  readonly #cluster: ClusterProcess;
  readonly #down = new Set<ClusterNode>();
  #removed = false;

  /** Resolves once every group has its replicas and a leader. */
  static async start(kind: RealKind, nodes: number, flags: readonly string[]): Promise<ClusterServer> {
    const env = { NODE_COMPILE_CACHE: join(BUILD, 'server-compile-cache') };
    return new ClusterServer(kind, await ClusterProcess.start(nodes, flags, env));
  }

  private constructor(kind: RealKind, cluster: ClusterProcess) {
    this.kind = kind;
    this.#cluster = cluster;
  }

  get nodes(): readonly (Target | undefined)[] {
    return this.#cluster.nodes.map((node) => {
      if (this.#down.has(node)) return undefined;
      const [host, port] = node.address.split(':') as [string, string];
      return { host, port: Number(port) };
    });
  }

  get advertised(): readonly string[] {
    return this.#cluster.nodes.map(({ address }) => address);
  }

  async control(action: NodeAction, choice: NodeChoice): Promise<void> {
    // A case that has failed may be in the middle of a step.
    if (this.#removed) throw new Error('the case of this server is over');
    const chosen = await this.#chosen(choice);
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
  }

  async #chosen(choice: NodeChoice): Promise<readonly ClusterNode[]> {
    const { nodes } = this.#cluster;
    if (choice === 'all') return nodes;
    if (choice === 'down') return nodes.filter((node) => this.#down.has(node));
    const leader = await this.#leader();
    return [choice === 'leader' ? leader : nodes.find((node) => node !== leader && !this.#down.has(node))!];
  }

  async #leader(): Promise<ClusterNode> {
    let leader: ClusterNode | undefined;
    await this.#cluster.until('a running node leads the first group', async () => {
      const running = this.#cluster.nodes.filter((node) => !this.#down.has(node));
      for (const { client } of running) {
        const { groups } = await client.unary(ClusterService.method.getTopology, {}, { timeout_ms: CALL_MS });
        leader = running.find(({ name }) => name === groups[0]?.leaderNodeId);
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
