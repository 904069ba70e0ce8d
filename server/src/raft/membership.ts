/** Membership changes as log entries (thesis chapter 4). The shapes are in `configuration.ts`. */
import {
  type Configuration,
  type ConfigurationChange,
  changedConfiguration,
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  isVoter,
} from './configuration.ts';
import { type Entry, type EntryId, EntryKind, NO_DATA, NO_NODE } from './entry.ts';
import { ConfigurationRefusedError } from './errors.ts';
import type { Leadership, RaftState } from './state.ts';

/**
 * Appends the configuration that results from `change`.
 *
 * @throws ConfigurationRefusedError
 */
export function proposeConfiguration(
  state: RaftState,
  leadership: Leadership,
  change: ConfigurationChange,
): EntryId {
  if (mayHavePendingConfiguration(state, leadership)) throw new ConfigurationRefusedError('pending');
  const next = changedConfiguration(state.configuration, change);
  const entry = state.appendOwn(leadership, EntryKind.CONFIGURATION, encodeConfiguration(next));
  leadership.pendingConfigurationIndex = entry.index;
  return { index: entry.index, term: entry.term };
}

/** Only one change at a time: majorities of neighbouring configurations overlap, others need not (thesis §4.1). */
function mayHavePendingConfiguration(state: RaftState, leadership: Leadership): boolean {
  return leadership.pendingConfigurationIndex > state.log.applied;
}

/** Notes the configurations among entries that are handed out, for when they are applied. */
export function noteHandedOut(state: RaftState, entry: Entry): void {
  state.handedOutConfigurations.push({
    index: entry.index,
    configuration: decodeConfiguration(entry.data),
  });
}

/** Everything up to `index` is applied: configurations in there take effect. */
export function applyConfigurations(state: RaftState, index: number): void {
  while (state.handedOutConfigurations.length > 0 && state.handedOutConfigurations[0]!.index <= index) {
    switchTo(state, state.handedOutConfigurations.shift()!.configuration);
  }
  if (state.leadership !== undefined) leaveJointIfDue(state, state.leadership);
}

function switchTo(state: RaftState, configuration: Configuration): void {
  state.configuration = configuration;
  const { leadership } = state;
  if (leadership === undefined) return;
  if (!isVoter(configuration, state.id)) {
    // The change that removed or demoted this leader is committed: its work is done (thesis §4.2.2).
    state.becomeFollower(state.term, NO_NODE);
    return;
  }
  leadership.tracker.switchTo(configuration, state.log.lastIndex);
  // Fewer voters may need to agree now; new members wait for their first append.
  state.advanceCommit(leadership);
  leadership.appendsDue = true;
  if (!configuration.voters.includes(leadership.transferTarget)) leadership.transferTarget = NO_NODE;
  if (!isJoint(configuration)) {
    // The way out of a joint configuration may be known to this leader alone, and it may die next.
    leadership.settledIndex = state.appendOwn(leadership, EntryKind.NO_OP, NO_DATA).index;
  }
  // Reads that waited for a voter that is gone are settled by those that stay.
  leadership.reads.confirm(leadership.tracker.agreedReadPosition(), state.readStates);
}

/**
 * Whether replicas that the configuration in effect leaves out may go for good: a majority knows of it, so that whoever
 * dies, those that stay elect among themselves. Before that they may still count votes by the configuration before.
 */
export function isSettled(state: RaftState, leadership: Leadership): boolean {
  return !isJoint(state.configuration) && state.log.committed >= leadership.settledIndex;
}

/**
 * Proposes the way out of a joint configuration that is to be left automatically, once the way in is applied (thesis
 * §4.3). Called again with every applied entry and heartbeat, since a transfer under way holds it back.
 */
export function leaveJointIfDue(state: RaftState, leadership: Leadership): void {
  const { configuration } = state;
  if (!configuration.autoLeave || !isJoint(configuration)) return;
  if (leadership.transferTarget !== NO_NODE || mayHavePendingConfiguration(state, leadership)) return;
  proposeConfiguration(state, leadership, { kind: 'leave-joint' });
}

/** How much of a backlog is looked at in one piece when an election asks whether it holds a configuration. */
const SCAN_BYTES = 1024 * 1024;

/**
 * Whether a committed configuration waits to be applied here. A node that campaigned then would count votes by a
 * configuration the group has left, and its majority need not overlap the group's.
 */
export function hasUnappliedConfiguration(state: RaftState): boolean {
  const { log } = state;
  let from = log.applied + 1;
  while (from <= log.committed) {
    const entries = log.unappliedFrom(from, SCAN_BYTES);
    for (const entry of entries) if (entry.kind === EntryKind.CONFIGURATION) return true;
    from += entries.length;
  }
  return false;
}
