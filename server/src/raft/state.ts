/**
 * A replica's state and its transitions between roles (paper figure 2 and figure 4). The rules of each concern are
 * functions over it: `election.ts`, `replication.ts`, `membership.ts`, `transfer.ts`.
 */
import { type Configuration, isVoter } from './configuration.ts';
import { type Entry, type EntryKind, type HardState, NO_NODE } from './entry.ts';
import { assert } from './errors.ts';
import { RaftLog } from './log.ts';
import type { Message } from './messages.ts';
import type { ResolvedOptions } from './options.ts';
import { bothResults, tally, type VoteResult } from './quorum.ts';
import { ReadQueue } from './reads.ts';
import type { ReadState, Role } from './ready.ts';
import { Tracker } from './tracker.ts';

/** What exists only while leading; stepping down drops it whole. */
export class Leadership {
  readonly tracker: Tracker;
  readonly reads: ReadQueue;
  /** The node leadership is being handed to; no proposals meanwhile (thesis §3.10). */
  transferTarget = NO_NODE;
  /**
   * No configuration may be proposed until this index is applied. A new leader does not know whether what it inherited
   * holds one, so it starts at the end of its log.
   */
  pendingConfigurationIndex: number;
  /**
   * First entry proposed since the latest configuration took effect here. Whoever holds it was told along with it that the
   * configuration is committed, so once it is committed itself a majority knows.
   */
  settledIndex: number;
  /** Payload bytes proposed in this term and not yet handed out as committed. */
  uncommittedBytes = 0;
  /**
   * Nothing is said to others before this index is durable. A leader that others voted for has stored its term before
   * they did; a sole voter has not, and after a crash could lead the same term again with other entries.
   */
  readonly silentUntil: number;
  /** Entries, a commit index or a probe may be due to followers. */
  appendsDue = true;
  /** An entry of this term has committed: what else is committed is known (thesis §6.4). */
  committedInTerm = false;
  /** Reads wait that no heartbeat has asked about. */
  readRoundDue = false;

  constructor(state: RaftState, electedAlone: boolean) {
    const { log, options } = state;
    this.silentUntil = electedAlone ? log.lastIndex + 1 : 0;
    this.tracker = new Tracker(options, state.configuration, log.lastIndex, log.persisted);
    this.reads = new ReadQueue(options.maxPendingReads);
    this.pendingConfigurationIndex = log.lastIndex;
    this.settledIndex = log.lastIndex + 1;
  }
}

/** A configuration entry that was handed out and is not applied. */
interface HandedOutConfiguration {
  readonly index: number;
  readonly configuration: Configuration;
}

export class RaftState {
  readonly options: ResolvedOptions;
  readonly id: number;
  readonly log: RaftLog;
  term: number;
  vote: number;
  leader = NO_NODE;
  role: Role = 'follower';
  /** As of the applied index. */
  configuration: Configuration;
  /** Present exactly while `role` is leader. */
  leadership: Leadership | undefined;
  /** Answers to the election under way, by voter. */
  votes = new Map<number, boolean>();
  /** Ticks since the leader was heard, or since the last quorum check while leading. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;
  /** The clock stands: see `hibernation.ts`. */
  hibernating = false;
  /** Ticks since there was anything to do but to beat, while leading. */
  quietTicks = 0;

  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readStates: ReadState[] = [];
  handedOutConfigurations: HandedOutConfiguration[] = [];

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.id = options.id;
    this.log = new RaftLog(options);
    this.term = options.hardState.term;
    this.vote = options.hardState.vote;
    this.configuration = options.configuration;
    assert(this.term >= this.log.lastTerm, 'the stored log is ahead of the stored term');
    this.#resetTimers();
  }

  /** What has to be stored before anything that follows from it is said. */
  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.writtenCommit };
  }

  /** For messages that promise nothing about this node's storage. */
  send(message: Message): void {
    assert(message.to !== this.id, 'a message to oneself');
    this.messages.push(message);
  }

  /**
   * For messages that hold only if this node remembers: votes, acknowledged entries (paper §5, "before responding"), and
   * vote requests: a candidate that forgot its term or its last entries in a crash could otherwise win its term with
   * grants that were given to a longer log.
   */
  sendAfterPersist(message: Message): void {
    assert(message.to !== this.id, 'a message to oneself');
    this.messagesAfterPersist.push(message);
  }

  /** Whether this node may lead once a majority agrees. */
  isPromotable(): boolean {
    return isVoter(this.configuration, this.id) && !this.log.hasPendingSnapshot();
  }

  /** Whether the leader was heard so recently that an election would only disturb (thesis §4.2.3). */
  isInLease(): boolean {
    return (
      this.options.checkQuorum && this.leader !== NO_NODE && this.electionElapsed < this.options.electionTicks
    );
  }

  /** Whether a real vote of the current term may go to `candidate`: one vote a term (paper §5.2). */
  mayVoteFor(candidate: number): boolean {
    return this.vote === candidate || (this.vote === NO_NODE && this.leader === NO_NODE);
  }

  /** Both majorities decide while the configuration is joint (thesis §4.3). */
  electionResult(): VoteResult {
    const { voters, votersOutgoing } = this.configuration;
    return bothResults(tally(voters, this.votes), tally(votersOutgoing, this.votes));
  }

  becomeFollower(term: number, leader: number): void {
    this.#enterTerm(term);
    this.role = 'follower';
    this.leader = leader;
  }

  /** Changes neither term nor vote: a pre-candidate that fails has disturbed nobody (thesis §9.6). */
  becomePreCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.role = 'pre-candidate';
    this.leader = NO_NODE;
    this.votes.clear();
    this.#resetTimers();
  }

  becomeCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.#enterTerm(this.term + 1);
    this.role = 'candidate';
    this.vote = this.id;
  }

  becomeLeader(): Leadership {
    assert(this.role === 'candidate', 'only a candidate becomes leader');
    const electedAlone = this.votes.size === 1;
    this.#enterTerm(this.term);
    this.role = 'leader';
    this.leader = this.id;
    this.leadership = new Leadership(this, electedAlone);
    return this.leadership;
  }

  #enterTerm(term: number): void {
    assert(term >= this.term, 'terms never go back');
    if (term !== this.term) {
      this.term = term;
      this.vote = NO_NODE;
    }
    this.leader = NO_NODE;
    this.leadership = undefined;
    this.votes.clear();
    this.#resetTimers();
  }

  #resetTimers(): void {
    const { electionTicks, random } = this.options;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.hibernating = false;
    this.quietTicks = 0;
    this.electionTimeout = electionTicks + Math.floor(random() * electionTicks);
  }

  /** Whether this leader may send to followers: its term is durable. */
  maySpeak(leadership: Leadership): boolean {
    return this.log.persisted >= leadership.silentUntil;
  }

  /** Adds an entry to the leader's own log. Followers hear of it, and the owner writes it, with the next Ready. */
  appendOwn(leadership: Leadership, kind: EntryKind, data: Uint8Array): Entry {
    const entry: Entry = { index: this.log.lastIndex + 1, term: this.term, kind, data };
    this.log.append(entry);
    leadership.uncommittedBytes += data.length;
    leadership.appendsDue = true;
    return entry;
  }

  /**
   * Commits what a majority holds, if the newest of it is of this term: an older entry on a majority can still be
   * replaced (paper §5.4.2, figure 8). The leader counts itself only as far as its own log is durable.
   */
  advanceCommit(leadership: Leadership): void {
    const advanced = this.log.commitByCounting(leadership.tracker.agreedIndex(), this.term);
    if (!advanced) return;
    leadership.committedInTerm = true;
    leadership.appendsDue = true;
  }

  /** Whether reads may be served: a new leader does not know yet what is committed (thesis §6.4). */
  hasCommittedInTerm(leadership: Leadership): boolean {
    return leadership.committedInTerm;
  }
}
