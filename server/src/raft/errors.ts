/** Refusals the owner is expected to handle, and the assertion for what can never be. */

/** The call needs the leader. `leader` is a hint, 0 when unknown. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError';
  readonly leader: number;

  constructor(leader: number) {
    super(leader === 0 ? 'not the leader; the leader is unknown' : `not the leader; node ${leader} is`);
    this.leader = leader;
  }
}

/**
 * - `transferring`: leadership is being handed over; try again, or at the new leader.
 * - `uncommitted-limit`: `maxUncommittedBytes` are waiting to commit; try again later.
 */
export type ProposalDroppedReason = 'transferring' | 'uncommitted-limit';

/** The leader did not take the proposal: it is not in the log and will never commit. */
export class ProposalDroppedError extends Error {
  override readonly name = 'ProposalDroppedError';
  readonly reason: ProposalDroppedReason;

  constructor(reason: ProposalDroppedReason) {
    super(`proposal dropped: ${reason}`);
    this.reason = reason;
  }
}

/**
 * - `pending`: an earlier change may still be unapplied (thesis §4.1: one at a time); try again once it is.
 * - `joint`: the group is in a joint configuration and must leave it first.
 * - `not-joint`: there is no joint configuration to leave.
 * - `no-voters`: no voter would remain.
 * - `no-change`: the group already has this configuration.
 */
export type ConfigurationRefusedReason = 'pending' | 'joint' | 'not-joint' | 'no-voters' | 'no-change';

/** The membership change is not allowed, now or at all. Nothing was written. */
export class ConfigurationRefusedError extends Error {
  override readonly name = 'ConfigurationRefusedError';
  readonly reason: ConfigurationRefusedReason;

  constructor(reason: ConfigurationRefusedReason) {
    super(`configuration change refused: ${reason}`);
    this.reason = reason;
  }
}

/**
 * - `no-commit-in-term`: the leader has not committed an entry of its own term yet and so does not know what is
 *   committed (thesis §6.4); try again once its no-op is.
 * - `too-many-reads`: `maxPendingReads` are waiting.
 */
export type ReadRefusedReason = 'no-commit-in-term' | 'too-many-reads';

/** The leader cannot serve the read now. */
export class ReadRefusedError extends Error {
  override readonly name = 'ReadRefusedError';
  readonly reason: ReadRefusedReason;

  constructor(reason: ReadRefusedReason) {
    super(`read refused: ${reason}`);
    this.reason = reason;
  }
}

/** Leadership can only go to another voter of the current configuration. */
export class TransferRefusedError extends Error {
  override readonly name = 'TransferRefusedError';
  readonly target: number;

  constructor(target: number) {
    super(`leadership cannot be transferred to node ${target}: it is not another voter`);
    this.target = target;
  }
}

/** Something that cannot happen did: a bug here, or storage that lost what it called durable. The node must stop. */
export class RaftInvariantError extends Error {
  override readonly name = 'RaftInvariantError';
}

/** Throws `RaftInvariantError` unless `condition`. Keep `message` a literal on hot paths: it is built either way. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RaftInvariantError(message);
}
