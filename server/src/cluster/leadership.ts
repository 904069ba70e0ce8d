/** What a call has to know to find the leader that takes it: who leads, and the way there. */
import type { Reply } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';
import type { CallHandle } from './links/pending-calls.ts';

/** What is known of the groups here. */
export interface Leadership {
  /** Number of this node. */
  readonly self: number;
  /** Group that owns the slot of a name. */
  groupOf(name: string): number;
  /** Number of the node that leads a group; undefined while none is known. */
  leaderOf(group: number): number | undefined;
  hasReplica(group: number): boolean;
  /** For how long this node has not heard of enough voters of a group to make a majority with; 0 = it has one by itself. */
  majoritySilence_ms(group: number): number;
  /** Calls back at every change of what is known about a group's leader. Returns what ends that. */
  onLeaderChange(group: number, listener: () => void): () => void;
  /** This node stops and has no way to the others any more: whoever waits for a leader here waits in vain. */
  readonly isOver: boolean;
  /** Why a group has no leader, for people: which nodes are missing. */
  noLeader(group: number): Failure;
}

/** The way to the other nodes. */
export interface Links {
  call(node: number, call: ForwardedCall, reply: Reply): CallHandle;
  /** Ended by its iterator's `return`. */
  stream(node: number, call: ForwardedCall): AsyncIterable<Uint8Array>;
}
