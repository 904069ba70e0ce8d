/** Which node leads what, as a node of the cluster told it. */
import type { ClusterServiceGetTopologyResponse } from '../gen/gomsg/v1/cluster_pb.js';
import { SLOTS, slotOf } from './slots.ts';

const NO_GROUP = -1;

/** The slot map at one epoch. */
export class Topology {
  readonly epoch: bigint;
  /** Addresses of all nodes. */
  readonly addresses: readonly string[];
  /** Index in `#leaders` of each slot's group. */
  readonly #groupOfSlot = new Int32Array(SLOTS).fill(NO_GROUP);
  /** Addresses of the groups' leaders; undefined where none is known. */
  readonly #leaders: readonly (string | undefined)[];

  constructor({ epoch, groups, nodes }: ClusterServiceGetTopologyResponse) {
    this.epoch = epoch;
    this.addresses = nodes.map(({ address }) => address).filter((address) => address !== '');
    const addressOf = new Map(nodes.map(({ nodeId, address }) => [nodeId, address]));
    this.#leaders = groups.map(({ leaderNodeId }) => addressOf.get(leaderNodeId) || undefined);
    groups.forEach(({ slots }, index) => {
      for (const { first, last } of slots) this.#groupOfSlot.fill(index, first, last + 1);
    });
  }

  /** More than one node: calls are worth a way of their own. */
  get isCluster(): boolean {
    return this.addresses.length > 1;
  }

  /** Address of the node that leads the group of a name; undefined when none is known to. */
  leaderOf(name: string): string | undefined {
    const group = this.#groupOfSlot[slotOf(name)]!;
    return group === NO_GROUP ? undefined : this.#leaders[group];
  }
}
