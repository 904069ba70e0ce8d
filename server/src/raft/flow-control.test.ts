import { describe, expect, test } from 'vitest';
import { ENTRY_OVERHEAD_BYTES } from './entry.ts';
import { ProposalDroppedError } from './errors.ts';
import type { AppendMessage, Message } from './messages.ts';
import { CLASSIC, Cluster } from './testing/cluster.ts';

const carriesEntries = (message: Message): message is AppendMessage =>
  message.type === 'append' && message.entries.length > 0;

/** Proposes one entry a turn; none of the followers answers. */
function flood(cluster: Cluster, count: number): Message[] {
  cluster.loses = ({ type }) => type === 'append-response';
  cluster.sent = [];
  for (let i = 0; i < count; i++) cluster.propose(1, 'x').run();
  return cluster.sent.filter((message) => carriesEntries(message) && message.to === 2);
}

describe('to one follower', () => {
  test('no more than so many appends are under way', () => {
    const cluster = new Cluster([1, 2, 3], { ...CLASSIC, maxInFlightMessages: 4 }).elect(1);
    expect(flood(cluster, 20).length).toBe(4);
    expect(cluster.core(1).status().peers[0]).toMatchObject({ inFlightMessages: 4, paused: true });
    cluster.heal().pass(2);
    expect(cluster.texts(2).length).toBe(20);
  });

  test('no more than so many bytes are under way', () => {
    const size = ENTRY_OVERHEAD_BYTES + 1;
    const limits = { maxInFlightBytes: 5 * size, maxMessageBytes: 2 * size };
    const cluster = new Cluster([1, 2, 3], { ...CLASSIC, ...limits }).elect(1);
    expect(flood(cluster, 20).length).toBe(5);
    expect(cluster.core(1).status().peers[0]!.inFlightBytes).toBe(5 * size);
  });

  test('one message carries no more than so many bytes, but at least one entry', () => {
    const size = ENTRY_OVERHEAD_BYTES + 1;
    const cluster = new Cluster([1, 2], { ...CLASSIC, maxMessageBytes: 3 * size }).elect(1);
    cluster.sent = [];
    for (let i = 0; i < 7; i++) cluster.propose(1, 'x');
    cluster.propose(1, 'y'.repeat(1_000));
    cluster.run();
    expect(cluster.sent.filter(carriesEntries).map(({ entries }) => entries.length)).toEqual([3, 3, 1, 1]);
  });

  test('that is being probed, one append is sent per heartbeat', () => {
    const cluster = new Cluster([1, 2, 3], CLASSIC).elect(1).isolate(2);
    cluster.core(1).reportUnreachable(2);
    cluster.sent = [];
    for (let i = 0; i < 10; i++) cluster.propose(1, 'x').run();
    expect(cluster.sent.filter((message) => carriesEntries(message) && message.to === 2).length).toBe(1);
    cluster.heal().pass(2);
    expect(cluster.texts(2).length).toBe(10);
  });
});

describe('the leader', () => {
  test('drops proposals past the limit of uncommitted bytes, and takes them again once others commit', () => {
    const cluster = new Cluster([1, 2, 3], { ...CLASSIC, maxUncommittedBytes: 10 }).elect(1).isolate(1);
    cluster.propose(1, 'x'.repeat(6));
    expect(() => cluster.propose(1, 'x'.repeat(6))).toThrow(new ProposalDroppedError('uncommitted-limit'));
    cluster.propose(1, 'x'.repeat(4));
    expect(cluster.core(1).status().uncommittedBytes).toBe(10);
    cluster.heal().pass(3);
    expect(cluster.core(1).status().uncommittedBytes).toBe(0);
    cluster.propose(1, 'x'.repeat(6));
  });

  test('takes one proposal of any size when nothing else waits', () => {
    const cluster = new Cluster([1], { maxUncommittedBytes: 10 }).elect(1);
    cluster.propose(1, 'x'.repeat(1_000)).run();
    expect(cluster.texts(1)[0]!.length).toBe(1_000);
  });
});

describe('applying', () => {
  test('no more than so many bytes are handed out before some are applied', () => {
    const size = ENTRY_OVERHEAD_BYTES + 1;
    const cluster = new Cluster([1], { maxCommittedBytesPerReady: 3 * size }).elect(1);
    cluster.slowAppliers.add(1);
    for (let i = 0; i < 10; i++) cluster.propose(1, 'x').run();
    expect(cluster.replica(1).toApply.length).toBe(3);
    cluster.slowAppliers.clear();
    cluster.run();
    expect(cluster.texts(1).length).toBe(10);
  });

  test('entries that waited too long are read back from the log', () => {
    const cluster = new Cluster([1, 2, 3], { ...CLASSIC, maxRetainedBytes: 100 }).elect(1).isolate(1);
    for (let i = 0; i < 20; i++) cluster.propose(1, `${i}`).run();
    cluster.heal().pass(3);
    expect(cluster.texts(1)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect(cluster.texts(3)).toEqual(cluster.texts(1));
  });
});
