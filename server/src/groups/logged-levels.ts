/** Whether this program applies all that the log holds, found out before anybody is told that it does. */
import { EntryKind } from '../raft/index.ts';
import { checkEntryLevel } from '../state/log-entry.ts';
import type { NodeLog } from './node-log.ts';

/** Bytes of entries that are looked at together. */
const READ_BYTES = 1024 * 1024;

/**
 * Looks at every entry of a group that is not applied. A replica with an entry that it cannot apply must not vote: its
 * vote says that it goes on from its log. @throws LevelTooNewError
 */
export function checkLoggedLevels(log: NodeLog, group: number, appliedIndex: number): void {
  const { lastIndex } = log.groupState(group);
  for (let from = appliedIndex + 1; from <= lastIndex; ) {
    const entries = log.entries(group, from, lastIndex + 1, READ_BYTES);
    for (const { kind, data } of entries) if (kind === EntryKind.NORMAL) checkEntryLevel(data);
    from += entries.length;
  }
}
