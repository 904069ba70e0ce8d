/**
 * The groups of a cluster as the services see them, whether their leader is here or elsewhere.
 *
 * A write goes to the leader, wherever that is. A read runs on the replica that is here, which asks the leader how far
 * it has to have come (ReadIndex, thesis §6.4). A group of which this node holds no replica can be written, not read:
 * whole calls on its names are passed on before they get here (forwarding.ts).
 */
import { type Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { GroupRouter, Proposal, ServiceGroup } from '../services/groups.ts';
import { slotOf } from '../state/crc16.ts';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import { LeaderSearch } from './leader-search.ts';
import type { Leadership, Links } from './leadership.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';
import { FIRST_DATA_GROUP } from './slot-map.ts';

/** The header of a passed-on command that is to be proposed as it is, without the service: the group that it is for. */
export const PROPOSAL_GROUP_HEADER = 'gomsg-group';

/** Writes of one group that may wait so. */
const WAITING_MAX = 1_024;

/** Replicas of this node. */
export interface LocalReplicas {
  replica(group: number): ServiceGroup | undefined;
  /** Calls back when a replica of the group comes or goes. */
  onReplicaChange(group: number, listener: () => void): () => void;
}

export class RoutedGroup implements ServiceGroup {
  readonly id: number;
  readonly #replicas: LocalReplicas;
  readonly #leadership: Leadership;
  readonly #links: Pick<Links, 'call'>;
  /** Writes that wait for a leader. */
  #waiting = 0;

  constructor(id: number, replicas: LocalReplicas, leadership: Leadership, links: Pick<Links, 'call'>) {
    this.id = id;
    this.#replicas = replicas;
    this.#leadership = leadership;
    this.#links = links;
  }

  get isLeader(): boolean {
    return this.#replicas.replica(this.id)?.isLeader ?? false;
  }

  /** Also told when the replica that led goes, and by the replica that comes in its place. */
  onRoleChange(listener: (isLeader: boolean) => void): () => void {
    let was = this.isLeader;
    const look = (): void => {
      const { isLeader } = this;
      if (isLeader === was) return;
      was = isLeader;
      listener(isLeader);
    };
    let stopReplica = this.#replicas.replica(this.id)?.onRoleChange(look);
    const stop = this.#replicas.onReplicaChange(this.id, () => {
      stopReplica?.();
      stopReplica = this.#replicas.replica(this.id)?.onRoleChange(look);
      look();
    });
    return () => {
      stop();
      stopReplica?.();
    };
  }

  submit(proposal: Proposal): void {
    this.#submit(proposal, undefined);
  }

  /** Waits for a leader that is about to be elected: what was handed to nobody was certainly not done. */
  #submit(proposal: Proposal, search: LeaderSearch | undefined): void {
    const replica = this.#replicas.replica(this.id);
    const leader = this.#leadership.leaderOf(this.id);
    if (replica?.isLeader) replica.submit(proposal);
    else if (leader !== undefined && leader !== this.#leadership.self) {
      const { reply } = proposal;
      this.#links.call(leader, forwardedProposal(this.id, proposal), {
        ok: (response) => reply.ok(response),
        fail: (failure) => {
          if (failure.reason === ErrorReason.NOT_LEADER) this.#submitLater(proposal, search, failure);
          else reply.fail(failure);
        },
      });
    } else this.#submitLater(proposal, search, this.#leadership.noLeader(this.id));
  }

  #submitLater(proposal: Proposal, begun: LeaderSearch | undefined, failure: Failure): void {
    const search = begun ?? new LeaderSearch(this.#leadership, undefined, proposal.canGoElsewhere);
    const isOn =
      this.#waiting < WAITING_MAX &&
      search.again(this.id, () => {
        this.#waiting--;
        this.#submit(proposal, search);
      });
    if (isOn) this.#waiting++;
    else proposal.reply.fail(failure);
  }

  read(
    consistency: Consistency,
    query: (state: GroupState, now_ms: number) => void,
    fail: (failure: Failure) => void,
  ): void {
    const replica = this.#replicas.replica(this.id);
    if (replica === undefined) fail(this.#leadership.noLeader(this.id));
    else replica.read(consistency, query, fail);
  }
}

function forwardedProposal(group: number, { method, payload, session }: Proposal): ForwardedCall {
  return { method, payload, session, headers: { [PROPOSAL_GROUP_HEADER]: String(group) } };
}

/** The group that a passed-on command is to be proposed to; undefined for a call of a service. */
export function proposalGroup({ headers }: ForwardedCall): number | undefined {
  const group = Number(headers?.[PROPOSAL_GROUP_HEADER]);
  return Number.isInteger(group) ? group : undefined;
}

/** All data groups of a cluster, by the slots of names. */
export class RoutedGroups implements GroupRouter {
  readonly #groups: readonly RoutedGroup[];
  readonly #groupOfSlot: (slot: number) => number;

  /** @param groups by id, from 1 */
  constructor(groups: readonly RoutedGroup[], groupOfSlot: (slot: number) => number) {
    this.#groups = groups;
    this.#groupOfSlot = groupOfSlot;
  }

  groupOf(name: string): RoutedGroup {
    return this.#groups[this.#groupOfSlot(slotOf(name)) - FIRST_DATA_GROUP]!;
  }

  dataGroups(): readonly RoutedGroup[] {
    return this.#groups;
  }
}
