/**
 * The board on which one plan is made: every node with what it is to hold and how busy it is, every group with where it
 * is to be. Moves are made here first, so that the next decision sees the earlier ones.
 */
import { nodeOf } from '../replica-id.ts';
import { replicaWeights } from './loads.ts';
import type { PlacementOptions } from './options.ts';
import {
  type ClusterPicture,
  type GroupPicture,
  hasDesiredVoters,
  type MoveReason,
  type NodePicture,
  type PlacementChange,
} from './picture.ts';

export class BoardNode {
  readonly node: number;
  /** Nodes with the same label fail together. */
  readonly label: string;
  readonly isActive: boolean;
  readonly isUp: boolean;
  /** Gone for so long, or on its way out and gone, that its replicas are made anew elsewhere. */
  readonly isLost: boolean;
  /** May be given replicas and leaders. */
  readonly isTaker: boolean;
  /** What it is to hold. */
  readonly groups = new Set<BoardGroup>();
  /** The sum of their weights. */
  weight = 0;
  /** Moves that it takes part in, as the one who gets or the leader who sends. */
  moves = 0;

  constructor({ node, standing, hostLabel, down_ms, isDraining }: NodePicture, downAfter_ms: number) {
    this.node = node;
    // A label of its own; no host label has a control character.
    this.label = hostLabel === '' ? `\0${node}` : hostLabel;
    this.isActive = standing === 'active';
    this.isUp = down_ms === 0;
    this.isLost = !this.isUp && (!this.isActive || down_ms >= downAfter_ms);
    this.isTaker = this.isActive && this.isUp && !isDraining;
  }

  /** Replicas that it is to hold. */
  get replicas(): number {
    return this.groups.size;
  }
}

export class BoardGroup {
  readonly picture: GroupPicture;
  /** Where it is to be. */
  nodes: readonly BoardNode[];
  readonly leader: BoardNode | undefined;
  /** What a replica of it costs the node that holds it. */
  readonly weight: number;
  /** Its leader is known and has nothing left to do; a plan changes no other, or moves would pile up. */
  readonly isSettled: boolean;
  /** Why this plan changes it. */
  reason: MoveReason | undefined;

  constructor(picture: GroupPicture, weight: number, find: (node: number) => BoardNode) {
    const { desired, report } = picture;
    this.picture = picture;
    this.weight = weight;
    this.nodes = desired.map((replica) => find(nodeOf(replica)));
    this.leader = report && find(nodeOf(report.leader));
    // A data group has no learners but those that are on their way to vote, or on their way out.
    this.isSettled = hasDesiredVoters(picture) && report?.learners.length === 0;
  }

  /** Whether this plan may still change it. */
  get isFree(): boolean {
    return this.isSettled && this.reason === undefined;
  }

  holds(node: BoardNode): boolean {
    return this.nodes.includes(node);
  }
}

export class Board {
  /** By number. */
  readonly nodes: readonly BoardNode[];
  readonly takers: readonly BoardNode[];
  /** By id. */
  readonly groups: readonly BoardGroup[];
  readonly replication: number;
  readonly #movesPerNode: number;

  constructor(picture: ClusterPicture, options: PlacementOptions) {
    this.#movesPerNode = options.movesPerNode;
    this.replication = picture.replication;
    const nodes = new Map(
      picture.nodes.map((node) => [node.node, new BoardNode(node, options.downAfter_ms)] as const),
    );
    const find = (node: number) => nodes.get(node) ?? goneNode(node, options);
    this.nodes = [...nodes.values()].sort((a, b) => a.node - b.node);
    this.takers = this.nodes.filter(({ isTaker }) => isTaker);
    const weights = replicaWeights(picture, options);
    this.groups = picture.groups
      .map((group) => new BoardGroup(group, weights.get(group.group)!, find))
      .sort((a, b) => a.picture.group - b.picture.group);
    for (const group of this.groups) {
      for (const node of group.nodes) this.#give(group, node);
      this.#countMoves(group);
    }
  }

  /** Whether one more replica can be brought to the node now. */
  hasRoom(node: BoardNode): boolean {
    return node.moves < this.#movesPerNode;
  }

  /** Whether the group's leader can send now. */
  canSend({ leader }: BoardGroup): boolean {
    return leader !== undefined && this.hasRoom(leader);
  }

  /**
   * Puts the group elsewhere. Refuses, and changes nothing, what would leave it without a majority of nodes that are
   * up: such a change could not be completed, or would end in a group that takes no writes.
   */
  place(group: BoardGroup, nodes: readonly BoardNode[], reason: MoveReason): boolean {
    if (2 * nodes.filter(({ isUp }) => isUp).length <= nodes.length) return false;
    const added = nodes.filter((node) => !group.holds(node));
    for (const node of group.nodes) {
      if (!nodes.includes(node)) this.#take(group, node);
    }
    for (const node of added) {
      this.#give(group, node);
      node.moves++;
    }
    if (added.length > 0 && group.leader) group.leader.moves++;
    group.nodes = nodes;
    group.reason = reason;
    return true;
  }

  replace(group: BoardGroup, from: BoardNode, to: BoardNode, reason: MoveReason): boolean {
    return this.place(group, [...group.nodes.filter((node) => node !== from), to], reason);
  }

  changes(): PlacementChange[] {
    return this.groups.flatMap(({ picture, nodes, reason }) => {
      if (reason === undefined) return [];
      const numbers = nodes.map(({ node }) => node).sort((a, b) => a - b);
      return [{ group: picture.group, expectedEpoch: picture.epoch, nodes: numbers, reason }];
    });
  }

  #give(group: BoardGroup, node: BoardNode): void {
    node.groups.add(group);
    node.weight += group.weight;
  }

  #take(group: BoardGroup, node: BoardNode): void {
    node.groups.delete(group);
    node.weight -= group.weight;
  }

  /** What earlier plans have set going and is not done yet. */
  #countMoves({ picture: { desired, report }, nodes, leader }: BoardGroup): void {
    if (report === undefined) return;
    let isSending = false;
    for (const [position, replica] of desired.entries()) {
      if (report.voters.includes(replica)) continue;
      nodes[position]!.moves++;
      isSending = true;
    }
    if (isSending && leader) leader.moves++;
  }
}

/** Nodes of the same label among `nodes`. */
export function sharing(nodes: readonly BoardNode[], label: string): number {
  let count = 0;
  for (const node of nodes) if (node.label === label) count++;
  return count;
}

/** Stands for a node that is in no picture any more: nothing can be asked of it. */
function goneNode(node: number, { downAfter_ms }: PlacementOptions): BoardNode {
  return new BoardNode(
    { node, standing: 'leaving', hostLabel: '', down_ms: downAfter_ms, isDraining: false },
    downAfter_ms,
  );
}
