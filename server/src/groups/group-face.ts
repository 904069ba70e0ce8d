/** What a group is given, and what it asks of the host that runs it. */
import type { Configuration, Message, SnapshotMessage, SnapshotMeta } from '../raft/index.ts';
import type { Failure } from '../state/failure.ts';
import type { StateStore } from '../state/machine.ts';
import type { Group } from './group.ts';
import type { NodeLog } from './node-log.ts';
import type { OtherReplicas } from './refusals.ts';

/** What a group needs of its node. */
export interface GroupHostFace extends OtherReplicas {
  /** Asks for a turn in which this group's waiting commands are proposed. */
  schedule(group: Group): void;
  /** Level of what is written just now: see `state/level.ts`. */
  readonly level: number;
  /** Unix milliseconds. */
  clock(): number;
  /** Milliseconds of a clock that is never set. */
  monotonic(): number;
  /** False while log or store are short of room: see `writeRefusal`. */
  readonly hasRoom: boolean;
  /** Why writes of a method are refused node-wide just now, such as a full disk; undefined when they are not. */
  writeRefusal(method: number): Failure | undefined;
  /** True while writes wait for the overlay to be written out. */
  readonly held: boolean;
  /** Makes room in the log for an entry of this turn. False when it has to wait until what is buffered is written. */
  takeLogRoom(bytes: number): boolean;
  /** Tells operators of a bug that was met and survived. */
  reportBug(error: unknown, where: string): void;
  /** Told of every applied entry, with its number of commands. */
  onApplied(commands: number): void;
  /** Takes a message to another replica of the group. */
  send(group: Group, message: Message): void;
  /** Takes the wish that a follower be sent a snapshot. */
  sendSnapshot(group: Group, message: SnapshotMessage): void;
  /** The leader that the group's replica knows of has changed, or the term. */
  leaderChanged(group: Group): void;
  /** An entry that changes the members was applied. */
  membersChanged(group: Group): void;
}

export interface GroupOptions {
  readonly id: number;
  /** This replica's Raft id. */
  readonly raftId: number;
  readonly log: NodeLog;
  readonly store: StateStore;
  readonly host: GroupHostFace;
  /** Uniform in [0, 1), for election timeouts. */
  readonly random: () => number;
  /** Ticks without anything to do after which the group stops its clocks; 0 = never. Default 0. */
  readonly hibernateAfterTicks?: number;
  /**
   * The members before any entry says who they are; empty for a replica that learns them from the others. Default: this
   * one alone.
   */
  readonly configuration?: Configuration;
}

/** The state is at an index that the log cannot continue from: a file was lost or put in from elsewhere. */
export class LogStateMismatchError extends Error {
  override readonly name = 'LogStateMismatchError';
}

/** What one batch of work gave to the log, and what follows once that and all before it is durable. */
export interface Written {
  /** Id of the last entry; index 0 when there are none. */
  readonly index: number;
  readonly term: number;
  /** What the entries occupy. */
  readonly bytes: number;
  /** To be sent then. */
  readonly messages: readonly Message[];
  /** The log was given up for this snapshot: the state is to be replaced by it then. */
  readonly snapshot: SnapshotMeta | undefined;
}
