/**
 * Quiet groups stand still: a leader with nothing to do says so to its followers, and all of them stop their clocks until
 * something happens (as CockroachDB's quiescence and TiKV's hibernation do). A group at rest then costs nothing.
 *
 * Nothing that is safe rests on a clock (paper §5.6), so a clock may stand. What a clock is for is to notice that the
 * leader is gone, and who hibernates leaves that to the owner: it watches the nodes of the members, all groups of a node
 * at once, and calls `wake` when one falls silent. Beyond that anything that a replica is told or asked wakes it, so
 * that one that wakes wrongly, or never heard that it might sleep, wakes the others, and the leader beats again.
 */
import { isJoint } from './configuration.ts';
import { NO_NODE } from './entry.ts';
import type { HibernateMessage, Message } from './messages.ts';
import type { Leadership, RaftState } from './state.ts';

/** There is something to do: the clock goes. */
export function wake(state: RaftState): void {
  state.hibernating = false;
  state.quietTicks = 0;
}

/** Whether a message is a sign that the group is not at rest: all are but a late answer to the last heartbeat. */
export function wakes(state: RaftState, message: Message): boolean {
  return message.type !== 'heartbeat-response' || message.term !== state.term;
}

/** In the place of a heartbeat, when the time for one has come. False when there is something to do. */
export function hibernateIfQuiet(state: RaftState, leadership: Leadership): boolean {
  const { hibernateAfterTicks } = state.options;
  if (hibernateAfterTicks === 0 || state.quietTicks < hibernateAfterTicks) return false;
  if (!isAtRest(state, leadership)) return false;
  const { lastIndex } = state.log;
  for (const { id } of leadership.tracker.peers) {
    state.send({ type: 'hibernate', from: state.id, to: id, term: state.term, commit: lastIndex });
  }
  state.hibernating = true;
  return true;
}

function isAtRest(state: RaftState, leadership: Leadership): boolean {
  const { log, configuration } = state;
  const { lastIndex } = log;
  return (
    leadership.committedInTerm &&
    log.applied === lastIndex &&
    leadership.transferTarget === NO_NODE &&
    leadership.reads.size === 0 &&
    !isJoint(configuration) &&
    leadership.tracker.haveAll(lastIndex)
  );
}

/** The leader sends nothing more until there is something. What it says is held and committed is known to be so. */
export function handleHibernate(state: RaftState, message: HibernateMessage): void {
  state.log.commitTo(message.commit);
  // A follower that does not know what this is for goes on, and asks for votes in the end: the leader wakes then.
  if (state.options.hibernateAfterTicks > 0) state.hibernating = true;
}

/**
 * The node of another member is silent: the clock goes on as if it had never stood. A follower that hears nothing of its
 * leader's node for `ticks` has not heard of its leader for as long.
 */
export function wakeAfterSilence(state: RaftState, ticks: number): void {
  if (!state.hibernating) return;
  wake(state);
  if (state.leadership !== undefined) return;
  state.electionElapsed = Math.max(state.electionElapsed, Math.min(ticks, state.options.electionTicks));
}
