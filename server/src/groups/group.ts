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
  type ConfigurationChange,
  decodeConfiguration,
  type Entry,
  EntryKind,
  encodeConfiguration,
  entryBytes,
  isMember,
  type Message,
  makeConfiguration,
  NO_NODE,
  NotLeaderError,
  ProposalDroppedError,
  RaftCore,
  type RaftStatus,
  ReadRefusedError,
  type SnapshotMessage,
  type SnapshotMeta,
} from '../raft/index.ts';
import type { Proposal, ServiceGroup } from '../services/groups.ts';
import type { Reply } from '../services/method.ts';
import { type Failure, isFailure, type Outcome } from '../state/failure.ts';
import { GroupState } from '../state/group-state.ts';
import { checkEntryVersion, decodeLogEntry, encodeLogEntry } from '../state/log-entry.ts';
import type { StateStore } from '../state/machine.ts';
import { GroupClock } from './group-clock.ts';
import type { NodeLog } from './node-log.ts';
import type { ReplicaAddress } from './peers.ts';
import { persist } from './persist.ts';
import { type MemberProgress, progressOf } from './progress.ts';
import { type Proposed, ProposedWrites } from './proposed-writes.ts';
import { DOUBT_TICKS, ELECTION_TICKS, HEARTBEAT_TICKS } from './timing.ts';
import { type WaitingRead, WaitingReads } from './waiting-reads.ts';
import { type NextEntry, WaitingWrites } from './waiting-writes.ts';

/** When a caller that was refused for lack of room may try again. */
const RETRY_AFTER_MS = 50;

/** What a group needs of its node. */
export interface GroupHostFace {
  /** Asks for a turn in which this group's waiting commands are proposed. */
  schedule(group: Group): void;
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
  /** Where a replica lives. */
  addressOf(replicaId: number): ReplicaAddress | undefined;
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

export class Group implements ServiceGroup {
  readonly id: number;
  /** Raft id of this replica. */
  readonly replicaId: number;
  readonly state: GroupState;
  readonly #core: RaftCore;
  readonly #host: GroupHostFace;
  readonly #log: NodeLog;
  readonly #clock: GroupClock;
  readonly #waiting = new WaitingWrites();
  readonly #proposed = new ProposedWrites();
  /** Ticks until the writes of a leadership that ended are given up, when there are any. */
  #doubtTicks = 0;
  /** Batches of work that were given to the log and are not durable. */
  #unflushed = 0;
  /** While the state is being replaced by a snapshot: nothing is applied, saved or read. */
  #installing: SnapshotMeta | undefined;
  readonly #reads = new WaitingReads();
  /** Entries to apply, oldest first, from `#committedAt` on. */
  #committed: Entry[] = [];
  #committedAt = 0;
  /** True when this node may answer linearizable reads without asking anyone: see `#updateReadiness`. */
  #readsAtOnce = false;
  #stopped: Failure | undefined;
  /** A change of the members was applied, and nobody was told yet. */
  #newMembers = false;
  readonly #roleListeners = new Set<(isLeader: boolean) => void>();
  /** What the listeners were told. */
  #toldLeads = false;

  constructor(options: GroupOptions) {
    const { id, raftId, log, host } = options;
    this.id = id;
    this.replicaId = raftId;
    this.#host = host;
    this.#log = log;
    const initial = options.configuration;
    this.state = new GroupState(options.store, id, initial && encodeConfiguration(initial));
    this.state.load();
    const stored = log.groupState(id);
    const applied = this.state.appliedIndex;
    if (applied > stored.lastIndex || applied < stored.firstIndex - 1) {
      throw new LogStateMismatchError(
        `group ${id}: the store is at entry ${applied}, and the log holds ${stored.firstIndex} to ${stored.lastIndex}. ` +
          'The log or the store was replaced or lost: put the whole data folder back from one copy',
      );
    }
    const { membership } = this.state;
    const configuration = membership ? decodeConfiguration(membership) : makeConfiguration([raftId]);
    this.#core = new RaftCore({
      id: raftId,
      hardState: stored.hardState,
      configuration,
      appliedIndex: applied,
      random: options.random,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      log: {
        firstIndex: () => log.groupState(id).firstIndex,
        lastIndex: () => log.groupState(id).lastIndex,
        term: (index) => log.term(id, index),
        // The log gives back what this core wrote: kinds included.
        entries: (from, to, maxBytes) => log.entries(id, from, to, maxBytes) as readonly Entry[],
        snapshotMeta: () => this.#snapshotMeta(),
      },
    });
    this.#clock = new GroupClock(host.clock, host.monotonic, this.state.stamp_ms);
  }

  /** A picture for operators. */
  status(): RaftStatus {
    return this.#core.status();
  }

  get isLeader(): boolean {
    return this.#core.isLeader;
  }

  /** Replica id of the leader as far as this replica knows; 0 when it knows of none. */
  get leader(): number {
    return this.#core.leader;
  }

  get term(): number {
    return this.#core.term;
  }

  /** The members as of the applied index. */
  get configuration(): Configuration {
    return this.#core.configuration;
  }

  /** Nobody else has a vote or a replica: no clock is needed. */
  get isAlone(): boolean {
    const { voters, votersOutgoing, learners } = this.#core.configuration;
    return (
      voters.length === 1 &&
      voters[0] === this.replicaId &&
      votersOutgoing.length === 0 &&
      learners.length === 0
    );
  }

  /** The state is being replaced by that of a snapshot, and is none at this moment. */
  get installing(): boolean {
    return this.#installing !== undefined;
  }

  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** How far the members are, as the leader knows it; empty on any other. */
  progress(): readonly MemberProgress[] {
    return this.#core.isLeader ? progressOf(this.#core.status()) : [];
  }

  /** Commands waiting for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a write is still on its way to its answer. */
  get busy(): boolean {
    return this.#waiting.length > 0 || this.#proposed.length > 0 || this.applying || this.installing;
  }

  /** Whether committed entries wait to be applied. */
  get applying(): boolean {
    return this.#committedAt < this.#committed.length;
  }

  /** A sole voter leads at once; the host then drives the group until it has applied what its log held. */
  start(): void {
    const { voters } = this.#core.configuration;
    if (voters.length === 1 && voters[0] === this.replicaId) this.#core.campaign();
  }

  /** Fails everything that waits and everything to come. */
  stop(failure: Failure): void {
    this.#stopped = failure;
    this.#readsAtOnce = false;
    for (const { reply } of this.#waiting.takeAll()) this.#fail(reply, failure);
    this.#failInDoubt(failure);
    for (const read of this.#reads.takeAll()) this.#fail(read, failure);
  }

  // --- the services' face ---

  submit(proposal: Proposal): void {
    const refusal = this.#refusal(proposal);
    if (refusal !== undefined) {
      proposal.reply.fail(refusal);
      return;
    }
    this.#waiting.push(proposal);
    if (this.#waiting.length === 1) this.#host.schedule(this);
  }

  read(
    consistency: Consistency,
    query: (state: GroupState, now_ms: number) => void,
    fail: (failure: Failure) => void,
  ): void {
    if (this.#readsAtOnce || (consistency === Consistency.STALE && this.#hasState())) {
      query(this.state, this.now());
      return;
    }
    const refusal = this.#stopped ?? (this.#core.isLeader ? undefined : this.#notLeader());
    if (refusal !== undefined) fail(refusal);
    else if (this.#reads.full) fail(overloaded('reads wait for the leader to be confirmed'));
    else {
      this.#reads.push({ query, fail });
      if (this.#reads.waiting === 1) this.#host.schedule(this);
    }
  }

  /** The group's time: never behind an applied stamp, an earlier entry of this leader or an earlier read. */
  now(): number {
    return this.#clock.now(this.state.stamp_ms);
  }

  onRoleChange(listener: (isLeader: boolean) => void): () => void {
    this.#roleListeners.add(listener);
    return () => this.#roleListeners.delete(listener);
  }

  /** Whether the state is one that the group has had: that of a member, and whole. */
  #hasState(): boolean {
    return (
      this.#stopped === undefined &&
      this.#installing === undefined &&
      isMember(this.#core.configuration, this.replicaId)
    );
  }

  #refusal(proposal: Proposal): Failure | undefined {
    if (this.#stopped !== undefined) return this.#stopped;
    if (!this.#core.isLeader) return this.#notLeader();
    if (!this.#waiting.hasRoomFor(proposal)) {
      return overloaded(`${this.#waiting.bytes} bytes of writes wait to be logged`);
    }
    return this.#host.hasRoom ? undefined : this.#host.writeRefusal(proposal.method);
  }

  /** Why a call that needs the leader is refused here. It was not done. */
  #notLeader(): Failure {
    const { leader } = this.#core;
    if (leader === NO_NODE && !this.isAlone) return this.#noLeader();
    const hint = this.#host.addressOf(leader);
    return {
      reason: ErrorReason.NOT_LEADER,
      message: `this node does not lead group ${this.id}${hint ? `; ${hint.nodeId} at ${hint.address} does` : ''}`,
      ...(hint && { leader: hint }),
    };
  }

  #noLeader(): Failure {
    const { voters } = this.#core.configuration;
    const names = voters.map((id) => this.#host.addressOf(id)?.nodeId ?? `replica ${id}`);
    return {
      reason: ErrorReason.NO_QUORUM,
      message: `group ${this.id} has no leader at this moment: more than half of its voters (${names.join(', ')}) must reach each other`,
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }

  // --- members ---

  /**
   * Proposes a change of the members. It is in force once `configuration` says so.
   * @throws NotLeaderError, ProposalDroppedError, ConfigurationRefusedError: nothing was proposed
   */
  changeMembers(change: ConfigurationChange): void {
    this.#core.proposeConfiguration(change);
    this.#host.schedule(this);
  }

  /**
   * Hands leadership to another voter. Writes are refused as overloaded meanwhile; when it takes too long (an election
   * timeout), this replica leads on.
   * @throws NotLeaderError, TransferRefusedError
   */
  transferLeadership(to: number): void {
    this.#core.transferLeadership(to);
    this.#host.schedule(this);
  }

  // --- messages and time ---

  /** Takes a message of another replica. @throws UnknownEntryVersionError for entries that could not be applied here */
  step(message: Message): void {
    if (this.#stopped !== undefined) return;
    if (message.type === 'append') {
      for (const { kind, data } of message.entries) if (kind === EntryKind.NORMAL) checkEntryVersion(data);
    }
    this.#core.step(message);
  }

  /** One unit of the clock of elections has passed. */
  tick(): void {
    this.#core.tick();
    if (this.#doubtTicks > 0 && --this.#doubtTicks === 0 && !this.#core.isLeader) {
      this.#failInDoubt({
        reason: ErrorReason.NO_QUORUM,
        message: `this node ceased to lead group ${this.id} before the write was committed`,
        retryAfter_ms: RETRY_AFTER_MS,
      });
    }
  }

  /** A snapshot that `sendSnapshot` asked for has arrived, or did not. */
  snapshotSent(to: number, ok: boolean): void {
    this.#core.reportSnapshot(to, ok);
  }

  /** What a snapshot of the applied state stands for; undefined when there is none at this moment. */
  #snapshotMeta(): SnapshotMeta | undefined {
    if (this.#installing !== undefined || this.state.appliedIndex === 0) return undefined;
    const { appliedIndex, appliedTerm } = this.state;
    return { index: appliedIndex, term: appliedTerm, configuration: this.#core.configuration };
  }

  /** The rows of the snapshot are in the store: goes on from them. */
  installed(): void {
    const { index } = this.#installing!;
    this.#installing = undefined;
    this.state.load();
    this.#core.snapshotInstalled(index);
    // Whether it holds the writes that this node proposed once cannot be seen from it.
    this.#failInDoubt({
      reason: ErrorReason.NO_QUORUM,
      message: `this node ceased to lead group ${this.id} before the write was committed`,
    });
    this.#reads.serve(index, this.#serve);
    this.#host.membersChanged(this);
  }

  // --- the host's face ---

  /** Turns what waits into entries, as far as there is room for them, and read rounds. */
  proposeWaiting(): void {
    if (this.#reads.waiting > 0) this.#reads.confirm(this.#core, this.#refuseReads);
    if (this.#waiting.length > 0 && !this.#host.hasRoom) this.#refuseWithoutRoom();
    if (this.#waiting.length === 0 || this.#host.held) return;
    const stamp_ms = this.now();
    // What a failed write's caller submits at once is for the next turn.
    for (let left = this.#waiting.length; left > 0; ) {
      const next = this.#waiting.nextEntry(left);
      if (!this.#host.takeLogRoom(next.bytes)) return;
      this.#propose(next, stamp_ms);
      left -= next.count;
    }
  }

  /** What was let in before the room ran out must not wait for it without end, nor meet a log that cannot take it. */
  #refuseWithoutRoom(): void {
    for (const proposal of this.#waiting.takeAll()) {
      const refusal = this.#host.writeRefusal(proposal.method);
      if (refusal === undefined) this.#waiting.push(proposal);
      else this.#fail(proposal.reply, refusal);
    }
  }

  hasReady(): boolean {
    return this.#core.hasReady();
  }

  /**
   * Takes one batch of work: sends what may be sent at once, buffers what must be persisted, keeps what is committed for
   * `applySome`. Returns what waits for the log, when something does.
   */
  advance(): Written | undefined {
    const ready = this.#core.ready();
    for (const message of ready.messages) {
      if (message.type === 'snapshot') this.#host.sendSnapshot(this, message);
      else this.#host.send(this, message);
    }
    if (ready.mustSync) persist(this.#log, this.id, ready);
    if (ready.snapshot !== undefined) {
      this.#installing = ready.snapshot;
      this.#committed = [];
      this.#committedAt = 0;
    }
    if (ready.committed.length > 0) {
      // The core bounds what is handed out and not yet applied.
      if (this.applying) for (const entry of ready.committed) this.#committed.push(entry);
      else {
        this.#committed = [...ready.committed];
        this.#committedAt = 0;
      }
    }
    if (ready.softState !== undefined) this.#roleChanged();
    this.#reads.confirmed(ready.readStates);
    this.#reads.serve(this.state.appliedIndex, this.#serve);
    const messages = ready.messagesAfterPersist;
    if (!ready.mustSync && this.#unflushed === 0) {
      for (const message of messages) this.#host.send(this, message);
      return undefined;
    }
    if (!ready.mustSync && messages.length === 0) return undefined;
    this.#unflushed++;
    const last = ready.entries.at(-1);
    return {
      index: last?.index ?? 0,
      term: last?.term ?? 0,
      bytes: bytesOf(ready.entries),
      messages,
      snapshot: ready.snapshot,
    };
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
    this.#reads.serve(this.state.appliedIndex, this.#serve);
    if (this.#newMembers) {
      this.#newMembers = false;
      this.#host.membersChanged(this);
    }
  }

  /** What was written, and all before it, is durable. */
  persisted({ index, term, messages }: Written): void {
    this.#unflushed--;
    if (index > 0) this.#core.persisted(index, term);
    if (this.#stopped === undefined) for (const message of messages) this.#host.send(this, message);
  }

  // --- inside ---

  #propose(next: NextEntry, stamp_ms: number): void {
    const proposals = this.#waiting.take(next);
    try {
      const { index, term } = this.#core.propose(encodeLogEntry(stamp_ms, proposals));
      this.#proposed.push({ index, term, stamp_ms, proposals });
    } catch (error) {
      const failure = refused(error, () => this.#notLeader());
      for (const { reply } of proposals) this.#fail(reply, failure);
    }
  }

  /** Applies one entry and returns its number of commands, counting an entry without any as one. */
  #apply(entry: Entry): number {
    const own = this.#proposed.take(entry.index, entry.term, this.#failLost);
    if (entry.kind !== EntryKind.NORMAL) {
      if (entry.kind === EntryKind.CONFIGURATION) {
        this.state.reconfigure(entry.index, entry.term, entry.data);
        this.#newMembers = true;
      } else this.state.skip(entry.index, entry.term);
      return 1;
    }
    return own === undefined ? this.#applyForeign(entry) : this.#applyOwn(entry, own);
  }

  #applyOwn(entry: Entry, { stamp_ms, proposals }: Proposed): number {
    const outcomes = this.state.apply(entry.index, entry.term, stamp_ms, proposals);
    // Only now: whoever is answered may read at once, and has to find the entry applied as a whole.
    for (let i = 0; i < proposals.length; i++) this.#answer(proposals[i]!.reply, outcomes[i]!);
    this.#host.onApplied(proposals.length);
    return proposals.length;
  }

  #applyForeign(entry: Entry): number {
    const { stamp_ms, commands } = decodeLogEntry(entry.data);
    this.state.apply(entry.index, entry.term, stamp_ms, commands);
    this.#host.onApplied(commands.length);
    return commands.length;
  }

  /** A handler that fails to pass an answer on has a bug. The state is well: it costs that call, and not the node. */
  #answer(reply: Reply, outcome: Outcome): void {
    try {
      if (isFailure(outcome)) reply.fail(outcome);
      else reply.ok(outcome);
    } catch (error) {
      this.#host.reportBug(error, `answering a write of group ${this.id}`);
      this.#fail(reply, {
        reason: ErrorReason.INTERNAL,
        message: 'the write is done, and its answer failed unexpectedly; the log of the server says why',
      });
    }
  }

  /** Fails a write or a read whose caller may be the one with the bug. */
  #fail(caller: { fail(failure: Failure): void }, failure: Failure): void {
    try {
      caller.fail(failure);
    } catch (error) {
      this.#host.reportBug(error, `failing a call of group ${this.id}`);
    }
  }

  /** Another entry has the place of these for good. */
  readonly #failLost = ({ proposals }: Proposed): void => {
    for (const { reply } of proposals) this.#fail(reply, this.#notLeader());
  };

  /** These are in the log, here at least: whoever leads next may find and commit them, or after the next start. */
  #failInDoubt(failure: Failure): void {
    const inDoubt = { ...failure, message: `${failure.message}; the write may still be applied` };
    for (const { proposals } of this.#proposed.takeAll()) {
      for (const { reply } of proposals) this.#fail(reply, inDoubt);
    }
  }

  readonly #refuseReads = (reads: readonly WaitingRead[], error: unknown): void => {
    const failure = refused(error, () => this.#notLeader());
    for (const read of reads) this.#fail(read, failure);
  };

  readonly #serve = (read: WaitingRead): void => {
    try {
      read.query(this.state, this.now());
    } catch (error) {
      this.#host.reportBug(error, `a read of group ${this.id}`);
      this.#fail(read, {
        reason: ErrorReason.INTERNAL,
        message: 'the read failed unexpectedly; the log of the server says why',
      });
    }
  };

  #roleChanged(): void {
    this.#updateReadiness();
    if (!this.#core.isLeader) {
      const failure = this.#notLeader();
      for (const read of this.#reads.takeUnconfirmed()) this.#fail(read, failure);
      for (const { reply } of this.#waiting.takeAll()) this.#fail(reply, failure);
      if (this.#proposed.length > 0 && this.#doubtTicks === 0) this.#doubtTicks = DOUBT_TICKS;
    }
    this.#tellRole();
    this.#host.leaderChanged(this);
  }

  #tellRole(): void {
    const leads = this.#core.isLeader;
    if (leads === this.#toldLeads) return;
    this.#toldLeads = leads;
    for (const listener of [...this.#roleListeners]) {
      try {
        listener(leads);
      } catch (error) {
        this.#host.reportBug(error, `telling of a new role in group ${this.id}`);
      }
    }
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
    if (this.#reads.waiting > 0) this.#host.schedule(this);
  }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Why the core did not take a proposal or a read. */
function refused(error: unknown, notLeader: () => Failure): Failure {
  if (error instanceof NotLeaderError) return notLeader();
  if (error instanceof ProposalDroppedError)
    return overloaded(`the log did not take the write: ${error.reason}`);
  if (error instanceof ReadRefusedError) return overloaded(`the read was not taken: ${error.reason}`);
  throw error;
}

function overloaded(why: string): Failure {
  return {
    reason: ErrorReason.OVERLOADED,
    message: `${why}; retry in a moment`,
    retryAfter_ms: RETRY_AFTER_MS,
  };
}
