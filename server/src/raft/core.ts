/**
 * The consensus core of one replica of one group: a state machine that is told what happened and says what to do.
 *
 * The owner's loop, the rules it must keep and what the core guarantees are in `README.md`.
 */
import type { Configuration, ConfigurationChange } from './configuration.ts';
import {
  campaign,
  handlePreVote,
  handlePreVoteResponse,
  handleVote,
  handleVoteResponse,
  learnCommit,
} from './election.ts';
import { type EntryId, EntryKind, NO_NODE } from './entry.ts';
import { assert, NotLeaderError, ProposalDroppedError, ReadRefusedError } from './errors.ts';
import { handleHibernate, hibernateIfQuiet, wake, wakeAfterSilence, wakes } from './hibernation.ts';
import { applyConfigurations, leaveJointIfDue, proposeConfiguration } from './membership.ts';
import type { Message } from './messages.ts';
import { type RaftOptions, resolveOptions } from './options.ts';
import type { Ready, Role } from './ready.ts';
import { ReadyBuilder } from './ready-builder.ts';
import {
  handleAppend,
  handleAppendResponse,
  handleHeartbeat,
  handleHeartbeatResponse,
  handleSnapshot,
  handleSnapshotReport,
  sendHeartbeatResponse,
  sendHeartbeats,
  tellLateCommits,
} from './replication.ts';
import { type Leadership, RaftState } from './state.ts';
import { type RaftStatus, statusOf } from './status.ts';
import { abortTransfer, startTransfer } from './transfer.ts';

export class RaftCore {
  /** Visible to subclasses for the sake of tests that break a rule on purpose. */
  protected readonly state: RaftState;
  readonly #ready: ReadyBuilder;

  /**
   * Continues from what is stored, as a follower.
   *
   * @throws RaftInvariantError when the stored parts contradict each other.
   */
  constructor(options: RaftOptions) {
    this.state = new RaftState(resolveOptions(options));
    this.#ready = new ReadyBuilder(this.state, options.hardState);
  }

  get id(): number {
    return this.state.id;
  }

  get term(): number {
    return this.state.term;
  }

  get role(): Role {
    return this.state.role;
  }

  /** The leader of the current term as far as known; 0 when unknown. */
  get leader(): number {
    return this.state.leader;
  }

  get isLeader(): boolean {
    return this.state.leadership !== undefined;
  }

  get commitIndex(): number {
    return this.state.log.committed;
  }

  get appliedIndex(): number {
    return this.state.log.applied;
  }

  get lastIndex(): number {
    return this.state.log.lastIndex;
  }

  /** The membership in effect, as of the applied index. */
  get configuration(): Configuration {
    return this.state.configuration;
  }

  /** Whether the clock stands, so that `tick` does nothing: see `hibernation.ts`. */
  get isHibernating(): boolean {
    return this.state.hibernating;
  }

  // --- input ---

  /** Takes a message from another replica of the group. Stale, repeated and unexpected ones do no harm. */
  step(message: Message): void {
    const { state } = this;
    assert(message.to === state.id, 'a message for another node');
    if (wakes(state, message)) wake(state);
    if (message.term > state.term) {
      if (!this.#acceptHigherTerm(message)) return;
    }
    learnCommit(state, message);
    if (message.term < state.term) {
      this.#answerLowerTerm(message);
      return;
    }
    this.#dispatch(message);
  }

  /** False when the message is to be ignored. */
  #acceptHigherTerm(message: Message): boolean {
    const { state } = this;
    switch (message.type) {
      case 'vote':
        if (!message.transfer && state.isInLease()) return false;
        state.becomeFollower(message.term, NO_NODE);
        return true;
      case 'pre-vote':
        // The term is one the candidate has not entered: nobody follows it there yet.
        return !state.isInLease();
      case 'pre-vote-response':
        if (!message.granted) state.becomeFollower(message.term, NO_NODE);
        return true;
      case 'append':
      case 'heartbeat':
      case 'hibernate':
      case 'snapshot':
        state.becomeFollower(message.term, message.from);
        return true;
      default:
        state.becomeFollower(message.term, NO_NODE);
        return true;
    }
  }

  #answerLowerTerm(message: Message): void {
    const { state } = this;
    switch (message.type) {
      case 'append':
      case 'heartbeat':
      case 'hibernate':
      case 'snapshot':
        // Tell a deposed leader of the newer term. It cannot learn that from this node's elections when voters that
        // hear a leader ignore those.
        sendHeartbeatResponse(state, message.from, 0);
        break;
      case 'vote':
        handleVote(state, message);
        break;
      case 'pre-vote':
        handlePreVote(state, message);
        break;
      default:
        break;
    }
  }

  #dispatch(message: Message): void {
    const { state } = this;
    const { leadership } = state;
    switch (message.type) {
      case 'append':
        this.#follow(message.from);
        handleAppend(state, message);
        break;
      case 'append-response':
        if (leadership !== undefined) handleAppendResponse(state, leadership, message);
        break;
      case 'heartbeat':
        this.#follow(message.from);
        handleHeartbeat(state, message);
        break;
      case 'heartbeat-response':
        if (leadership !== undefined) handleHeartbeatResponse(state, leadership, message);
        break;
      case 'hibernate':
        this.#follow(message.from);
        handleHibernate(state, message);
        break;
      case 'vote':
        handleVote(state, message);
        break;
      case 'vote-response':
        handleVoteResponse(state, message);
        break;
      case 'pre-vote':
        handlePreVote(state, message);
        break;
      case 'pre-vote-response':
        handlePreVoteResponse(state, message);
        break;
      case 'timeout-now':
        campaign(state, 'transfer');
        break;
      case 'snapshot':
        this.#follow(message.from);
        handleSnapshot(state, message);
        break;
      default:
        message satisfies never;
    }
  }

  /** Somebody leads the current term (paper §5.2): candidates give up, followers start to count anew. */
  #follow(leader: number): void {
    const { state } = this;
    assert(state.role !== 'leader', 'two leaders in one term');
    if (state.role !== 'follower') state.becomeFollower(state.term, leader);
    state.leader = leader;
    state.electionElapsed = 0;
  }

  /** One unit of the owner's clock has passed. */
  tick(): void {
    const { state } = this;
    if (state.hibernating) return;
    if (state.leadership !== undefined) {
      this.#tickLeader(state.leadership);
      return;
    }
    state.electionElapsed++;
    if (state.electionElapsed >= state.electionTimeout && state.isPromotable()) {
      state.electionElapsed = 0;
      campaign(state, 'timeout');
    }
  }

  #tickLeader(leadership: Leadership): void {
    const { state } = this;
    const { electionTicks, heartbeatTicks, checkQuorum } = state.options;
    state.electionElapsed++;
    state.quietTicks++;
    tellLateCommits(state, leadership);
    if (state.electionElapsed >= electionTicks) {
      state.electionElapsed = 0;
      abortTransfer(leadership);
      if (checkQuorum && !leadership.tracker.takeQuorumActive()) {
        state.becomeFollower(state.term, NO_NODE);
        return;
      }
    }
    state.heartbeatElapsed++;
    if (state.heartbeatElapsed >= heartbeatTicks) {
      state.heartbeatElapsed = 0;
      leaveJointIfDue(state, leadership);
      if (hibernateIfQuiet(state, leadership)) return;
      if (state.maySpeak(leadership)) sendHeartbeats(state, leadership);
    }
  }

  /**
   * Appends one entry. Its id is its name from now on: the proposal has committed when an entry with that index *and*
   * term is handed out, and is lost when another term's entry is handed out at that index.
   *
   * @throws NotLeaderError
   * @throws ProposalDroppedError
   */
  propose(data: Uint8Array): EntryId {
    const leadership = this.#leadership();
    if (leadership.transferTarget !== NO_NODE) throw new ProposalDroppedError('transferring');
    const { uncommittedBytes } = leadership;
    if (uncommittedBytes > 0 && uncommittedBytes + data.length > this.state.options.maxUncommittedBytes) {
      throw new ProposalDroppedError('uncommitted-limit');
    }
    const entry = this.state.appendOwn(leadership, EntryKind.NORMAL, data);
    return { index: entry.index, term: entry.term };
  }

  /**
   * Appends a membership change. It takes effect when it is applied.
   *
   * @throws NotLeaderError
   * @throws ProposalDroppedError
   * @throws ConfigurationRefusedError
   */
  proposeConfiguration(change: ConfigurationChange): EntryId {
    const leadership = this.#leadership();
    if (leadership.transferTarget !== NO_NODE) throw new ProposalDroppedError('transferring');
    return proposeConfiguration(this.state, leadership, change);
  }

  /**
   * Asks for the index a linearizable read that starts now must see; answered in a later `Ready.readStates` under
   * `context`, a number of the owner's choosing. Never answered when leadership is lost first.
   *
   * @throws NotLeaderError
   * @throws ReadRefusedError
   */
  readIndex(context: number): void {
    const leadership = this.#leadership();
    const { state } = this;
    if (!state.hasCommittedInTerm(leadership)) throw new ReadRefusedError('no-commit-in-term');
    if (leadership.tracker.isSoleVoter()) {
      state.readStates.push({ index: state.log.committed, context });
      return;
    }
    const { reads, tracker } = leadership;
    if (reads.full) throw new ReadRefusedError('too-many-reads');
    reads.add(state.log.committed, context);
    tracker.self.readAck = reads.position;
    leadership.readRoundDue = true;
  }

  /**
   * Hands leadership to another voter; proposals are dropped meanwhile. Given up after `electionTicks`.
   *
   * @throws NotLeaderError
   * @throws TransferRefusedError
   */
  transferLeadership(to: number): void {
    startTransfer(this.state, this.#leadership(), to);
  }

  /** Campaigns now instead of at the next timeout. A sole voter leads at once. No effect where it cannot lead. */
  campaign(): void {
    wake(this.state);
    campaign(this.state, 'timeout');
  }

  /** For whoever asks something of the leader, which is something to do. */
  #leadership(): Leadership {
    const { leadership } = this.state;
    if (leadership === undefined) throw new NotLeaderError(this.state.leader);
    wake(this.state);
    return leadership;
  }

  // --- reports of the owner ---

  /**
   * The write of `Ready.entries` that ended with the entry `(upToIndex, term)` is durable, and so is every earlier one.
   * To be called once per Ready with entries, in their order; when several became durable together, once for the last
   * will do.
   */
  persisted(upToIndex: number, term: number): void {
    const { state } = this;
    const { log, leadership } = state;
    log.completeWrite(upToIndex, term);
    if (leadership === undefined) return;
    leadership.tracker.self.match = log.persisted;
    state.advanceCommit(leadership);
  }

  /** Every entry handed out up to `index` is applied to the owner's state. */
  applied(index: number): void {
    this.state.log.applyTo(index);
    applyConfigurations(this.state, index);
  }

  /** The snapshot of the last `Ready.snapshot` has replaced log and state, durably. */
  snapshotInstalled(index: number): void {
    this.state.log.snapshotInstalled(index);
  }

  /**
   * The node of a member was not heard of for so many ticks, however many of its other groups are at rest: a replica that
   * hibernates goes on. No effect on one that does not.
   */
  wake(silentTicks: number): void {
    wakeAfterSilence(this.state, silentTicks);
  }

  /**
   * The owner knows better than by silence that the leader is gone, such as by its connection that ended: this node stands
   * in the way of no election any more, and begins one itself after the random part of its timeout. No effect where no
   * leader is known.
   */
  leaderGone(): void {
    const { state } = this;
    if (state.role !== 'follower' || state.leader === NO_NODE) return;
    wake(state);
    state.electionElapsed = Math.max(state.electionElapsed, state.options.electionTicks);
  }

  /** Messages to `peer` could not be sent: what was under way is taken for lost. */
  reportUnreachable(peer: number): void {
    const progress = this.state.leadership?.tracker.get(peer);
    if (progress?.state === 'replicate') progress.becomeProbe();
  }

  /** The stream of a snapshot to `peer` has ended: everything was delivered, or it failed. */
  reportSnapshot(peer: number, ok: boolean): void {
    const { leadership } = this.state;
    const progress = leadership?.tracker.get(peer);
    if (leadership !== undefined && progress !== undefined) handleSnapshotReport(leadership, progress, ok);
  }

  // --- output ---

  /** Whether `ready()` may have something to do. */
  hasReady(): boolean {
    return this.#ready.hasReady();
  }

  /** Everything that has become due. The owner must carry it out: it is not said again. */
  ready(): Ready {
    return this.#ready.take();
  }

  status(): RaftStatus {
    return statusOf(this.state);
  }
}
