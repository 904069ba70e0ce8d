/**
 * One replica of one Raft group: the only place where consensus, log and state meet.
 *
 * A write: `submit` → gathered until the end of the event-loop turn → one entry → `RaftCore` → log → durable →
 * committed → applied → every caller answered. The host runs the turns for all groups of the node together, so that
 * they share one write and one sync (host.ts).
 */
import { Consistency } from '../gen/gomsg/v1/common_pb.js';
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
  RaftCore,
  type RaftStatus,
  type SnapshotMeta,
} from '../raft/index.ts';
import type { Proposal, ServiceGroup } from '../services/groups.ts';
import type { Failure } from '../state/failure.ts';
import { GroupState } from '../state/group-state.ts';
import { checkEntryLevel, decodeLogEntry, encodeLogEntry } from '../state/log-entry.ts';
import { Callers } from './callers.ts';
import { GroupClock } from './group-clock.ts';
import { type GroupHostFace, type GroupOptions, LogStateMismatchError, type Written } from './group-face.ts';
import { Listeners } from './listeners.ts';
import type { NodeLog } from './node-log.ts';
import { persist } from './persist.ts';
import { type MemberProgress, progressOf } from './progress.ts';
import { type Proposed, ProposedWrites } from './proposed-writes.ts';
import { deposed, inDoubt, notLeader, overloaded, refused } from './refusals.ts';
import { DOUBT_TICKS, ELECTION_TICKS, HEARTBEAT_TICKS } from './timing.ts';
import { type WaitingRead, WaitingReads } from './waiting-reads.ts';
import { type NextEntry, WaitingWrites } from './waiting-writes.ts';

export class Group implements ServiceGroup {
  readonly id: number;
  /** Raft id of this replica. */
  readonly replicaId: number;
  readonly state: GroupState;
  readonly #core: RaftCore;
  readonly #host: GroupHostFace;
  readonly #log: NodeLog;
  readonly #clock: GroupClock;
  readonly #callers: Callers;
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
  readonly #roleListeners: Listeners<boolean>;
  /** What the listeners were told. */
  #toldLeads = false;
  #writesTotal = 0;
  #readsTotal = 0;

  constructor(options: GroupOptions) {
    const { id, raftId, log, host } = options;
    this.id = id;
    this.replicaId = raftId;
    this.#host = host;
    this.#log = log;
    this.#callers = new Callers(id, host);
    this.#roleListeners = new Listeners(`the role of group ${id}`, host.reportBug);
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

  /** Commands that this replica has applied since it was opened: what load is measured from. */
  get writesTotal(): number {
    return this.#writesTotal;
  }

  /** Reads that this replica was asked for since it was opened. */
  get readsTotal(): number {
    return this.#readsTotal;
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
    for (const { reply } of this.#waiting.takeAll()) this.#callers.fail(reply, failure);
    this.#failInDoubt(failure);
    for (const read of this.#reads.takeAll()) this.#callers.fail(read, failure);
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
    this.#readsTotal++;
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
    return this.#roleListeners.add(listener);
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

  #notLeader(): Failure {
    return notLeader(this.id, this.#core, (replicaId) => this.#host.addressOf(replicaId));
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

  /** Takes a message of another replica. @throws LevelTooNewError for entries that could not be applied here */
  step(message: Message): void {
    if (this.#stopped !== undefined) return;
    if (message.type === 'append') {
      for (const { kind, data } of message.entries) if (kind === EntryKind.NORMAL) checkEntryLevel(data);
    }
    this.#core.step(message);
  }

  /** One unit of the clock of elections has passed. */
  tick(): void {
    this.#core.tick();
    if (this.#doubtTicks > 0 && --this.#doubtTicks === 0 && !this.#core.isLeader) {
      this.#failInDoubt(deposed(this.id));
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
    this.#failInDoubt(deposed(this.id));
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
      else this.#callers.fail(proposal.reply, refusal);
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
      // A start does not campaign before it has applied the members that its log knows of.
      if (this.isAlone) this.#core.campaign();
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
      const { index, term } = this.#core.propose(
        encodeLogEntry(stamp_ms, proposals, 0, proposals.length, this.#host.level),
      );
      this.#proposed.push({ index, term, stamp_ms, proposals });
    } catch (error) {
      const failure = refused(error, () => this.#notLeader());
      for (const { reply } of proposals) this.#callers.fail(reply, failure);
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
    for (let i = 0; i < proposals.length; i++) this.#callers.answer(proposals[i]!.reply, outcomes[i]!);
    this.#writesTotal += proposals.length;
    this.#host.onApplied(proposals.length);
    return proposals.length;
  }

  #applyForeign(entry: Entry): number {
    const { stamp_ms, commands } = decodeLogEntry(entry.data);
    this.state.apply(entry.index, entry.term, stamp_ms, commands);
    this.#writesTotal += commands.length;
    this.#host.onApplied(commands.length);
    return commands.length;
  }

  /** Another entry has the place of these for good. */
  readonly #failLost = ({ proposals }: Proposed): void => {
    for (const { reply } of proposals) this.#callers.fail(reply, this.#notLeader());
  };

  /** These are in the log, here at least: whoever leads next may find and commit them, or after the next start. */
  #failInDoubt(failure: Failure): void {
    const told = inDoubt(failure);
    for (const { proposals } of this.#proposed.takeAll()) {
      for (const { reply } of proposals) this.#callers.fail(reply, told);
    }
  }

  readonly #refuseReads = (reads: readonly WaitingRead[], error: unknown): void => {
    const failure = refused(error, () => this.#notLeader());
    for (const read of reads) this.#callers.fail(read, failure);
  };

  readonly #serve = (read: WaitingRead): void => this.#callers.serve(read, this.state, this.now());

  #roleChanged(): void {
    this.#updateReadiness();
    if (!this.#core.isLeader) {
      const failure = this.#notLeader();
      for (const read of this.#reads.takeUnconfirmed()) this.#callers.fail(read, failure);
      for (const { reply } of this.#waiting.takeAll()) this.#callers.fail(reply, failure);
      if (this.#proposed.length > 0 && this.#doubtTicks === 0) this.#doubtTicks = DOUBT_TICKS;
    }
    this.#tellRole();
    this.#host.leaderChanged(this);
  }

  #tellRole(): void {
    const leads = this.#core.isLeader;
    if (leads === this.#toldLeads) return;
    this.#toldLeads = leads;
    this.#roleListeners.tell(leads);
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
