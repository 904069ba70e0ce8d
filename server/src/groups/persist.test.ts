/** What of a Ready reaches the log first: any part of it may be the last that a crash leaves. */
import { expect, it } from 'vitest';
import {
  type Configuration,
  type Entry,
  EntryKind,
  type HardState,
  makeConfiguration,
  RaftCore,
  type Ready,
} from '../raft/index.ts';
import { MemoryLog } from './memory-log.ts';
import { persist } from './persist.ts';

class NotedLog extends MemoryLog {
  readonly steps: string[] = [];

  override append(group: number, entries: readonly Entry[]): void {
    this.steps.push(...entries.map(({ index }) => `entry ${index}`));
    super.append(group, entries);
  }

  override saveHardState(group: number, state: HardState): void {
    this.steps.push(`term ${state.term} commit ${state.commit}`);
    super.saveHardState(group, state);
  }

  override resetGroup(group: number, index: number, term: number): void {
    this.steps.push(`reset ${index}`);
    super.resetGroup(group, index, term);
  }
}

/** Stops to take anything after some steps, as a crash does. */
class CutLog extends NotedLog {
  stepsLeft = Number.POSITIVE_INFINITY;

  override append(group: number, entries: readonly Entry[]): void {
    if (this.stepsLeft-- > 0) super.append(group, entries);
  }

  override saveHardState(group: number, state: HardState): void {
    if (this.stepsLeft-- > 0) super.saveHardState(group, state);
  }

  override resetGroup(group: number, index: number, term: number): void {
    if (this.stepsLeft-- > 0) super.resetGroup(group, index, term);
  }
}

/** A replica that has applied nothing, on what the log holds. */
function openCore(log: MemoryLog, configuration: Configuration): RaftCore {
  return new RaftCore({
    id: 1,
    hardState: log.groupState(1).hardState,
    configuration,
    appliedIndex: 0,
    random: () => 0,
    log: {
      firstIndex: () => log.groupState(1).firstIndex,
      lastIndex: () => log.groupState(1).lastIndex,
      term: (index) => log.term(1, index),
      entries: (from, to, maxBytes) => log.entries(1, from, to, maxBytes),
      snapshotMeta: () => undefined,
    },
  });
}

const entry = (index: number, kind: Entry['kind'] = EntryKind.NORMAL): Entry => ({
  index,
  term: 2,
  kind,
  data: new Uint8Array(0),
});

function stepsOf(parts: Partial<Ready>, before: readonly Entry[] = []): string[] {
  const log = new NotedLog();
  log.append(1, before);
  log.steps.length = 0;
  const nothing = {
    softState: undefined,
    snapshot: undefined,
    hardState: undefined,
    readStates: [],
    committed: [],
  };
  persist(log, 1, {
    ...nothing,
    mustSync: true,
    entries: [],
    messages: [],
    messagesAfterPersist: [],
    ...parts,
  });
  return log.steps;
}

it('term and vote come before entries', () => {
  const hardState = { term: 2, vote: 1, commit: 0 };
  expect(stepsOf({ hardState, entries: [entry(1), entry(2)] })).toEqual([
    'term 2 commit 0',
    'entry 1',
    'entry 2',
  ]);
});

it('a commit index comes after the entries that it covers: they may replace others', () => {
  const hardState = { term: 2, vote: 1, commit: 3 };
  expect(stepsOf({ hardState, entries: [entry(2), entry(3), entry(4)] }, [entry(1)])).toEqual([
    'term 2 commit 1',
    'entry 2',
    'entry 3',
    'entry 4',
    'term 2 commit 3',
  ]);
});

it('before a change of members comes that the one before is committed', () => {
  const hardState = { term: 2, vote: 1, commit: 2 };
  const entries = [entry(1, EntryKind.CONFIGURATION), entry(2), entry(3, EntryKind.CONFIGURATION)];
  expect(stepsOf({ hardState, entries })).toEqual([
    'term 2 commit 0',
    'entry 1',
    'entry 2',
    'term 2 commit 2',
    'entry 3',
  ]);
});

it('before a change of members comes that the one before is committed, however little is committed after that', () => {
  const hardState = { term: 2, vote: 1, commit: 1 };
  const entries = [entry(1, EntryKind.CONFIGURATION), entry(2), entry(3, EntryKind.CONFIGURATION), entry(4)];
  expect(stepsOf({ hardState, entries })).toEqual([
    'term 2 commit 0',
    'entry 1',
    'entry 2',
    'term 2 commit 1',
    'entry 3',
    'entry 4',
  ]);
});

it('a snapshot gives up the log after the term; what it covers is not committed in the old log', () => {
  const hardState = { term: 3, vote: 0, commit: 90 };
  const snapshot = { index: 90, term: 2, configuration: makeConfiguration([1]) };
  expect(stepsOf({ hardState, snapshot }, [entry(1), entry(2)])).toEqual(['term 3 commit 0', 'reset 90']);
});

it('a crash before a snapshot is in force brings back no entry as committed that was not', () => {
  const members = makeConfiguration([1, 2, 3]);
  const stepsOfSnapshot = 2;
  for (let kept = 0; kept < stepsOfSnapshot; kept++) {
    const log = new CutLog();
    // Of a leader that was deposed before anybody else had them.
    log.append(1, [entry(1), entry(2), entry(3)]);
    log.saveHardState(1, { term: 2, vote: 2, commit: 0 });
    const core = openCore(log, members);
    core.step({
      type: 'snapshot',
      from: 3,
      to: 1,
      term: 5,
      snapshot: { index: 40, term: 5, configuration: members },
    });
    log.stepsLeft = kept;
    persist(log, 1, core.ready());
    expect(openCore(log, members).ready().committed).toEqual([]);
  }
});

it('entries go without a hard state when none changed', () => {
  expect(stepsOf({ entries: [entry(1)] })).toEqual(['entry 1']);
});
