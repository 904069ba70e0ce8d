/** Gives what a `Ready` wants stored to the log, in an order in which every part of it may be the last that a crash leaves. */
import { EntryKind, type Ready } from '../raft/index.ts';
import type { NodeLog } from './node-log.ts';

/**
 * The log keeps its order through a crash, and may cut what one flush brought between two records. So:
 *
 * - term and vote come first: no entry of a term that the node does not know of;
 * - the commit index never comes before the entries that it covers: they may replace others, which were not committed;
 * - before a change of membership comes the commit index of what is before it: whoever holds one must know that the one
 *   before is committed (raft/README.md);
 * - a snapshot's restart of the log is one record, and is what decides that the snapshot is in force: what the snapshot
 *   covers is not what the old log holds, so before that record the old commit index stays.
 */
export function persist(log: NodeLog, group: number, { hardState, entries, snapshot }: Ready): void {
  if (hardState === undefined) {
    log.append(group, entries);
    return;
  }
  const { term, vote, commit } = hardState;
  const stored = log.groupState(group);
  if (snapshot !== undefined) {
    log.saveHardState(group, { term, vote, commit: stored.hardState.commit });
    log.resetGroup(group, snapshot.index, snapshot.term);
    return;
  }
  let saved = Math.min(commit, (entries[0]?.index ?? stored.lastIndex + 1) - 1);
  log.saveHardState(group, { term, vote, commit: saved });
  let from = 0;
  for (let i = 1; i < entries.length && saved < commit; i++) {
    if (entries[i]!.kind !== EntryKind.CONFIGURATION) continue;
    log.append(group, entries.slice(from, i));
    from = i;
    saved = Math.min(commit, entries[i]!.index - 1);
    log.saveHardState(group, { term, vote, commit: saved });
  }
  log.append(group, from === 0 ? entries : entries.slice(from));
  if (saved < commit) log.saveHardState(group, { term, vote, commit });
}
