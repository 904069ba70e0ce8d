import { describe, expect, test } from 'vitest';
import { RaftInvariantError } from './errors.ts';
import type { SnapshotMessage } from './messages.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

/** 3 missed entries that the others have compacted. */
function lagging(): Cluster {
  const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(3);
  cluster.propose(1, 'a').propose(1, 'b').run();
  for (const id of [1, 2]) {
    cluster.replica(id).flush();
    cluster.replica(id).compact();
  }
  return cluster.heal();
}

describe('a follower whose entries are compacted', () => {
  test('gets a snapshot, then the log goes on', () => {
    const cluster = lagging().pass(2);
    expect(cluster.core(3).appliedIndex).toBe(3);
    expect(cluster.replica(3).machine).toEqual(cluster.replica(1).machine);
    cluster.propose(1, 'c').run();
    expect(cluster.texts(3)).toEqual(['c']);
    expect(
      cluster
        .core(1)
        .status()
        .peers.find(({ id }) => id === 3)!.state,
    ).toBe('replicate');
  });

  test('is sent nothing else until it answers or the owner reports', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2);
    expect(
      cluster
        .core(1)
        .status()
        .peers.find(({ id }) => id === 3),
    ).toMatchObject({
      state: 'snapshot',
      pendingSnapshot: 3,
    });
    cluster.sent = [];
    cluster.propose(1, 'c').pass(5);
    expect(cluster.sent.filter(({ to, type }) => to === 3 && type !== 'heartbeat')).toEqual([]);
    cluster.heal();
    cluster.core(1).reportSnapshot(3, false);
    // Not again at once: whatever made it fail may still hold.
    cluster.run();
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
    cluster.pass(3);
    expect(cluster.replica(3).machine).toEqual(cluster.replica(1).machine);
  });

  test('may get a newer snapshot than the one asked for', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2).propose(1, 'c').run();
    const asked = cluster.sent.find((message): message is SnapshotMessage => message.type === 'snapshot')!;
    const { index, term, configuration } = cluster.replica(1).machine;
    expect(index).toBeGreaterThan(asked.snapshot.index);
    cluster.deliver({ ...asked, snapshot: { index, term, configuration } }).run();
    cluster.propose(1, 'd').run();
    expect(cluster.texts(3)).toEqual(['d']);
  });

  test('waits for a heartbeat when the owner cannot make one at the moment', () => {
    const cluster = lagging();
    cluster.replica(1).hasSnapshots = false;
    cluster.pass(2);
    expect(
      cluster
        .core(1)
        .status()
        .peers.find(({ id }) => id === 3),
    ).toMatchObject({ state: 'probe', paused: true });
    cluster.replica(1).hasSnapshots = true;
    cluster.propose(1, 'c').run();
    expect(cluster.core(3).appliedIndex).toBe(1);
    cluster.pass(1);
    expect(cluster.replica(3).machine).toEqual(cluster.replica(1).machine);
  });

  test('stays where it is when it installs one the log does not reach back to', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2);
    const acknowledgement = { type: 'append-response', from: 3, to: 1, term: 1, rejected: false } as const;
    cluster.deliver({ ...acknowledgement, index: 2, hintIndex: 0, hintTerm: 0 });
    expect(
      cluster
        .core(1)
        .status()
        .peers.find(({ id }) => id === 3),
    ).toMatchObject({ state: 'snapshot', match: 2 });
  });

  test('counts for nothing until the snapshot is installed', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2).heal();
    cluster.slowDisks.add(3);
    cluster.deliver(cluster.sent.find(({ type }) => type === 'snapshot')!).run();
    expect(cluster.replica(3).writes.at(-1)?.snapshot?.index).toBe(3);
    const match = (): number =>
      cluster
        .core(1)
        .status()
        .peers.find(({ id }) => id === 3)!.match;
    expect(match()).toBe(1);
    cluster.slowDisks.clear();
    cluster.run();
    expect(match()).toBe(3);
  });

  test('that is not heard from is not sent one', () => {
    const cluster = new Cluster([1, 2, 3]).elect(1).isolate(3).propose(1, 'a').run().pass(20);
    cluster.replica(1).flush();
    cluster.replica(1).compact();
    cluster.core(1).reportUnreachable(3);
    cluster.propose(1, 'b').pass(5);
    expect(cluster.sent.filter(({ type }) => type === 'snapshot')).toEqual([]);
    cluster.heal().pass(3);
    expect(cluster.sent.filter(({ type }) => type === 'snapshot').length).toBe(1);
    expect(cluster.replica(3).machine).toEqual(cluster.replica(1).machine);
  });
});

describe('a snapshot', () => {
  test('holds back everything that depends on the log until it is installed', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2);
    const snapshot = cluster.sent.find((message) => message.type === 'snapshot')!;
    const core = cluster.core(3);
    core.step(snapshot);
    core.step({
      type: 'append',
      from: 1,
      to: 3,
      term: core.term,
      previousIndex: 3,
      previousTerm: 1,
      entries: [{ index: 4, term: 1, kind: 0, data: new Uint8Array(1) }],
      commit: 4,
    });
    const ready = core.ready();
    expect(ready.snapshot?.index).toBe(3);
    expect(ready.entries).toEqual([]);
    expect(ready.messagesAfterPersist).toEqual([]);
    expect(ready.committed).toEqual([]);
    core.snapshotInstalled(3);
    cluster.replica(3).disk.install(ready.snapshot!);
    // An entry that was being applied when the snapshot took its place.
    core.applied(1);
    expect(core.appliedIndex).toBe(3);
    const next = core.ready();
    expect(next.entries.map(({ index }) => index)).toEqual([4]);
    expect(
      next.messagesAfterPersist.map((message) => message.type === 'append-response' && message.index),
    ).toEqual([3, 4]);
  });

  test('that brings nothing new is answered and not installed', () => {
    const cluster = lagging().pass(2);
    const snapshot = cluster.sent.find((message) => message.type === 'snapshot')!;
    cluster.propose(1, 'c').run();
    cluster.deliver(snapshot);
    expect(cluster.core(3).ready().snapshot).toBeUndefined();
    expect(cluster.core(3).commitIndex).toBe(4);
  });

  test('of entries the log already holds only moves the commit index', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1);
    cluster.loses = ({ type, from }) => type === 'append-response' && from !== 1;
    cluster.propose(1, 'a').run();
    expect(cluster.core(3).commitIndex).toBe(1);
    const { configuration } = cluster.core(1);
    cluster.deliver({
      type: 'snapshot',
      from: 1,
      to: 3,
      term: 1,
      snapshot: { index: 2, term: 1, configuration },
    });
    const ready = cluster.core(3).ready();
    expect(ready.snapshot).toBeUndefined();
    expect(ready.committed.map(({ index }) => index)).toEqual([2]);
  });

  test('of a group this node is no part of is ignored', () => {
    const cluster = lagging();
    cluster.loses = ({ type }) => type === 'snapshot';
    cluster.pass(2);
    const snapshot = cluster.sent.find((message): message is SnapshotMessage => message.type === 'snapshot')!;
    const configuration = { ...snapshot.snapshot.configuration, voters: [1, 2] };
    cluster.deliver({ ...snapshot, snapshot: { ...snapshot.snapshot, configuration } });
    expect(cluster.core(3).ready().snapshot).toBeUndefined();
  });

  test('brings the membership to a replica that joins', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC, [4]).elect(1).propose(1, 'a').run();
    cluster.replica(1).flush();
    cluster.replica(1).compact();
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-learner', node: 4 }],
      transition: 'automatic',
    });
    cluster.run().pass(2);
    expect(cluster.core(4).configuration).toEqual(cluster.core(1).configuration);
    expect(cluster.replica(4).machine).toEqual(cluster.replica(1).machine);
  });

  test('cannot be reported installed when none was asked for', () => {
    const cluster = new Cluster([1]).elect(1);
    expect(() => cluster.core(1).snapshotInstalled(1)).toThrow(RaftInvariantError);
  });
});
