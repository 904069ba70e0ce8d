/** One of three nodes has a log that finds no more space. */
import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { get, set } from './testing/calls.ts';
import { ConnectedHosts } from './testing/connected-hosts.ts';
import type { ConnectedNode } from './testing/simulated-hosts.ts';

/** A few of them are more than a segment of the log takes. */
const VALUE = 'x'.repeat(20_000);
const WRITES_AT_ONCE = 8;

interface FullLeader {
  readonly hosts: ConnectedHosts;
  readonly leader: ConnectedNode;
  /** How the writes ended that were under way when the log found no more space. */
  readonly ends: unknown[];
  /** How many there were. */
  readonly writes: number;
}

/** Three nodes, of which the leader has taken writes that its log has no space for. */
async function withFullLeader(): Promise<FullLeader> {
  const hosts = await new ConnectedHosts().start();
  await hosts.found();
  const leader = await hosts.leader();
  leader.walDisk.capacityBytes = leader.walDisk.usedBytes;
  const ends: unknown[] = [];
  let writes = 0;
  while (leader.log.writable) {
    for (let i = 0; i < WRITES_AT_ONCE; i++) {
      const end = (how: unknown) => ends.push(how);
      set(leader.group(), `key-${writes++}`, VALUE).then(end, end);
    }
    await hosts.settle(1);
  }
  return { hosts, leader, ends, writes };
}

describe('a leader with a full disk', () => {
  it('that is cut off gives up the writes that it has under way, as one with space does', async () => {
    const { hosts, leader, ends, writes } = await withFullLeader();
    hosts.isolate(leader.number);
    await hosts.until(() => ends.length === writes, 'an end of every write');
    expect(ends).toContainEqual({
      reason: ErrorReason.NO_QUORUM,
      message: expect.stringContaining('may still be applied'),
      retryAfter_ms: expect.any(Number),
    });
    expect(leader.fatal).toEqual([]);
  });

  it('hands over, stays, and has everything once there is space', async () => {
    const { hosts, leader } = await withFullLeader();
    await hosts.ticks();
    const other = hosts.nodes.find((node) => node !== leader)!;
    leader.group().transferLeadership(other.number);
    const next = await hosts.leader(1, leader.number);
    await hosts.during(set(next.group(), 'later', 'x'));
    expect(leader.fatal).toEqual([]);
    leader.walDisk.capacityBytes = Number.POSITIVE_INFINITY;
    while (!leader.log.writable) await hosts.settle(1);
    await hosts.agree();
    expect(await hosts.during(get(next.group(), 'later'))).toBeDefined();
    expect(leader.dump()).toEqual(next.dump());
  });

  it('takes a change of members, which waits for space', async () => {
    const { hosts, leader } = await withFullLeader();
    leader.group().changeMembers({
      kind: 'change',
      changes: [{ type: 'remove', node: hosts.nodes.find((node) => node !== leader)!.number }],
      transition: 'automatic',
    });
    await hosts.settle();
    expect(leader.fatal).toEqual([]);
  });
});
