import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { kvFixture } from '../services/kv/testing/kv-fixture.ts';
import { call } from '../services/testing/call.ts';
import { forwarding } from './forwarding.ts';
import type { Leadership } from './leadership.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** This node leads the group of the first key. */
const leadership: Leadership = {
  self: 1,
  isOver: false,
  groupOf: () => 1,
  leaderOf: () => 1,
  hasReplica: () => true,
  majoritySilence_ms: () => 0,
  onLeaderChange: () => () => {},
  noLeader: () => ({ reason: ErrorReason.NO_QUORUM, message: 'nobody leads' }),
};

const links = {
  call: () => {
    throw new Error('nothing was to be passed on');
  },
  async *stream() {},
};

test('a write of several groups that was done in part is not done again by the node', async () => {
  const { methods, groups } = kvFixture(2);
  const [first, second] = groups;
  second!.refusal = { reason: ErrorReason.NOT_LEADER, message: 'the entry was not committed' };
  const writing = call(forwarding(methods, leadership, links), KVService.method.setMany, {
    entries: [{ key: 'a0' }, { key: 'a1' }],
  });
  const outcome = writing.catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  expect(first!.applied).toHaveLength(1);
  expect(await outcome).toMatchObject({
    reason: ErrorReason.NO_QUORUM,
    message: expect.stringContaining('the other 1 may be applied'),
  });
});
