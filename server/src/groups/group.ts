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
  type Entry,
  EntryKind,
  encodeConfiguration,
  entryBytes,
  isMember,
  type Message,
  type RaftCore,
  type RaftStatus,
  type SnapshotMeta,
} from '../raft/index.ts';
import type { Proposal, ServiceGroup } from '../services/groups.ts';
import type { Failure } from '../state/failure.ts';
import { GroupState } from '../state/group-state.ts';
import { checkEntryLevel } from '../state/log-entry.ts';
import { Applying } from './applying.ts';
import { Callers } from './callers.ts';
import { GroupClock } from './group-clock.ts';
import type { GroupHostFace, GroupOptions, Written } from './group-face.ts';
import { Listeners } from './listeners.ts';
import type { NodeLog } from './node-log.ts';
import { openCore } from './open-core.ts';
import { persist } from './persist.ts';
import { type MemberProgress, progressOf } from './progress.ts';
import { Proposing } from './proposing.ts';
import { deposed, notLeader, overloaded, refused } from './refusals.ts';
import { type WaitingRead, WaitingReads } from './waiting-reads.ts';

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
  readonly #proposing: Proposing;
  readonly #applying: Applying;
  /** Batches of work that were given to the log and are not durable. */
  #unflushed = 0;
  /** While the state is being replaced by a snapshot: nothing is applied, saved or read. */
  #installing: SnapshotMeta | undefined;
  readonly #reads = new WaitingReads();
  /** True when this node may answer linearizable reads without asking anyone: see `#updateReadiness`. */
  #readsAtOnce = false;
  #stopped: Failure | undefined;
  readonly #roleListeners: Listeners<boolean>;
  /** What the listeners were told. */
  #toldLeads = false;
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
    const reportBug = (error: unknown, where: string): void => host.reportBug(error, `group ${id}, ${where}`);
    this.state = new GroupState(options.store, id, initial && encodeConfiguration(initial), reportBug);
    this.state.load();
    this.#core = openCore(options, this.state, () => this.#snapshotMeta());
    this.#applying = new Applying({
      state: this.state,
      callers: this.#callers,
      notLeader: () => this.#notLeader(),
      deposed: () => this.#deposed(),
      onApplied: (commands) => host.onApplied(commands),
    });
    this.#proposing = new Proposing({
      group: id,
      callers: this.#callers,
      notLeader: () => this.#notLeader(),
      core: this.#core,
      host,
      onProposed: (proposed) => this.#applying.proposed(proposed),
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
    return this.#applying.commandsTotal;
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
    return this.#proposing.waiting;
  }

  /** Whether a write is still on its way to its answer. */
  get busy(): boolean {
    return this.waiting > 0 || this.#applying.awaitsOwn || this.applying || this.installing;
  }

  /** Whether committed entries wait to be applied. */
  get applying(): boolean {
    return this.#applying.pending;
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
    this.#proposing.failAll(failure);
    this.#applying.failInDoubt(failure);
    for (const read of this.#reads.takeAll()) this.#callers.fail(read, failure);
  }

  // --- the services' face ---

  submit(proposal: Proposal): void {
    const refusal = this.#refusal(proposal);
    if (refusal !== undefined) {
      proposal.reply.fail(refusal);
      return;
    }
    this.#proposing.push(proposal);
    if (this.waiting === 1) this.#host.schedule(this);
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
    if (!this.#proposing.hasRoomFor(proposal)) {
      return overloaded(`${this.#proposing.waitingBytes} bytes of writes wait to be logged`);
    }
    return this.#host.hasRoom ? undefined : this.#host.writeRefusal(proposal.method);
  }

  #notLeader(): Failure {
    return notLeader(this.id, this.#core, this.#host);
  }

  #deposed(): Failure {
    return deposed(this.id, this.#core, this.#host);
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

  /** The clock of elections stands, as there is nothing to do: `tick` need not be called. */
  get isHibernating(): boolean {
    return this.#core.isHibernating && !this.#applying.countsDown;
  }

  /** Nothing was heard for so many ticks of a node that matters to a replica that hibernates: it goes on. */
  wake(silentTicks: number): void {
    this.#core.wake(silentTicks);
  }

  /** The node of the leader is gone: no need to wait for a silence to show it. */
  leaderGone(): void {
    this.#core.leaderGone();
  }

  /** One unit of the clock of elections has passed. `mayLead`: whether this replica may become the leader if it is none. */
  tick(mayLead: boolean): void {
    if (mayLead || this.isLeader) this.#core.tick();
    this.#applying.tick(this.isLeader);
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
    this.#applying.failInDoubt(this.#deposed());
    this.#reads.serve(index, this.#serve);
    this.#host.membersChanged(this);
  }

  // --- the host's face ---

  /** Turns what waits into entries, as far as there is room for them, and read rounds. */
  proposeWaiting(): void {
    if (this.#reads.waiting > 0) this.#reads.confirm(this.#core, this.#refuseReads);
    this.#proposing.proposeWaiting(this.#now);
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
      this.#applying.drop();
    }
    this.#applying.take(ready.committed);
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
    const { index, newMembers } = this.#applying.some(commandsMin);
    this.#core.applied(index);
    this.#updateReadiness();
    this.#reads.serve(this.state.appliedIndex, this.#serve);
    if (newMembers) {
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

  readonly #refuseReads = (reads: readonly WaitingRead[], error: unknown): void => {
    const failure = refused(error, () => this.#notLeader());
    for (const read of reads) this.#callers.fail(read, failure);
  };

  readonly #now = (): number => this.now();

  readonly #serve = (read: WaitingRead): void => this.#callers.serve(read, this.state, this.now());

  #roleChanged(): void {
    this.#updateReadiness();
    if (!this.#core.isLeader) {
      const failure = this.#notLeader();
      for (const read of this.#reads.takeUnconfirmed()) this.#callers.fail(read, failure);
      this.#proposing.failAll(failure);
      this.#applying.deposed();
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
