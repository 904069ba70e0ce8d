/** What callers are told whose write or read a replica does not take, or gives up. */
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import {
  type Configuration,
  NO_NODE,
  NotLeaderError,
  ProposalDroppedError,
  ReadRefusedError,
} from '../raft/index.ts';
import { type Failure, reasonInDoubt } from '../state/failure.ts';
import type { ReplicaAddress } from './peers.ts';

/** When a caller may try again that was refused for lack of room, or of a leader. */
export const RETRY_AFTER_MS = 50;

interface Standing {
  readonly id: number;
  /** The leader that the replica knows of; 0 for none. */
  readonly leader: number;
  readonly configuration: Configuration;
}

/** What a node knows of the nodes of other replicas. */
export interface OtherReplicas {
  /** Where a replica lives; undefined when its node is not known. */
  addressOf(replicaId: number): ReplicaAddress | undefined;
  /** Whether its node does not answer. */
  isSilent(replicaId: number): boolean;
}

/** A call that needs the leader is refused. It was not done, which NOT_LEADER says for certain, also between leaders. */
export function notLeader(group: number, standing: Standing, others: OtherReplicas): Failure {
  const { id, leader, configuration } = standing;
  const { voters } = configuration;
  if (leader === NO_NODE && !(voters.length === 1 && voters[0] === id)) {
    const names = voters.map((voter) => nameOf(voter, others));
    const why =
      missing(standing, others) ||
      `: more than half of its voters (${names.join(', ')}) must reach each other`;
    return {
      reason: ErrorReason.NOT_LEADER,
      message: `group ${group} has no leader at this moment${why}`,
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }
  const hint = others.addressOf(leader);
  return {
    reason: ErrorReason.NOT_LEADER,
    message: `this node does not lead group ${group}${hint ? `; ${hint.nodeId} at ${hint.address} does` : ''}`,
    ...(hint && { leader: hint }),
  };
}

/** A leader was deposed before its write was committed. */
export function deposed(group: number, standing: Standing, others: OtherReplicas): Failure {
  return {
    reason: ErrorReason.NO_QUORUM,
    message: `this node ceased to lead group ${group} before the write was committed${missing(standing, others)}`,
    retryAfter_ms: RETRY_AFTER_MS,
  };
}

/** A write is given up that is in a log: whoever leads next may find and commit it. */
export function inDoubt(failure: Failure): Failure {
  const reason = reasonInDoubt(failure.reason);
  return { ...failure, reason, message: `${failure.message}; the write may still be applied` };
}

/** How a message goes on that names nodes which are to be brought back; nothing for none. */
export function doNotAnswer(nodeIds: readonly string[]): string {
  if (nodeIds.length === 0) return '';
  return `: ${[...nodeIds].sort().join(' and ')} ${nodeIds.length > 1 ? 'do' : 'does'} not answer`;
}

function missing({ id, configuration }: Standing, others: OtherReplicas): string {
  const silent = configuration.voters.filter((voter) => voter !== id && others.isSilent(voter));
  return doNotAnswer(silent.map((voter) => nameOf(voter, others)));
}

function nameOf(replicaId: number, others: OtherReplicas): string {
  return others.addressOf(replicaId)?.nodeId ?? `replica ${replicaId}`;
}

/** Why the core did not take a proposal or a read. Throws what is no refusal. */
export function refused(error: unknown, whenNotLeader: () => Failure): Failure {
  if (error instanceof NotLeaderError) return whenNotLeader();
  if (error instanceof ProposalDroppedError && error.reason === 'transferring') {
    return {
      reason: ErrorReason.NOT_LEADER,
      message: 'the leader is handing over to another node; nothing was done',
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }
  if (error instanceof ProposalDroppedError)
    return overloaded(`the log did not take the write: ${error.reason}`);
  if (error instanceof ReadRefusedError) return overloaded(`the read was not taken: ${error.reason}`);
  throw error;
}

export function overloaded(why: string): Failure {
  return {
    reason: ErrorReason.OVERLOADED,
    message: `${why}; retry in a moment`,
    retryAfter_ms: RETRY_AFTER_MS,
  };
}
