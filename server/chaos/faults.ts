/** What is done to the cluster, each with the way back. */
import type { Random } from '../src/raft/testing/random.ts';
import type { SmallDisk } from '../src/testing/small-disk.ts';
import { type ChaosCluster, type ChaosNode, DATA_GROUPS } from './chaos-cluster.ts';
import { CLIENTS } from './network.ts';
import type { FaultKind } from './timeline.ts';

/** A promise of the node's own was broken by how it ended. */
export class WrongEndError extends Error {
  override readonly name = 'WrongEndError';
}

export interface Fault {
  readonly kind: FaultKind;
  /** A few words, the same for all faults of its shape: figures are told by them. */
  readonly shape: string;
  readonly what: string;
  /** How long it lasts. */
  readonly hold_ms: number;
  inject(): Promise<void>;
  heal(): Promise<void>;
}

/** The disk of one node, small enough to fill. */
export interface FillableDisk {
  readonly node: ChaosNode;
  readonly disk: SmallDisk;
}

/** What is left free on a full disk: too little for another file of the log. */
const LEFT_KIB = 128;
export const SMALL_DISK_MIB = 256;

export class Faults {
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  readonly #disk: FillableDisk | undefined;

  constructor(cluster: ChaosCluster, random: Random, disk?: FillableDisk) {
    this.#cluster = cluster;
    this.#random = random;
    this.#disk = disk;
  }

  async next(kind: FaultKind): Promise<Fault> {
    switch (kind) {
      case 'kill':
        return this.#random.chance(0.15) ? this.killAll() : this.kill(await this.#victim());
      case 'pause':
        return this.pause(await this.#victim());
      case 'partition':
        return this.#partition(await this.#victim());
      case 'restart':
        return this.rollingRestart();
      case 'disk':
        return this.fullDisk();
    }
  }

  kill(node: ChaosNode, hold_ms = 100 + this.#random.below(4_000)): Fault {
    return {
      kind: 'kill',
      shape: 'kill',
      what: `kill -9 of ${node.name}, back after ${hold_ms} ms`,
      hold_ms,
      inject: () => node.kill(),
      heal: () => node.start(),
    };
  }

  /** As when the power of the room goes. */
  killAll(hold_ms = 100 + this.#random.below(1_000)): Fault {
    const { nodes } = this.#cluster;
    return {
      kind: 'kill',
      shape: 'kill of all',
      what: `kill -9 of all nodes, back after ${hold_ms} ms`,
      hold_ms,
      inject: async () => void (await Promise.all(nodes.map((node) => node.kill()))),
      heal: async () => void (await Promise.all(nodes.map((node) => node.start()))),
    };
  }

  /** Longer than an election: what led comes back and does not know that it was deposed. */
  pause(node: ChaosNode, hold_ms = 500 + this.#random.below(6_000)): Fault {
    return {
      kind: 'pause',
      shape: 'pause',
      what: `SIGSTOP of ${node.name} for ${hold_ms} ms`,
      hold_ms,
      inject: async () => node.pause(),
      heal: async () => node.resume(),
    };
  }

  /** The node reaches no other and no other reaches it; clients still reach all, and may ask it. */
  isolate(node: ChaosNode, hold_ms = this.#partitionTime_ms()): Fault {
    return this.#onNetwork('isolation', `${node.name} is cut off from the other nodes`, hold_ms, () => {
      for (const other of this.#others(node)) this.#silence(node, other);
    });
  }

  async fullDisk(): Promise<Fault> {
    const { node, disk } = this.#disk!;
    const hold_ms = 2_000 + this.#random.below(4_000);
    return {
      kind: 'disk',
      shape: 'full disk',
      what: `the disk of ${node.name} is full for ${hold_ms} ms`,
      hold_ms,
      inject: async () => disk.fill(LEFT_KIB),
      heal: async () => disk.removeBallast(),
    };
  }

  /** Each node is stopped as an upgrade would, and must end well. */
  rollingRestart(): Fault {
    return {
      kind: 'restart',
      shape: 'rolling restart',
      what: 'rolling restart of all nodes by SIGTERM',
      hold_ms: 0,
      inject: async () => {
        for (const node of this.#cluster.nodes) {
          const { code, signal } = await node.stop();
          if (code !== 0) throw new WrongEndError(`after SIGTERM ${node.name} ended with ${code ?? signal}`);
          await node.start();
        }
      },
      heal: async () => {},
    };
  }

  #partition(node: ChaosNode): Fault {
    const others = this.#others(node);
    const other = this.#random.pick(others);
    const hold_ms = this.#partitionTime_ms();
    switch (this.#random.below(6)) {
      case 0:
        return this.isolate(node, hold_ms);
      case 1:
        return this.#onNetwork(
          'isolation from all',
          `${node.name} is cut off from all nodes and clients`,
          hold_ms,
          () => {
            for (const each of others) this.#silence(node, each);
            this.#cluster.network.block(CLIENTS, node.name);
            this.#cluster.network.block(node.name, CLIENTS);
          },
        );
      case 2:
        return this.#onNetwork(
          'mute node',
          `nothing that ${node.name} says reaches the other nodes`,
          hold_ms,
          () => {
            for (const each of others) this.#cluster.network.block(node.name, each.name);
          },
        );
      case 3:
        return this.#onNetwork('deaf node', `${node.name} hears nothing of the other nodes`, hold_ms, () => {
          for (const each of others) this.#cluster.network.block(each.name, node.name);
        });
      case 4:
        return this.#onNetwork(
          'broken pair',
          `${node.name} and ${other.name} do not reach each other`,
          hold_ms,
          () => this.#silence(node, other),
        );
      default: {
        const delay_ms = 50 + this.#random.below(400);
        const what = `all that ${node.name} says and hears of other nodes comes ${delay_ms} ms late, after a break`;
        return this.#onNetwork('late node', what, hold_ms, () => {
          for (const each of others) {
            this.#cluster.network.delay(node.name, each.name, delay_ms);
            this.#cluster.network.delay(each.name, node.name, delay_ms);
            this.#cluster.network.cut(node.name, each.name);
          }
        });
      }
    }
  }

  #onNetwork(shape: string, what: string, hold_ms: number, change: () => void): Fault {
    return {
      kind: 'partition',
      shape,
      what: `${what} for ${hold_ms} ms`,
      hold_ms,
      inject: async () => change(),
      heal: async () => this.#cluster.network.heal(),
    };
  }

  /** Half of the partitions also break what stands, as routers do that were restarted. */
  #silence(one: ChaosNode, other: ChaosNode): void {
    const { network } = this.#cluster;
    network.block(one.name, other.name);
    network.block(other.name, one.name);
    if (this.#random.chance(0.5)) network.cut(one.name, other.name);
  }

  #others(node: ChaosNode): ChaosNode[] {
    return this.#cluster.nodes.filter((each) => each !== node);
  }

  #partitionTime_ms(): number {
    return 1_500 + this.#random.below(7_000);
  }

  /** With preference one that leads something. */
  async #victim(): Promise<ChaosNode> {
    const group = this.#random.below(DATA_GROUPS + 1);
    const anyone = this.#random.pick(this.#cluster.nodes);
    return this.#random.chance(0.6) ? ((await this.#cluster.leaderOf(group)) ?? anyone) : anyone;
  }
}
