/** What placement is decided from: the control state, and what the nodes report. Plain data, the same for every plan. */

export interface NodePicture {
  /** Its number. */
  readonly node: number;
  /** A node that left is not in the picture at all. */
  readonly standing: 'active' | 'leaving';
  /** What fails together with it; empty = nothing but the node itself. */
  readonly hostLabel: string;
  /** For how long nothing was heard of it; 0 = it is up. */
  readonly down_ms: number;
  /** It is up and about to stop: it gets nothing just now. */
  readonly isDraining: boolean;
}

/** What the leader of a group tells. Members are replica ids. */
export interface GroupReport {
  readonly leader: number;
  readonly voters: readonly number[];
  /** The outgoing majority while a change is under way, else empty. */
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  /** A majority of the voters knows that they are those: the group goes on without whoever is no member. */
  readonly settled: boolean;
  /** Members that have nearly the whole log and answer, the leader among them. */
  readonly caughtUp: readonly number[];
}

/** Smoothed by whoever reports it: a plan follows every figure. */
export interface GroupLoad {
  readonly bytes: number;
  /** Every replica bears them. */
  readonly writesPerSecond: number;
  /** The leader bears them. */
  readonly readsPerSecond: number;
}

export const NO_LOAD: GroupLoad = { bytes: 0, writesPerSecond: 0, readsPerSecond: 0 };

export interface GroupPicture {
  readonly group: number;
  /** Epoch of the desired replicas: what a change of them expects. */
  readonly epoch: number;
  /** Replica ids that are to vote. */
  readonly desired: readonly number[];
  /** Number of the node that is to lead; undefined = whoever it is. */
  readonly preferredLeader: number | undefined;
  /** Undefined while no leader is known: nobody could carry out a change, so the group is left alone. */
  readonly report: GroupReport | undefined;
  /** Undefined until its present leader has measured it for a while. */
  readonly load: GroupLoad | undefined;
}

/** Whether the voters are those that are to be, with no change under way. Learners may come and go. */
export function hasDesiredVoters({ desired, report }: GroupPicture): boolean {
  return (
    report !== undefined &&
    report.votersOutgoing.length === 0 &&
    report.voters.length === desired.length &&
    desired.every((replica) => report.voters.includes(replica))
  );
}

export interface ClusterPicture {
  readonly nodes: readonly NodePicture[];
  /** Data groups. */
  readonly groups: readonly GroupPicture[];
  readonly control: GroupPicture;
  /** Replicas that a group is to have where there are nodes enough. */
  readonly replication: number;
  /** False for a while after a move for load: what it brought has to show before the next. */
  readonly mayMoveForLoad: boolean;
}

/** Why replicas are moved; the most pressing first. */
export type MoveReason = 'replication' | 'leaving' | 'down' | 'labels' | 'count' | 'load';

/** Desired replicas of a group, as a proposal for the control group. */
export interface PlacementChange {
  readonly group: number;
  readonly expectedEpoch: number;
  /** Numbers of the nodes, ascending. */
  readonly nodes: readonly number[];
  readonly reason: MoveReason;
}

export interface LeaderChange {
  readonly group: number;
  /** Number of the node. */
  readonly node: number;
  readonly reason: LeaderReason;
}

/** Why a group is to be led by another node. */
export type LeaderReason = Extract<MoveReason, 'leaving' | 'count' | 'load'>;
