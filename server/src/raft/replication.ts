/** Log replication (paper §5.3), heartbeats, commit, and the leader's side of snapshots (paper §7). */
import { isMember } from './configuration.ts';
import { entryBytes, NO_ENTRIES } from './entry.ts';
import type {
  AppendMessage,
  AppendResponseMessage,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  SnapshotMessage,
} from './messages.ts';
import type { Progress } from './progress.ts';
import type { Leadership, RaftState } from './state.ts';
import { continueTransfer } from './transfer.ts';

// --- leader ---

/** Sends every follower what it lacks, as far as its window allows: once per Ready, whatever made it due. */
export function sendDueAppends(state: RaftState, leadership: Leadership): void {
  leadership.appendsDue = false;
  for (const peer of leadership.tracker.peers) {
    const evenIfEmpty = peer.appendDue || mayTellCommitAlone(state, peer);
    peer.appendDue = false;
    if (!sendAppend(state, peer, evenIfEmpty)) continue;
    while (sendAppend(state, peer, false));
  }
}

function mayTellCommitAlone(state: RaftState, peer: Progress): boolean {
  if (!peer.canLearnCommit(state.log.committed)) return false;
  return !(state.options.sparseCommits && peer.toldCommitAlone);
}

/** Another tick: whoever was told of a commit by itself may be told of the next. */
export function tellLateCommits(state: RaftState, leadership: Leadership): void {
  if (!state.options.sparseCommits) return;
  for (const peer of leadership.tracker.peers) {
    peer.toldCommitAlone = false;
    if (peer.canLearnCommit(state.log.committed)) leadership.appendsDue = true;
  }
}

/** False when nothing was sent. */
function sendAppend(state: RaftState, peer: Progress, evenIfEmpty: boolean): boolean {
  if (peer.isBlocked()) return false;
  const { log, options } = state;
  if (!evenIfEmpty && peer.next > log.lastIndex) return false;
  const previousIndex = peer.next - 1;
  const previousTerm = log.term(previousIndex);
  if (previousTerm === undefined) return sendSnapshot(state, peer);
  // A full window lets only an empty append through: should all of the window be lost, its answer restarts the flow.
  const room = peer.state !== 'replicate' || !peer.inFlight.full;
  const entries = room ? log.entriesFrom(peer.next, options.maxMessageBytes) : NO_ENTRIES;
  if (entries.length === 0 && !evenIfEmpty) return false;
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  state.send({
    type: 'append',
    from: state.id,
    to: peer.id,
    term: state.term,
    previousIndex,
    previousTerm,
    entries,
    commit: log.committed,
  });
  if (entries.length === 0 && log.committed > peer.sentCommit) peer.toldCommitAlone = true;
  peer.sent(entries.length, bytes, log.committed);
  return true;
}

/** What the follower needs is compacted. Not sent to one that is silent: nobody would receive it. */
function sendSnapshot(state: RaftState, peer: Progress): boolean {
  if (!peer.recentlyActive) return false;
  const snapshot = state.log.snapshotToSend();
  if (snapshot === undefined) {
    peer.paused = true;
    return false;
  }
  peer.becomeSnapshot(snapshot.index);
  state.send({ type: 'snapshot', from: state.id, to: peer.id, term: state.term, snapshot });
  return false;
}

/** To every member: the heartbeat of the clock, which also repeats a read round whose messages were lost. */
export function sendHeartbeats(state: RaftState, leadership: Leadership): void {
  leadership.readRoundDue = false;
  for (const peer of leadership.tracker.peers) sendHeartbeat(state, leadership, peer);
}

/** To voters alone: learners confirm no reads. */
export function sendReadRound(state: RaftState, leadership: Leadership): void {
  leadership.readRoundDue = false;
  for (const peer of leadership.tracker.peers) {
    if (!peer.learner) sendHeartbeat(state, leadership, peer);
  }
}

function sendHeartbeat(state: RaftState, leadership: Leadership, peer: Progress): void {
  // Past `match` the follower may hold other entries: it must not commit those.
  const commit = Math.min(peer.match, state.log.committed);
  peer.sentCommit = Math.max(peer.sentCommit, commit);
  state.send({
    type: 'heartbeat',
    from: state.id,
    to: peer.id,
    term: state.term,
    commit,
    context: leadership.reads.position,
  });
}

export function handleAppendResponse(
  state: RaftState,
  leadership: Leadership,
  message: AppendResponseMessage,
): void {
  const peer = leadership.tracker.get(message.from);
  if (peer === undefined) return;
  peer.recentlyActive = true;
  if (message.rejected) handleRejection(state, leadership, peer, message);
  else handleAcknowledgement(state, leadership, peer, message.index);
}

/**
 * Finds the next place to probe with at most one round per term instead of one per entry (paper §5.3, last paragraphs).
 * The follower named its last entry with a term not above that of the refused one. Where the leader's term is higher
 * than the follower's at the hint, they cannot match either, since terms only grow along a log: skip those too.
 */
function handleRejection(
  state: RaftState,
  leadership: Leadership,
  peer: Progress,
  message: AppendResponseMessage,
): void {
  const hint =
    message.hintTerm > 0
      ? state.log.lastAtOrBelowTerm(message.hintIndex, message.hintTerm).index
      : message.hintIndex;
  if (!peer.reject(message.index, hint)) return;
  if (peer.state === 'replicate') peer.becomeProbe();
  peer.appendDue = true;
  leadership.appendsDue = true;
}

function handleAcknowledgement(
  state: RaftState,
  leadership: Leadership,
  peer: Progress,
  index: number,
): void {
  const advanced = peer.acknowledge(index);
  // A probe that hits right at `match` teaches no new index, but that the flow may start.
  if (!advanced && !(peer.state === 'probe' && peer.match === index)) return;
  if (peer.state === 'probe') {
    peer.becomeReplicate();
  } else if (peer.state === 'snapshot') {
    // Whatever snapshot it installed: what matters is that the log can go on from there.
    if (state.log.term(peer.match) !== undefined) peer.becomeReplicate();
  } else {
    peer.inFlight.freeUpTo(index);
  }
  state.advanceCommit(leadership);
  leadership.appendsDue = true;
  continueTransfer(state, leadership, peer);
}

export function handleHeartbeatResponse(
  state: RaftState,
  leadership: Leadership,
  message: HeartbeatResponseMessage,
): void {
  const { tracker, reads } = leadership;
  const peer = tracker.get(message.from);
  if (peer === undefined) return;
  peer.recentlyActive = true;
  peer.paused = false;
  if (peer.match < state.log.lastIndex || peer.state === 'probe') {
    peer.appendDue = true;
    leadership.appendsDue = true;
  }
  if (message.context > peer.readAck) {
    peer.readAck = message.context;
    reads.confirm(tracker.agreedReadPosition(), state.readStates);
  }
}

/** The owner's stream of a snapshot to `peer` ended. */
export function handleSnapshotReport(leadership: Leadership, peer: Progress, ok: boolean): void {
  if (peer.state !== 'snapshot') return;
  if (!ok) peer.pendingSnapshot = 0;
  peer.becomeProbe();
  // Delivered: its own acknowledgement is on the way. Failed: not again before a heartbeat's answer.
  peer.paused = true;
  leadership.appendsDue = true;
}

// --- follower ---

export function handleAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state;
  const { previousIndex, previousTerm, entries } = message;
  if (previousIndex < log.committed) {
    // An old message: what is committed here is part of every later leader's log.
    acknowledge(state, message.from, log.committed);
    return;
  }
  if (log.matches(previousIndex, previousTerm)) {
    log.merge(entries);
    const lastNew = previousIndex + entries.length;
    // Beyond the last new entry this log may differ from the leader's.
    log.commitTo(Math.min(message.commit, lastNew));
    acknowledge(state, message.from, lastNew);
    return;
  }
  const hint = log.lastAtOrBelowTerm(previousIndex, previousTerm);
  state.sendAfterPersist({
    type: 'append-response',
    from: state.id,
    to: message.from,
    term: state.term,
    index: previousIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
  });
}

function acknowledge(state: RaftState, leader: number, index: number): void {
  state.sendAfterPersist({
    type: 'append-response',
    from: state.id,
    to: leader,
    term: state.term,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
  });
}

export function handleHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  state.log.commitTo(message.commit);
  sendHeartbeatResponse(state, message.from, message.context);
}

export function sendHeartbeatResponse(state: RaftState, to: number, context: number): void {
  state.send({ type: 'heartbeat-response', from: state.id, to, term: state.term, context });
}

/** The owner holds the snapshot's data. Taken when it is news; then the owner installs it (paper §7). */
export function handleSnapshot(state: RaftState, message: SnapshotMessage): void {
  const { log } = state;
  const { snapshot } = message;
  // One at a time: an owner that is installing one cannot be told to stop. The leader tries again.
  if (log.hasPendingSnapshot()) return;
  if (snapshot.index > log.committed && isMember(snapshot.configuration, state.id)) {
    if (log.matches(snapshot.index, snapshot.term)) {
      log.commitTo(snapshot.index);
    } else {
      log.restore(snapshot);
      state.configuration = snapshot.configuration;
      state.handedOutConfigurations = [];
    }
  }
  acknowledge(state, message.from, log.committed);
}
