/** The consensus core of a replica, opened on what log and store hold of it. */
import {
  decodeConfiguration,
  type Entry,
  makeConfiguration,
  RaftCore,
  type SnapshotMeta,
} from '../raft/index.ts';
import type { GroupState } from '../state/group-state.ts';
import { type GroupOptions, LogStateMismatchError } from './group-face.ts';
import { ELECTION_TICKS, HEARTBEAT_TICKS } from './timing.ts';

/**
 * `state` is loaded; `snapshotMeta` says what a snapshot of it stands for, at any later time.
 * @throws LogStateMismatchError
 */
export function openCore(
  { id, raftId, log, random, hibernateAfterTicks = 0 }: GroupOptions,
  { appliedIndex, membership }: GroupState,
  snapshotMeta: () => SnapshotMeta | undefined,
): RaftCore {
  const { hardState, firstIndex, lastIndex } = log.groupState(id);
  if (appliedIndex > lastIndex || appliedIndex < firstIndex - 1) {
    throw new LogStateMismatchError(
      `group ${id}: the store is at entry ${appliedIndex}, and the log holds ${firstIndex} to ${lastIndex}. ` +
        'The log or the store was replaced or lost: put the whole data folder back from one copy',
    );
  }
  return new RaftCore({
    id: raftId,
    hardState,
    configuration: membership ? decodeConfiguration(membership) : makeConfiguration([raftId]),
    appliedIndex,
    random,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    hibernateAfterTicks,
    sparseCommits: true,
    log: {
      firstIndex: () => log.groupState(id).firstIndex,
      lastIndex: () => log.groupState(id).lastIndex,
      term: (index) => log.term(id, index),
      // The log gives back what this core wrote: kinds included.
      entries: (from, to, maxBytes) => log.entries(id, from, to, maxBytes) as readonly Entry[],
      snapshotMeta,
    },
  });
}
