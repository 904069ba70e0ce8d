/**
 * What the leader knows of one member and how it feeds it (paper figure 2, nextIndex and matchIndex; the three states
 * are etcd's).
 */
import { assert } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import type { PeerStatus, ProgressState } from './status.ts';

export class Progress {
  readonly id: number;
  readonly inFlight: InFlight;
  state: ProgressState = 'probe';
  /** Highest index known to be durable there. Invariant: match < next. */
  match = 0;
  /** Next index to send; entries between match and next are under way. */
  next: number;
  /** Highest commit index sent. A hint to save messages, never a safety matter. */
  sentCommit = 0;
  /** An append told it of a commit and of nothing else since the last tick. */
  toldCommitAlone = false;
  pendingSnapshot = 0;
  /** Nothing is sent until an answer, a heartbeat's answer included. */
  paused = false;
  /** An append is due even if it carries no entries: it moves a probe on. */
  appendDue = false;
  recentlyActive = false;
  learner: boolean;
  /** Highest read position acknowledged, see `reads.ts`. */
  readAck = 0;

  constructor(id: number, next: number, learner: boolean, inFlight: InFlight) {
    this.id = id;
    this.next = next;
    this.learner = learner;
    this.inFlight = inFlight;
  }

  becomeProbe(): void {
    // A snapshot that is known to have arrived moves the probe past it.
    const next = this.state === 'snapshot' ? this.pendingSnapshot + 1 : 0;
    this.#enter('probe');
    this.next = Math.max(this.match + 1, next);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.pendingSnapshot = 0;
    this.inFlight.clear();
  }

  /** Whether nothing may be sent now. */
  isBlocked(): boolean {
    return this.paused || this.state === 'snapshot';
  }

  /** Notes an append that was sent. */
  sent(entryCount: number, bytes: number, commit: number): void {
    if (this.state === 'replicate') {
      if (entryCount > 0) {
        this.next += entryCount;
        this.inFlight.add(this.next - 1, bytes);
      }
      // With a full window this was a probe: should all of the window be lost, its answer frees it.
      this.paused = this.inFlight.full;
    } else {
      assert(this.state === 'probe', 'an append is sent to a member that waits for a snapshot');
      this.paused = true;
    }
    this.sentCommit = commit;
  }

  /** Whether telling `commit` could move the follower's commit index, as far as it holds entries to commit. */
  canLearnCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The member holds `index`. False when that is old news. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    if (this.next <= index) this.next = index + 1;
    this.paused = false;
    return true;
  }

  /**
   * The member refused an append after `rejected`; the logs agree at `hint` at best. False when the refusal is stale
   * (messages reorder and repeat).
   */
  reject(rejected: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // A probe has one question open: the answer to any other is stale.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  status(): PeerStatus {
    return {
      id: this.id,
      state: this.state,
      match: this.match,
      next: this.next,
      inFlightMessages: this.inFlight.count,
      inFlightBytes: this.inFlight.bytes,
      paused: this.isBlocked(),
      recentlyActive: this.recentlyActive,
      learner: this.learner,
      pendingSnapshot: this.pendingSnapshot,
    };
  }
}
