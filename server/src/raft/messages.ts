/**
 * Everything one replica of a group says to another. Plain data: the owner encodes, batches and sends it.
 *
 * Delivery may lose, duplicate, reorder and delay messages without harm.
 */
import type { Configuration } from './configuration.ts';
import type { Entry } from './entry.ts';

interface Envelope {
  /** Sender's node id. */
  readonly from: number;
  /** Receiver's node id. */
  readonly to: number;
  /**
   * The sender's term; for a pre-vote and for its grant, the term the candidate would campaign in (thesis §9.6).
   */
  readonly term: number;
}

/** Leader → follower: entries that follow `(previousIndex, previousTerm)`; none to probe or to tell the commit index. */
export interface AppendMessage extends Envelope {
  readonly type: 'append';
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly commit: number;
}

/** Follower → leader. Accepted: durable up to `index`. Rejected: the log does not hold the append's previous entry. */
export interface AppendResponseMessage extends Envelope {
  readonly type: 'append-response';
  /** Accepted: the last index known to match. Rejected: the `previousIndex` that was refused. */
  readonly index: number;
  readonly rejected: boolean;
  /** Rejected: the best guess of where the logs still agree (paper §5.3, last paragraphs); else 0. */
  readonly hintIndex: number;
  /** Rejected: the follower's term at `hintIndex`, 0 when unknown; else 0. */
  readonly hintTerm: number;
}

/** Leader → follower: I still lead. */
export interface HeartbeatMessage extends Envelope {
  readonly type: 'heartbeat';
  /** min(leader's commit, what the receiver is known to hold): safe to commit unseen. */
  readonly commit: number;
  /** Position of the newest read that waits for confirmation, 0 when none (thesis §6.4). */
  readonly context: number;
}

/**
 * Leader → follower, in the place of a heartbeat: there is nothing left to do, and this is the last that is heard until
 * there is something again. Both stop their clocks; see `hibernation.ts`. Not answered.
 */
export interface HibernateMessage extends Envelope {
  readonly type: 'hibernate';
  /** The leader's last index: all of it is committed, and known to be held by the receiver. */
  readonly commit: number;
}

/** Follower → leader: heard. Also the answer to a deposed leader: its higher term makes that leader step down. */
export interface HeartbeatResponseMessage extends Envelope {
  readonly type: 'heartbeat-response';
  /** The heartbeat's context. */
  readonly context: number;
}

/**
 * What the sender of an election message knows to be committed. A receiver whose log holds that very entry knows the
 * same. Without it an election can be stuck for good: a node may hold a committed configuration that would let it lead
 * and, without a leader, never learn that it is committed (the same remedy as in TiKV's raft-rs).
 */
export interface ElectionMessage extends Envelope {
  readonly commitIndex: number;
  readonly commitTerm: number;
}

/** Candidate → voter (paper §5.2, §5.4.1). */
export interface VoteMessage extends ElectionMessage {
  readonly type: 'vote';
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader itself asked for this election, so a voter that still hears that leader answers (thesis §3.10). */
  readonly transfer: boolean;
}

export interface VoteResponseMessage extends ElectionMessage {
  readonly type: 'vote-response';
  readonly granted: boolean;
}

/** Would-be candidate → voter: would you vote for me? Changes nothing at the voter (thesis §9.6). */
export interface PreVoteMessage extends ElectionMessage {
  readonly type: 'pre-vote';
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteResponseMessage extends ElectionMessage {
  readonly type: 'pre-vote-response';
  readonly granted: boolean;
}

/** Leader → transfer target: campaign now (thesis §3.10). */
export interface TimeoutNowMessage extends Envelope {
  readonly type: 'timeout-now';
}

/** What a snapshot stands for: the state after applying `index`, and the membership at that point. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

/**
 * Leader → follower: the log you need is gone, here is a snapshot. Carries only metadata. The sending owner streams
 * the data beside it and may put the metadata of the snapshot it really sends (any index at or past the one asked
 * for); the receiving owner steps this message once all data is there.
 */
export interface SnapshotMessage extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotMeta;
}

export type Message =
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | HibernateMessage
  | VoteMessage
  | VoteResponseMessage
  | PreVoteMessage
  | PreVoteResponseMessage
  | TimeoutNowMessage
  | SnapshotMessage;

/** Shared empty list: a `Ready` without messages allocates none. */
export const NO_MESSAGES: readonly Message[] = Object.freeze([]);
