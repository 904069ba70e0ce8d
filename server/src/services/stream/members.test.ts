import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { SWEEP_DELAY_MS, TAKEOVER_DELAY_MS } from './members.ts';
import { StreamNode } from './testing/stream-node.ts';

/** A node that was killed while it had a member in group `g` and a consumer `c`, seen after its restart. */
async function restarted(options: ConstructorParameters<typeof StreamNode>[0] = {}): Promise<StreamNode> {
  const before = new StreamNode();
  const group = before.subscribe({ topic: 't', group: 'g' });
  const consumer = before.subscribe({ topic: 't', consumer: 'c' });
  await group.until(({ responses }) => responses.length > 0);
  await consumer.until(({ responses }) => responses.length > 0);
  before.machine.save();
  before.server.close();
  return new StreamNode({ store: before.store, ...options });
}

describe('members that outlived their subscriptions', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are removed a while after the start, and no sooner', async () => {
    const node = await restarted();
    vi.advanceTimersByTime(SWEEP_DELAY_MS - 1);
    expect(await node.members('t', 'g')).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await node.members('t', 'g')).toEqual([]);
    expect(await node.members('t', 'c')).toEqual([]);
    node.server.close();
  });

  it('give way at once to a subscription that joins on their node', async () => {
    const node = await restarted();
    await node.publish('t', ['x']);
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ messages }) => messages.length === 1);
    expect((await node.members('t', 'g')).map(({ memberId }) => memberId)).toEqual([reader.memberId]);
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    expect(await node.members('t', 'g')).toHaveLength(1);
    expect(reader.ended).toBe(false);
    await reader.leave();
    node.server.close();
  });

  it('are left alone by other nodes that do not lead', async () => {
    const node = await restarted({ nodeId: 'n2' });
    node.group.isLeader = false;
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    node.server.removeAbandonedMembers();
    expect(await node.members('t', 'g')).toHaveLength(1);
    node.server.close();
  });

  it('of an earlier leader give way at once to a subscription that joins at the new one', async () => {
    const node = await restarted({ nodeId: 'n2' });
    node.group.isLeader = false;
    node.group.isLeader = true;
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ responses }) => responses.length > 0);
    expect((await node.members('t', 'g')).map(({ memberId }) => memberId)).toEqual([reader.memberId]);
    expect(await node.members('t', 'c')).toHaveLength(1);
    await reader.leave();
    node.server.close();
  });

  it('are left where they are by a node that leads no longer when it would look for them', async () => {
    const node = await restarted({ nodeId: 'n2' });
    node.group.isLeader = false;
    node.group.isLeader = true;
    node.group.isLeader = false;
    vi.advanceTimersByTime(TAKEOVER_DELAY_MS);
    expect(await node.members('t', 'g')).toHaveLength(1);
    node.server.close();
  });

  it('of an earlier leader that nobody replaces are removed a moment after another came to lead', async () => {
    const node = await restarted({ nodeId: 'n2' });
    node.group.isLeader = false;
    node.group.isLeader = true;
    vi.advanceTimersByTime(TAKEOVER_DELAY_MS - 1);
    expect(await node.members('t', 'g')).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await node.members('t', 'g')).toEqual([]);
    expect(await node.members('t', 'c')).toEqual([]);
    node.server.close();
  });

  it('are told from those whose subscriptions the new leader serves', async () => {
    const node = await restarted({ nodeId: 'n2' });
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ responses }) => responses.length > 0);
    node.group.isLeader = false;
    node.group.isLeader = true;
    vi.advanceTimersByTime(TAKEOVER_DELAY_MS);
    expect((await node.members('t', 'g')).map(({ memberId }) => memberId)).toEqual([reader.memberId]);
    expect(reader.ended).toBe(false);
    await reader.leave();
    node.server.close();
  });

  it('are removed a while after they could not be when the leader changed', async () => {
    const node = await restarted({ nodeId: 'n2' });
    node.group.isLeader = false;
    node.group.refusal = { reason: ErrorReason.NO_QUORUM, message: 'not yet' };
    node.group.isLeader = true;
    vi.advanceTimersByTime(TAKEOVER_DELAY_MS);
    node.group.refusal = undefined;
    expect(await node.members('t', 'g')).toHaveLength(1);
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    expect(await node.members('t', 'g')).toEqual([]);
    node.server.close();
  });

  it('are removed later when they could not leave', async () => {
    const node = new StreamNode();
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ responses }) => responses.length === 1);
    node.group.refusal = { reason: ErrorReason.OVERLOADED, message: 'too much' };
    node.group.refuseReads = false;
    await reader.leave();
    expect(await node.members('t', 'g')).toHaveLength(1);
    node.group.refusal = undefined;
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    expect(await node.members('t', 'g')).toEqual([]);
    node.server.close();
  });

  it('are not looked for any more once the service is closed', async () => {
    const node = await restarted();
    node.server.close();
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    expect(vi.getTimerCount()).toBe(0);
    expect(await node.members('t', 'g')).toHaveLength(1);
  });

  it('of this node are removed by it whoever leads', async () => {
    const node = await restarted();
    node.group.isLeader = false;
    vi.advanceTimersByTime(SWEEP_DELAY_MS);
    expect(await node.members('t', 'g')).toEqual([]);
    node.server.close();
  });
});
