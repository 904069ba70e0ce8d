/** The face of a Raft group as the services use it; `groups/` implements it. */
import type { Message } from '@bufbuild/protobuf';
import { type Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import type { CallContext, Reply, SessionCall } from './method.ts';

/** A write on its way into the log. */
export interface Proposal {
  /** Number of the rpc or internal command. */
  readonly method: number;
  /** The encoded request; the group keeps it until the answer. */
  readonly payload: Uint8Array;
  /** The decoded request; never changed after this. */
  readonly request: Message | undefined;
  readonly session: SessionCall | undefined;
  /** As of the call (`CallContext`), for a command whose group may be led by another node. */
  readonly canGoElsewhere?: boolean | undefined;
  /** Gets the encoded response once the command is committed, durable and applied. */
  readonly reply: Reply;
}

export interface ServiceGroup {
  readonly id: number;
  /** Whether this node's replica leads the group, as far as it knows. */
  readonly isLeader: boolean;
  /**
   * Tells of each change of `isLeader`, after it is so. Returns what ends that. A listener that throws has a bug and is
   * told once more at the next change.
   */
  onRoleChange(listener: (isLeader: boolean) => void): () => void;
  /** Puts a write into this turn's entry. Answers through `proposal.reply`, also when it is refused. */
  submit(proposal: Proposal): void;
  /**
   * Runs `query` on the applied state once the consistency allows it; with one voter at once, in the same turn.
   * `now_ms` is the group's clock: never behind any applied stamp nor an earlier read.
   */
  read(
    consistency: Consistency,
    query: (state: GroupState, now_ms: number) => void,
    fail: (failure: Failure) => void,
  ): void;
}

/** Which group is responsible for what. */
export interface GroupRouter {
  /** Group of a key, queue or topic name (or of `topic/partition`), by its hash slot; `{tag}` is honoured. */
  groupOf(name: string): ServiceGroup;
  /** All data groups, by id. */
  dataGroups(): readonly ServiceGroup[];
}

/** Of the groups that a request is about, those that this call of it asks for. */
export function within(
  groups: readonly ServiceGroup[],
  { groups: only }: CallContext,
): readonly ServiceGroup[] {
  return only === undefined ? groups : groups.filter(({ id }) => only.has(id));
}

/** The answer of a call to all groups on a node that knows of none. */
export const NO_GROUP_KNOWN: Failure = { reason: ErrorReason.NO_QUORUM, message: 'no group is known yet' };
