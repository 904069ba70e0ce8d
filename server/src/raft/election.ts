/** Elections (paper §5.2, §5.4.1), with a pre-vote (thesis §9.6). */
import { EntryKind, NO_DATA, NO_NODE } from './entry.ts';
import { hasUnappliedConfiguration } from './membership.ts';
import type {
  Message,
  PreVoteMessage,
  PreVoteResponseMessage,
  VoteMessage,
  VoteResponseMessage,
} from './messages.ts';
import type { RaftState } from './state.ts';

/** Why an election starts: a transfer skips the pre-vote, as the leader itself asked for it (thesis §3.10). */
export type CampaignCause = 'timeout' | 'transfer';

/**
 * Starts an election unless this node must not lead: it is no voter, a snapshot is on its way in, or a committed
 * configuration is not applied here and it would count by an outdated one.
 */
export function campaign(state: RaftState, cause: CampaignCause): void {
  if (state.role === 'leader' || !state.isPromotable() || hasUnappliedConfiguration(state)) return;
  if (cause === 'timeout' && state.options.preVote) startPreVote(state);
  else startVote(state, cause === 'transfer');
}

function startPreVote(state: RaftState): void {
  state.becomePreCandidate();
  const { id, log, term } = state;
  const known = knownCommit(state);
  forEachOtherVoter(state, (to) =>
    state.send({
      type: 'pre-vote',
      from: id,
      to,
      term: term + 1,
      lastIndex: log.lastIndex,
      lastTerm: log.lastTerm,
      ...known,
    }),
  );
  recordVote(state, id, true);
}

/** The own vote counts at once: any other arrives only after it is durable, and alone it commits nothing. */
function startVote(state: RaftState, transfer: boolean): void {
  state.becomeCandidate();
  const { id, log, term } = state;
  const known = knownCommit(state);
  forEachOtherVoter(state, (to) =>
    state.sendAfterPersist({
      type: 'vote',
      from: id,
      to,
      term,
      lastIndex: log.lastIndex,
      lastTerm: log.lastTerm,
      transfer,
      ...known,
    }),
  );
  recordVote(state, id, true);
}

function forEachOtherVoter(state: RaftState, visit: (to: number) => void): void {
  const { voters, votersOutgoing } = state.configuration;
  for (const voter of voters) if (voter !== state.id) visit(voter);
  for (const voter of votersOutgoing) if (voter !== state.id && !voters.includes(voter)) visit(voter);
}

function recordVote(state: RaftState, voter: number, granted: boolean): void {
  state.votes.set(voter, granted);
  switch (state.electionResult()) {
    case 'won':
      if (state.role === 'pre-candidate') startVote(state, false);
      else lead(state);
      break;
    case 'lost':
      state.becomeFollower(state.term, NO_NODE);
      break;
    case 'pending':
      break;
  }
}

/** A new leader commits what it inherited through an entry of its own term (paper §5.4.2 and §8). */
function lead(state: RaftState): void {
  const leadership = state.becomeLeader();
  state.appendOwn(leadership, EntryKind.NO_OP, NO_DATA);
}

function knownCommit(state: RaftState): { commitIndex: number; commitTerm: number } {
  const { log } = state;
  return { commitIndex: log.committed, commitTerm: log.term(log.committed) ?? 0 };
}

/**
 * Learns the commit index from whoever takes part in an election: an entry that is committed anywhere and held here is
 * committed here (Log Matching). A leader knows better.
 *
 * Who knows that something committed in a term must be in that term: otherwise a membership could be learned that way
 * and then used to win an older term's election, whose winner was chosen by a membership before. So this node enters the
 * sender's term first: a pre-vote that is refused would never tell it of that. For the same reason a candidate that
 * learns of a new membership gives up.
 */
export function learnCommit(state: RaftState, message: Message): void {
  if (!('commitIndex' in message) || state.role === 'leader') return;
  const { log } = state;
  const { commitIndex, commitTerm } = message;
  if (commitIndex <= log.committed || !log.matches(commitIndex, commitTerm)) return;
  const term = termOfSender(message);
  if (term > state.term) state.becomeFollower(term, NO_NODE);
  log.commitTo(commitIndex);
  if (state.role !== 'follower' && hasUnappliedConfiguration(state))
    state.becomeFollower(state.term, NO_NODE);
}

/** A pre-vote and its grant name the term after the candidate's; who grants is not ahead of the candidate. */
function termOfSender(message: Message): number {
  const future = message.type === 'pre-vote' || (message.type === 'pre-vote-response' && message.granted);
  return future ? message.term - 1 : message.term;
}

/** A candidate of an older term is refused, which tells it the newer one. */
export function handleVote(state: RaftState, message: VoteMessage): void {
  const granted =
    message.term === state.term &&
    state.mayVoteFor(message.from) &&
    state.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (granted) {
    state.vote = message.from;
    state.electionElapsed = 0;
  }
  state.sendAfterPersist({
    type: 'vote-response',
    from: state.id,
    to: message.from,
    term: state.term,
    granted,
    ...knownCommit(state),
  });
}

/**
 * Learners and nodes that are no members by their own configuration answer too: it may simply be outdated, and the
 * group may depend on their vote.
 */
export function handlePreVote(state: RaftState, message: PreVoteMessage): void {
  const granted = message.term > state.term && state.log.isUpToDate(message.lastIndex, message.lastTerm);
  state.send({
    type: 'pre-vote-response',
    from: state.id,
    to: message.from,
    // A grant names the term it is for; a refusal teaches the candidate the voter's.
    term: granted ? message.term : state.term,
    granted,
    ...knownCommit(state),
  });
}

export function handleVoteResponse(state: RaftState, message: VoteResponseMessage): void {
  if (state.role === 'candidate') recordVote(state, message.from, message.granted);
}

export function handlePreVoteResponse(state: RaftState, message: PreVoteResponseMessage): void {
  if (state.role !== 'pre-candidate') return;
  // A late grant for an earlier attempt, at a term this node has reached since, says nothing about this one.
  if (message.granted && message.term !== state.term + 1) return;
  recordVote(state, message.from, message.granted);
}
