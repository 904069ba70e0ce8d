/** Which slots a group owns and where it is to live. What it has is its Raft configuration, which its leader moves. */

import { incarnationOf, nodeOf, replicaId } from '../../cluster/replica-id.ts';
import { MoveReason } from '../../gen/gomsg/v1/cluster_pb.js';

/** Slots `first` to `last`, both included. */
export interface SlotSpan {
  readonly first: number;
  readonly last: number;
}

/** Replica ids, by node number. */
export interface DesiredReplicas {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
}

export interface GroupPlacementView {
  readonly group: number;
  /** None in the control group. */
  readonly slots: readonly SlotSpan[];
  /** Epoch at which the desired replicas were last set: what a change of them names as the one that it expects. */
  readonly epoch: number;
  readonly desired: DesiredReplicas;
  /** Why they were last set. */
  readonly reason: MoveReason;
  /** Number of the node that is to lead whenever it can; undefined = whoever it is. */
  readonly preferredLeader: number | undefined;
}

export class GroupPlacement implements GroupPlacementView {
  readonly group: number;
  readonly slots: readonly SlotSpan[];
  epoch: number;
  desired: DesiredReplicas = { voters: [], learners: [] };
  reason: MoveReason = MoveReason.UNSPECIFIED;
  preferredLeader: number | undefined = undefined;
  /** Last incarnation given to each node that ever was to hold the group and has not left the cluster. */
  readonly incarnations = new Map<number, number>();

  constructor(group: number, slots: readonly SlotSpan[], epoch: number) {
    this.group = group;
    this.slots = slots;
    this.epoch = epoch;
  }

  /** Whether the node is to vote in the group. */
  votesOn(node: number): boolean {
    return this.desired.voters.some((replica) => nodeOf(replica) === node);
  }

  /** Whether its node was ever to hold the replica. */
  wasGiven(replica: number): boolean {
    const last = this.incarnations.get(nodeOf(replica));
    const { voters, learners } = this.desired;
    return (
      (last !== undefined && incarnationOf(replica) <= last) || [...voters, ...learners].includes(replica)
    );
  }

  /** Makes the nodes the voters. Those that stay keep their replica, the others get one that the group never had. */
  moveTo(nodes: readonly number[], epoch: number): void {
    const current = new Map(this.desired.voters.map((replica) => [nodeOf(replica), replica]));
    const voters = ascending(nodes).map((node) => current.get(node) ?? this.#newReplica(node));
    this.desired = { voters, learners: [] };
    this.epoch = epoch;
    if (this.preferredLeader !== undefined && !nodes.includes(this.preferredLeader)) {
      this.preferredLeader = undefined;
    }
  }

  /** The control group keeps one replica on every node for good; all that changes is who votes. */
  vote(voters: readonly number[], members: readonly number[], epoch: number): void {
    this.desired = {
      voters: ascending(voters).map((node) => replicaId(node, 0)),
      learners: ascending(members.filter((node) => !voters.includes(node))).map((node) => replicaId(node, 0)),
    };
    this.epoch = epoch;
    if (this.preferredLeader !== undefined && !voters.includes(this.preferredLeader)) {
      this.preferredLeader = undefined;
    }
  }

  #newReplica(node: number): number {
    const last = this.incarnations.get(node);
    const replica = replicaId(node, last === undefined ? 0 : last + 1);
    this.incarnations.set(node, incarnationOf(replica));
    return replica;
  }
}

function ascending(nodes: readonly number[]): number[] {
  return [...nodes].sort((a, b) => a - b);
}
