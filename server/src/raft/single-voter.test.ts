import { describe, expect, test } from 'vitest';
import { EntryKind, makeConfiguration, RaftCore, ReadRefusedError } from './index.ts';
import { StoredLog } from './testing/stored-log.ts';

function soleVoter(log = new StoredLog()): { core: RaftCore; log: StoredLog } {
  const core = new RaftCore({
    id: 1,
    log,
    hardState: log.hardState,
    configuration: makeConfiguration([1]),
    appliedIndex: 0,
    random: () => 0,
  });
  return { core, log };
}

/** Runs the owner's loop until nothing is due; returns what was applied, as text. */
function drain(core: RaftCore, log: StoredLog): string[] {
  const applied: string[] = [];
  while (core.hasReady()) {
    const ready = core.ready();
    expect(ready.messages).toEqual([]);
    expect(ready.messagesAfterPersist).toEqual([]);
    log.store(ready);
    const last = ready.entries.at(-1);
    if (last !== undefined) core.persisted(last.index, last.term);
    for (const entry of ready.committed) {
      if (entry.kind === EntryKind.NORMAL) applied.push(new TextDecoder().decode(entry.data));
      core.applied(entry.index);
    }
  }
  return applied;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a group of one voter', () => {
  test('leads as soon as it campaigns and commits without any message', () => {
    const { core, log } = soleVoter();
    core.campaign();
    expect(core.isLeader).toBe(true);
    const id = core.propose(bytes('a'));
    expect(id).toEqual({ index: 2, term: 1 });
    expect(drain(core, log)).toEqual(['a']);
    expect(core.commitIndex).toBe(2);
  });

  test('commits nothing before its own log is durable', () => {
    const { core, log } = soleVoter();
    core.campaign();
    core.propose(bytes('a'));
    const ready = core.ready();
    log.store(ready);
    expect(ready.entries.map((entry) => entry.index)).toEqual([1, 2]);
    expect(ready.mustSync).toBe(true);
    expect(core.commitIndex).toBe(0);
    expect(core.hasReady()).toBe(false);
    core.persisted(2, 1);
    expect(core.commitIndex).toBe(2);
    expect(core.ready().committed.map((entry) => entry.index)).toEqual([1, 2]);
  });

  test('overlapping writes complete in order, one by one or together', () => {
    const { core, log } = soleVoter();
    core.campaign();
    drain(core, log);
    const readies = ['a', 'b', 'c'].map((text) => {
      core.propose(bytes(text));
      const ready = core.ready();
      log.store(ready);
      return ready;
    });
    expect(readies.map((ready) => ready.entries.length)).toEqual([1, 1, 1]);
    core.persisted(2, 1);
    expect(core.commitIndex).toBe(2);
    core.persisted(4, 1);
    expect(core.commitIndex).toBe(4);
  });

  test('answers reads at once, but not before its no-op committed', () => {
    const { core, log } = soleVoter();
    core.campaign();
    expect(() => core.readIndex(7)).toThrow(ReadRefusedError);
    drain(core, log);
    core.readIndex(8);
    const ready = core.ready();
    expect(ready.readStates).toEqual([{ index: 1, context: 8 }]);
    expect(ready.messages).toEqual([]);
  });

  test('continues after a restart with what it stored', () => {
    const { core, log } = soleVoter();
    core.campaign();
    core.propose(bytes('a'));
    drain(core, log);
    const again = soleVoter(log).core;
    expect(again.term).toBe(1);
    again.campaign();
    again.propose(bytes('b'));
    expect(drain(again, log)).toEqual(['a', 'b']);
    expect(again.term).toBe(2);
  });

  test('writes the commit index along with entries, never on its own', () => {
    const { core, log } = soleVoter();
    core.campaign();
    drain(core, log);
    core.propose(bytes('a'));
    expect(core.ready().hardState).toEqual({ term: 1, vote: 1, commit: 1 });
    core.persisted(2, 1);
    const ready = core.ready();
    expect(ready.committed.length).toBe(1);
    expect(ready.hardState).toBeUndefined();
  });

  test('elects itself after its timeout', () => {
    const { core } = soleVoter();
    for (let i = 0; i < 9; i++) core.tick();
    expect(core.isLeader).toBe(false);
    core.tick();
    expect(core.isLeader).toBe(true);
  });
});
