/** What the owner gives the core: identity, stored state, time scale and limits. */
import type { Configuration } from './configuration.ts';
import type { Entry, HardState } from './entry.ts';
import { assert } from './errors.ts';
import type { SnapshotMeta } from './messages.ts';

/**
 * The stored log as the owner has it. Pure reads, called at any time; answers cover at least every entry reported by
 * `persisted()`. The core never asks for an index that a write under way may still change.
 */
export interface LogReader {
  /** Index of the oldest entry kept; `lastIndex() + 1` when there is none. The owner may compact at any time. */
  firstIndex(): number;
  /** Index of the newest entry; that of the snapshot when the log behind it is empty; 0 for a fresh replica. */
  lastIndex(): number;
  /**
   * Term of the entry at `index`, also at `firstIndex() - 1` (the compacted entry or the snapshot; 0 at index 0).
   * Undefined when compacted or not there.
   */
  term(index: number): number | undefined;
  /**
   * Entries `[from, toExclusive)`, cut once their size (`entryBytes`) passes `maxBytes`, but at least one. Both ends
   * are within what is kept.
   */
  entries(from: number, toExclusive: number, maxBytes: number): readonly Entry[];
  /**
   * A snapshot the owner can send now, at or past `firstIndex() - 1`; undefined when none can be made at this moment
   * (asked again after a heartbeat).
   */
  snapshotMeta(): SnapshotMeta | undefined;
}

/** Options without a default are required. Ticks are the owner's: the core knows no clock. */
export interface RaftOptions {
  /** This node's id, a positive safe integer, never reused within the group. */
  readonly id: number;
  readonly log: LogReader;
  /** As last stored; `EMPTY_HARD_STATE` for a fresh replica. */
  readonly hardState: HardState;
  /** The membership as of `appliedIndex`. Empty for a replica that joins: it learns it from the log or a snapshot. */
  readonly configuration: Configuration;
  /** Last index whose effects the owner's state holds durably; entries after it are handed out again. */
  readonly appliedIndex: number;
  /** Uniform in [0, 1); seeded by the owner. Spreads election timeouts (paper §5.2). */
  readonly random: () => number;
  /** Least ticks without a leader before an election; the real timeout is drawn from [n, 2n). Default 10. */
  readonly electionTicks?: number;
  /** Ticks between heartbeats. Less than `electionTicks`. Default 1. */
  readonly heartbeatTicks?: number;
  /** Ask before campaigning, so that a node back from a partition disturbs nobody (thesis §9.6). Default true. */
  readonly preVote?: boolean;
  /**
   * A leader that has not heard from a majority within `electionTicks` steps down, and voters that hear a leader
   * ignore candidates (thesis §6.2, §4.2.3). Default true.
   */
  readonly checkQuorum?: boolean;
  /**
   * Ticks without anything to do after which a leader and its followers stop their clocks (`hibernation.ts`). Asks of the
   * owner that it calls `wake` when the node of another member falls silent. 0 = never. Default 0.
   */
  readonly hibernateAfterTicks?: number;
  /**
   * Tells a follower of a commit and nothing else at most once a tick, of further ones along with entries or the
   * heartbeat: under load such appends and their answers would be half of all messages. Followers then apply that much
   * later; clients do not wait for them. Default false.
   */
  readonly sparseCommits?: boolean;
  /** Appends under way to one follower. Default 256. */
  readonly maxInFlightMessages?: number;
  /** Bytes of entries under way to one follower; may be passed by one message. Default 8 MiB. */
  readonly maxInFlightBytes?: number;
  /** Bytes of entries in one append message; may be passed by a single larger entry. Default 1 MiB. */
  readonly maxMessageBytes?: number;
  /** Payload bytes the leader accepts before they commit; one proposal may always pass. Default 64 MiB. */
  readonly maxUncommittedBytes?: number;
  /** Bytes of committed entries handed out and not yet applied; may be passed by one entry. Default 16 MiB. */
  readonly maxCommittedBytesPerReady?: number;
  /** Bytes of durable entries kept in memory until applied; past it they are read back from the log. Default 16 MiB. */
  readonly maxRetainedBytes?: number;
  /** Reads waiting for confirmation. Default 65536. */
  readonly maxPendingReads?: number;
}

/** `RaftOptions` with every default filled in. */
export type ResolvedOptions = Required<RaftOptions>;

const MIB = 1024 * 1024;

/** Fills in the defaults and checks what must hold. */
export function resolveOptions(options: RaftOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    id: options.id,
    log: options.log,
    hardState: options.hardState,
    configuration: options.configuration,
    appliedIndex: options.appliedIndex,
    random: options.random,
    electionTicks: options.electionTicks ?? 10,
    heartbeatTicks: options.heartbeatTicks ?? 1,
    preVote: options.preVote ?? true,
    checkQuorum: options.checkQuorum ?? true,
    hibernateAfterTicks: options.hibernateAfterTicks ?? 0,
    sparseCommits: options.sparseCommits ?? false,
    maxInFlightMessages: options.maxInFlightMessages ?? 256,
    maxInFlightBytes: options.maxInFlightBytes ?? 8 * MIB,
    maxMessageBytes: options.maxMessageBytes ?? MIB,
    maxUncommittedBytes: options.maxUncommittedBytes ?? 64 * MIB,
    maxCommittedBytesPerReady: options.maxCommittedBytesPerReady ?? 16 * MIB,
    maxRetainedBytes: options.maxRetainedBytes ?? 16 * MIB,
    maxPendingReads: options.maxPendingReads ?? 65_536,
  };
  assert(Number.isSafeInteger(resolved.id) && resolved.id > 0, 'id must be a positive safe integer');
  assert(resolved.heartbeatTicks >= 1, 'heartbeatTicks must be at least 1');
  assert(resolved.electionTicks > resolved.heartbeatTicks, 'electionTicks must exceed heartbeatTicks');
  assert(resolved.maxInFlightMessages >= 1, 'maxInFlightMessages must be at least 1');
  assert(resolved.maxInFlightBytes >= resolved.maxMessageBytes, 'maxInFlightBytes must hold one message');
  assert(resolved.maxCommittedBytesPerReady >= 1, 'maxCommittedBytesPerReady must be positive');
  return resolved;
}
