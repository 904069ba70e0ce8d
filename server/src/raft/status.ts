/** A picture of a replica for operators, metrics and tests. */
import type { Configuration } from './configuration.ts';
import { NO_NODE } from './entry.ts';
import { isSettled } from './membership.ts';
import type { Role } from './ready.ts';
import type { RaftState } from './state.ts';

/**
 * How the leader feeds a follower: `probe` finds where the logs agree, one message per heartbeat; `replicate` streams
 * ahead of the answers; `snapshot` waits for a snapshot to arrive.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** The leader's view of one other member. */
export interface PeerStatus {
  readonly id: number;
  readonly state: ProgressState;
  /** Highest index known to be durable there. */
  readonly match: number;
  /** Next index to send. */
  readonly next: number;
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Nothing is sent until an answer arrives. */
  readonly paused: boolean;
  /** Heard from since the last quorum check. */
  readonly recentlyActive: boolean;
  readonly learner: boolean;
  /** Index of the snapshot it is to receive; 0 outside `snapshot`. */
  readonly pendingSnapshot: number;
}

export interface RaftStatus {
  readonly id: number;
  readonly role: Role;
  readonly term: number;
  readonly vote: number;
  /** 0 when unknown. */
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  /** Highest index durable here. */
  readonly persisted: number;
  readonly configuration: Configuration;
  /** A majority knows that the configuration is in effect; false unless leader. */
  readonly configurationSettled: boolean;
  /** The node leadership is being handed to; 0 when none. */
  readonly transferTarget: number;
  /** Payload bytes proposed here and not yet committed. */
  readonly uncommittedBytes: number;
  readonly pendingReads: number;
  /** Every other member, ascending by id; empty unless leader. */
  readonly peers: readonly PeerStatus[];
}

/** Allocates: for operators, not for the hot path. */
export function statusOf(state: RaftState): RaftStatus {
  const { leadership, log } = state;
  return {
    id: state.id,
    role: state.role,
    term: state.term,
    vote: state.vote,
    leader: state.leader,
    commit: log.committed,
    applied: log.applied,
    lastIndex: log.lastIndex,
    persisted: log.persisted,
    configuration: state.configuration,
    configurationSettled: leadership !== undefined && isSettled(state, leadership),
    transferTarget: leadership?.transferTarget ?? NO_NODE,
    uncommittedBytes: leadership?.uncommittedBytes ?? 0,
    pendingReads: leadership?.reads.size ?? 0,
    peers: leadership?.tracker.peers.map((peer) => peer.status()) ?? [],
  };
}
