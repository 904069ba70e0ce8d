/**
 * One replica of one Raft group: the only place where consensus, log and state meet.
 *
 * A write: `submit` → gathered until the end of the event-loop turn → one entry → `RaftCore` → log → durable →
 * committed → applied → every caller answered. The host runs the turns for all groups of the node together, so that
 * they share one write and one sync (host.ts).
 */
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import {
  type Configuration,
  type Entry,
  EntryKind,
  makeConfiguration,
  NotLeaderError,
  ProposalDroppedError,
  RaftCore,
  type RaftStatus,
  ReadRefusedError,
} from '../raft/index.ts';
import type { Proposal, ServiceGroup } from '../services/groups.ts';
import { type Failure, isFailure } from '../state/failure.ts';
import { GroupState } from '../state/group-state.ts';
import { COMMAND_OVERHEAD_BYTES, decodeLogEntry, encodeLogEntry } from '../state/log-entry.ts';
import type { StateStore } from '../state/machine.ts';
import type { NodeLog } from './node-log.ts';

/** Data bytes at which a turn's commands are spread over several entries. One command may be larger. */
const ENTRY_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Commands in one entry. An entry is applied in one go, so this bounds how long the event loop is held; and as the
 * answers of one entry leave while the next is applied, a busy client has new calls on the way before the last are done.
 */
const ENTRY_COMMANDS_MAX = 256;

/** Bytes of commands that may wait for their turn. Past it callers are told to come back. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** When a caller that was refused for lack of room may try again. */
const RETRY_AFTER_MS = 50;

/** Reads that may wait for leadership to be confirmed. */
const WAITING_READS_MAX = 65_536;

/** What a group needs of its node. */
export interface GroupHostFace {
  /** Asks for a turn in which this group's waiting commands are proposed. */
  schedule(group: Group): void;
  /** Unix milliseconds. */
  clock(): number;
  /** Why writes are refused node-wide just now, such as a full disk; undefined when they are not. */
  writeRefusal(): Failure | undefined;
  /** True while writes wait for the overlay to be written out. */
  readonly held: boolean;
  /** Told of every applied entry, with its number of commands. */
  onApplied(commands: number): void;
  /** Address of a Raft node id. */
  addressOf(raftId: number): { readonly nodeId: string; readonly address: string } | undefined;
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
}

/** The state is at an index that the log cannot continue from: a file was lost or put in from elsewhere. */
export class LogStateMismatchError extends Error {
  override readonly name = 'LogStateMismatchError';
}

/** Reads that may be served once an entry is applied. */
interface ConfirmedReads {
  readonly index: number;
  readonly reads: readonly WaitingRead[];
}

interface WaitingRead {
  readonly query: (state: GroupState, now_ms: number) => void;
  readonly fail: (failure: Failure) => void;
}

/** Commands of one entry that this node proposed, until the entry is applied. */
interface Proposed {
  readonly index: number;
  readonly term: number;
  readonly stamp_ms: number;
  readonly proposals: readonly Proposal[];
}

export class Group implements ServiceGroup {
  readonly id: number;
  readonly state: GroupState;
  readonly #core: RaftCore;
  readonly #host: GroupHostFace;
  readonly #log: NodeLog;
  #waiting: Proposal[] = [];
  #waitingBytes = 0;
  /** Entries proposed and not yet applied, by rising index. */
  #proposed: Proposed[] = [];
  #reads: WaitingRead[] = [];
  /** Reads by the number under which the core was asked. */
  readonly #confirming = new Map<number, readonly WaitingRead[]>();
  #readRound = 0;
  /** By rising index. */
  #confirmed: ConfirmedReads[] = [];
  /** Entries to apply, oldest first, from `#committedAt` on. */
  #committed: Entry[] = [];
  #committedAt = 0;
  #clock_ms = 0;
  /** True when this node may answer linearizable reads without asking anyone: see `#updateReadiness`. */
  #readsAtOnce = false;
  #stopped: Failure | undefined;

  constructor(options: GroupOptions) {
    const { id, raftId, log, host } = options;
    this.id = id;
    this.#host = host;
    this.#log = log;
    this.state = new GroupState(options.store, id);
    this.state.load();
    const stored = log.groupState(id);
    const applied = this.state.appliedIndex;
    if (applied > stored.lastIndex || applied < stored.firstIndex - 1) {
      throw new LogStateMismatchError(
        `group ${id}: the store is at entry ${applied}, and the log holds ${stored.firstIndex} to ${stored.lastIndex}. ` +
          'The log or the store was replaced or lost: put the whole data folder back from one copy',
      );
    }
    const configuration: Configuration = makeConfiguration([raftId]);
    this.#core = new RaftCore({
      id: raftId,
      hardState: stored.hardState,
      configuration,
      appliedIndex: applied,
      random: options.random,
      log: {
        firstIndex: () => log.groupState(id).firstIndex,
        lastIndex: () => log.groupState(id).lastIndex,
        term: (index) => log.term(id, index),
        // The log gives back what this core wrote: kinds included.
        entries: (from, to, maxBytes) => log.entries(id, from, to, maxBytes) as readonly Entry[],
        snapshotMeta: () => ({ index: applied, term: this.state.appliedTerm, configuration }),
      },
    });
    this.#clock_ms = this.state.stamp_ms;
  }

  /** A picture for operators. */
  status(): RaftStatus {
    return this.#core.status();
  }

  get isLeader(): boolean {
    return this.#core.isLeader;
  }

  /** Commands waiting for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a write is still on its way to its answer. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#proposed.length > 0 || this.applying;
  }

  /** Whether committed entries wait to be applied. */
  get applying(): boolean {
    return this.#committedAt < this.#committed.length;
  }

  /** A sole voter leads at once; the host then drives the group until it has applied what its log held. */
  start(): void {
    if (this.#core.configuration.voters.length === 1) this.#core.campaign();
  }

  /** Refuses everything that waits and everything to come. */
  stop(failure: Failure): void {
    this.#stopped = failure;
    const proposals = this.#waiting.concat(...this.#proposed.map((entry) => entry.proposals));
    this.#waiting = [];
    this.#proposed = [];
    for (const { reply } of proposals) reply.fail(failure);
    for (const { fail } of this.#takeReads()) fail(failure);
  }

  // --- the services' face ---

  submit(proposal: Proposal): void {
    const refusal = this.#refusal(proposal);
    if (refusal !== undefined) {
      proposal.reply.fail(refusal);
      return;
    }
    if (this.#waiting.push(proposal) === 1) this.#host.schedule(this);
    this.#waitingBytes += proposal.payload.length + COMMAND_OVERHEAD_BYTES;
  }

  read(
    consistency: Consistency,
    query: (state: GroupState, now_ms: number) => void,
    fail: (failure: Failure) => void,
  ): void {
    if (this.#readsAtOnce || consistency === Consistency.STALE) {
      query(this.state, this.now());
      return;
    }
    const refusal = this.#stopped ?? (this.#core.isLeader ? undefined : this.#notLeader());
    if (refusal !== undefined) fail(refusal);
    else if (this.#reads.length >= WAITING_READS_MAX)
      fail(overloaded('reads wait for the leader to be confirmed'));
    else if (this.#reads.push({ query, fail }) === 1) this.#host.schedule(this);
  }

  /** The group's time: never behind an applied stamp, an earlier entry of this leader or an earlier read. */
  now(): number {
    const now = this.#host.clock();
    if (now > this.#clock_ms) this.#clock_ms = now;
    if (this.state.stamp_ms > this.#clock_ms) this.#clock_ms = this.state.stamp_ms;
    return this.#clock_ms;
  }

  #refusal(proposal: Proposal): Failure | undefined {
    if (this.#stopped !== undefined) return this.#stopped;
    if (!this.#core.isLeader) return this.#notLeader();
    if (this.#waitingBytes > 0 && this.#waitingBytes + proposal.payload.length > WAITING_BYTES_MAX) {
      return overloaded(`${this.#waitingBytes} bytes of writes wait to be logged`);
    }
    return this.#host.writeRefusal();
  }

  #notLeader(): Failure {
    const leader = this.#host.addressOf(this.#core.leader);
    return {
      reason: ErrorReason.NOT_LEADER,
      message: `this node does not lead group ${this.id}${leader ? `; ${leader.nodeId} at ${leader.address} does` : ''}`,
      ...(leader && { leader }),
    };
  }

  // --- the host's face ---

  /** Turns what waits into entries and read rounds. */
  proposeWaiting(): void {
    if (this.#reads.length > 0) this.#confirmReads();
    if (this.#waiting.length === 0 || this.#host.held) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const stamp_ms = this.now();
    for (let from = 0; from < waiting.length; ) {
      const to = entryEnd(waiting, from);
      // The common turn fits one entry: its list is then used as it is.
      const proposals = from === 0 && to === waiting.length ? waiting : waiting.slice(from, to);
      this.#propose(proposals, stamp_ms);
      from = to;
    }
  }

  hasReady(): boolean {
    return this.#core.hasReady();
  }

  /**
   * Takes one batch of work: buffers what must be persisted, keeps what is committed for `applySome`.
   * Returns the last entry that a sync will make durable, when one was buffered.
   */
  advance(): { readonly index: number; readonly term: number } | undefined {
    const ready = this.#core.ready();
    if (ready.hardState !== undefined) this.#log.saveHardState(this.id, ready.hardState);
    const last = ready.entries.at(-1);
    if (last !== undefined) this.#log.append(this.id, ready.entries);
    if (ready.committed.length > 0) {
      // The core bounds what is handed out and not yet applied.
      if (this.applying) this.#committed.push(...ready.committed);
      else {
        this.#committed = [...ready.committed];
        this.#committedAt = 0;
      }
    }
    if (ready.softState !== undefined) this.#roleChanged();
    for (const { index, context } of ready.readStates) {
      const reads = this.#confirming.get(context);
      this.#confirming.delete(context);
      if (reads !== undefined) this.#confirmed.push({ index, reads });
    }
    this.#serveConfirmed();
    return last;
  }

  /** Applies committed entries, whole ones, until at least that many commands are done or none are left. */
  applySome(commandsMin: number): void {
    if (!this.applying) return;
    let entry: Entry | undefined;
    for (let done = 0; done < commandsMin && this.applying; ) {
      entry = this.#committed[this.#committedAt++]!;
      done += this.#apply(entry);
    }
    if (!this.applying) {
      this.#committed = [];
      this.#committedAt = 0;
    }
    this.#core.applied(entry!.index);
    this.#updateReadiness();
    this.#serveConfirmed();
  }

  /** Everything up to this entry is durable. */
  persisted(index: number, term: number): void {
    this.#core.persisted(index, term);
  }

  // --- inside ---

  #propose(proposals: readonly Proposal[], stamp_ms: number): void {
    try {
      const { index, term } = this.#core.propose(encodeLogEntry(stamp_ms, proposals));
      this.#proposed.push({ index, term, stamp_ms, proposals });
    } catch (error) {
      const failure = refusedProposal(error, () => this.#notLeader());
      for (const { reply } of proposals) reply.fail(failure);
    }
  }

  /** Applies one entry and returns its number of commands, counting an entry without any as one. */
  #apply(entry: Entry): number {
    const own = this.#takeProposed(entry);
    if (entry.kind !== EntryKind.NORMAL) {
      this.state.skip(entry.index, entry.term);
      return 1;
    }
    return own === undefined ? this.#applyForeign(entry) : this.#applyOwn(entry, own);
  }

  #applyOwn(entry: Entry, own: Proposed): number {
    const { proposals } = own;
    this.state.apply(entry.index, entry.term, own.stamp_ms, proposals, (position, outcome) => {
      const { reply } = proposals[position]!;
      if (isFailure(outcome)) reply.fail(outcome);
      else reply.ok(outcome);
    });
    this.#host.onApplied(proposals.length);
    return proposals.length;
  }

  #applyForeign(entry: Entry): number {
    const { stamp_ms, commands } = decodeLogEntry(entry.data);
    this.state.apply(entry.index, entry.term, stamp_ms, commands, undefined);
    this.#host.onApplied(commands.length);
    return commands.length;
  }

  /** The commands that this node proposed as this very entry. Those that lost their index to another term fail. */
  #takeProposed(entry: Entry): Proposed | undefined {
    const first = this.#proposed[0];
    if (first === undefined || first.index > entry.index) return undefined;
    this.#proposed.shift();
    if (first.index === entry.index && first.term === entry.term) return first;
    for (const { reply } of first.proposals) reply.fail(this.#notLeader());
    return undefined;
  }

  #confirmReads(): void {
    const reads = this.#takeReads();
    const round = ++this.#readRound;
    try {
      this.#core.readIndex(round);
      this.#confirming.set(round, reads);
    } catch (error) {
      // Until the first entry of the term is applied nothing is known to be committed: the reads wait for it.
      if (error instanceof ReadRefusedError && error.reason === 'no-commit-in-term') this.#reads = reads;
      else for (const { fail } of reads) fail(refusedProposal(error, () => this.#notLeader()));
    }
  }

  #serveConfirmed(): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= this.state.appliedIndex) {
      const { reads } = this.#confirmed.shift()!;
      for (const { query } of reads) query(this.state, this.now());
    }
  }

  #takeReads(): WaitingRead[] {
    const reads = this.#reads;
    this.#reads = [];
    return reads;
  }

  #roleChanged(): void {
    this.#updateReadiness();
    if (this.#core.isLeader) return;
    const failure = this.#notLeader();
    for (const reads of this.#confirming.values()) for (const { fail } of reads) fail(failure);
    this.#confirming.clear();
    for (const { fail } of this.#takeReads()) fail(failure);
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { reply } of waiting) reply.fail(failure);
  }

  /**
   * The sole voter of a group leads it for good: nobody else can commit anything, so what it has committed is all there
   * is (ReadIndex, thesis §6.4, with a majority of one). From its first own commit on it answers reads at once from
   * what is applied: a write is answered only when it is applied, so every answered write is seen.
   */
  #updateReadiness(): void {
    const { voters, votersOutgoing } = this.#core.configuration;
    this.#readsAtOnce =
      this.#core.isLeader &&
      voters.length === 1 &&
      votersOutgoing.length === 0 &&
      this.state.appliedTerm === this.#core.term;
    if (this.#reads.length > 0) this.#host.schedule(this);
  }
}

function entryEnd(waiting: readonly Proposal[], from: number): number {
  let bytes = 0;
  let to = from;
  const limit = Math.min(waiting.length, from + ENTRY_COMMANDS_MAX);
  for (; to < limit; to++) {
    bytes += waiting[to]!.payload.length + COMMAND_OVERHEAD_BYTES;
    if (bytes > ENTRY_BYTES_MAX && to > from) break;
  }
  return to;
}

function refusedProposal(error: unknown, notLeader: () => Failure): Failure {
  if (error instanceof NotLeaderError) return notLeader();
  if (error instanceof ProposalDroppedError)
    return overloaded(`the log did not take the write: ${error.reason}`);
  throw error;
}

function overloaded(why: string): Failure {
  return {
    reason: ErrorReason.OVERLOADED,
    message: `${why}; retry in a moment`,
    retryAfter_ms: RETRY_AFTER_MS,
  };
}
