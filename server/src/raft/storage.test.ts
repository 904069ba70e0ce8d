/** What is durable, when, and what may be said of it. */
import { describe, expect, test } from 'vitest';
import { makeConfiguration } from './configuration.ts';
import { RaftCore } from './core.ts';
import { type Entry, EntryKind } from './entry.ts';
import { RaftInvariantError } from './errors.ts';
import type { AppendMessage } from './messages.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';
import { StoredLog } from './testing/stored-log.ts';

function entry(index: number, term: number): Entry {
  return { index, term, kind: EntryKind.NORMAL, data: Uint8Array.of(index, term) };
}

function append(term: number, from: number, entries: readonly Entry[], previousTerm: number): AppendMessage {
  const previousIndex = entries[0]!.index - 1;
  return { type: 'append', from, to: 2, term, previousIndex, previousTerm, entries, commit: 0 };
}

/** Node 2 of three with an empty log. */
function follower(): RaftCore {
  const log = new StoredLog();
  return new RaftCore({
    id: 2,
    log,
    hardState: log.hardState,
    configuration: makeConfiguration([1, 2, 3]),
    appliedIndex: 0,
    random: () => 0,
  });
}

describe('the leader', () => {
  test('does not count its own entry before it is durable', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(3);
    cluster.slowDisks.add(1);
    cluster.propose(1, 'a').run();
    expect(cluster.core(1).status().peers[0]!.match).toBe(2);
    expect(cluster.core(1).commitIndex).toBe(1);
    cluster.replica(1).completeWrites();
    expect(cluster.core(1).commitIndex).toBe(2);
  });

  test('commits what all others hold although its own disk hangs, but applies it only once it is durable', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.slowDisks.add(1);
    cluster.propose(1, 'a').run();
    expect(cluster.core(1).commitIndex).toBe(2);
    expect(cluster.texts(2)).toEqual(['a']);
    expect(cluster.texts(1)).toEqual([]);
    cluster.replica(1).completeWrites();
    cluster.run();
    expect(cluster.texts(1)).toEqual(['a']);
  });

  test('sends entries while they are being written', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.slowDisks.add(1);
    cluster.propose(1, 'a').run();
    expect(cluster.core(2).lastIndex).toBe(2);
  });

  test('elected alone says nothing before its term is durable', () => {
    const cluster = new Cluster([1], CLASSIC, [2]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-learner', node: 2 }],
      transition: 'automatic',
    });
    cluster.run();
    cluster.replica(1).flush();
    cluster.crash(1).restart(1);
    cluster.slowDisks.add(1);
    cluster.sent = [];
    cluster.core(1).campaign();
    cluster.propose(1, 'a').tick(1).run();
    expect(cluster.sent).toEqual([]);
    // It crashes, forgets its term, and leads the same term again with another entry.
    cluster.crash(1).restart(1);
    cluster.slowDisks.clear();
    cluster.elect(1).propose(1, 'b').run();
    expect(cluster.core(1).term).toBe(2);
    expect(cluster.texts(2)).toEqual(['b']);
  });
});

describe('a follower', () => {
  test('acknowledges only what is durable', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(3);
    cluster.slowDisks.add(2);
    cluster.propose(1, 'a').run();
    expect(cluster.core(1).commitIndex).toBe(1);
    cluster.replica(2).completeWrites();
    cluster.run();
    expect(cluster.core(1).commitIndex).toBe(2);
  });

  test('a late completion makes none of the entries durable that took their place', () => {
    const core = follower();
    core.step(append(1, 1, [entry(1, 1), entry(2, 1), entry(3, 1)], 0));
    core.ready();
    core.step(append(2, 3, [entry(2, 2), entry(3, 2)], 1));
    core.persisted(3, 1);
    expect(core.status().persisted).toBe(1);
    core.ready();
    core.persisted(3, 2);
    expect(core.status().persisted).toBe(3);
  });

  test('nor when the replaced entries come back while both writes are under way', () => {
    const core = follower();
    const original = [entry(1, 1), entry(2, 1), entry(3, 1)];
    core.step(append(1, 1, original, 0));
    core.ready();
    core.step(append(2, 3, [entry(2, 2)], 1));
    core.ready();
    // A leader of term 3 that holds the original entries restores them: the same index and term end the third write.
    core.step({ ...append(3, 1, original.slice(1), 1), commit: 3 });
    const held = core.ready();
    // A commit index stored now would be past the end of the stored log, should the node stop here.
    expect(held.hardState).toEqual({ term: 3, vote: 0, commit: 1 });
    expect(held.entries).toEqual([]);
    expect(held.messagesAfterPersist).toEqual([]);
    core.persisted(3, 1);
    expect(core.status().persisted).toBe(1);
    const next = core.ready();
    expect(next.entries.map(({ index, term }) => [index, term])).toEqual([
      [2, 1],
      [3, 1],
    ]);
    expect(next.messagesAfterPersist.length).toBeGreaterThan(0);
    core.persisted(2, 2);
    expect(core.status().persisted).toBe(1);
    core.persisted(3, 1);
    expect(core.status().persisted).toBe(3);
  });
});

describe('a restart', () => {
  test('keeps term, vote and log, and applies again what the state had not kept', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).propose(1, 'a').run();
    cluster.replica(2).flush();
    cluster.propose(1, 'b').run();
    cluster.crash(2).restart(2);
    expect(cluster.core(2).status()).toMatchObject({ term: 1, vote: 1, lastIndex: 3, applied: 2 });
    cluster.pass(2);
    expect(cluster.texts(2)).toEqual(['b']);
  });

  test('of everybody at once loses nothing that was committed', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).propose(1, 'a').run();
    for (const id of [1, 2, 3]) cluster.crash(id).restart(id);
    cluster.elect(3);
    for (const id of [1, 2, 3]) expect(cluster.texts(id)).toEqual(['a']);
  });

  test('keeps the membership', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-voter', node: 4 }],
      transition: 'automatic',
    });
    cluster.run();
    cluster.replica(1).flush();
    for (const id of [1, 2]) cluster.crash(id).restart(id);
    expect(cluster.core(1).configuration.voters).toEqual([1, 2, 3, 4]);
    // The other one kept no state; it learns the membership again from the log.
    expect(cluster.core(2).configuration.voters).toEqual([1, 2, 3]);
    cluster.elect(1);
    expect(cluster.core(2).configuration.voters).toEqual([1, 2, 3, 4]);
  });

  test('with parts that contradict each other is refused', () => {
    const log = new StoredLog();
    const options = { id: 1, log, configuration: makeConfiguration([1]), random: () => 0 };
    const start = (commit: number, appliedIndex: number, term: number): RaftCore =>
      new RaftCore({ ...options, hardState: { term, vote: 0, commit }, appliedIndex });
    expect(() => start(5, 0, 1)).toThrow(RaftInvariantError);
    expect(() => start(0, 5, 1)).toThrow(RaftInvariantError);
    log.store({ entries: [entry(1, 4)], hardState: undefined, snapshot: undefined });
    expect(() => start(0, 0, 3)).toThrow(RaftInvariantError);
    expect(start(1, 1, 4).commitIndex).toBe(1);
  });
});
