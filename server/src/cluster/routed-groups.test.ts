import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { CUT_OFF_AFTER_MS } from '../groups/timing.ts';
import type { Proposal } from '../services/groups.ts';
import type { Failure } from '../state/failure.ts';
import { LEADER_SEARCH_MS_MAX } from './leader-search.ts';
import type { Leadership } from './leadership.ts';
import { RoutedGroup } from './routed-groups.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A group without a replica here, led by node 2 once it is elected. */
function group(silence_ms: number) {
  const listeners = new Set<() => void>();
  let leader: number | undefined;
  const leadership: Leadership = {
    self: 1,
    isOver: false,
    groupOf: () => 1,
    leaderOf: () => leader,
    hasReplica: () => false,
    majoritySilence_ms: () => silence_ms,
    onLeaderChange(_group, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    noLeader: () => ({ reason: ErrorReason.NO_QUORUM, message: 'nobody leads' }),
  };
  const replicas = { replica: () => undefined, onReplicaChange: () => () => {} };
  const passedOn = new RoutedGroup(1, replicas, leadership, {
    call(_node, _call, reply) {
      reply.ok(Uint8Array.of(2));
      return { cancel: () => {} };
    },
  });
  const elect = () => {
    leader = 2;
    for (const listener of [...listeners]) listener();
  };
  return { passedOn, elect };
}

/** Submits a write; tells what came of it. */
function submit(to: RoutedGroup, facts: Partial<Proposal> = {}): (Uint8Array | Failure)[] {
  const outcomes: (Uint8Array | Failure)[] = [];
  to.submit({
    method: 101,
    payload: new Uint8Array(),
    request: undefined,
    session: undefined,
    reply: { ok: (response) => outcomes.push(response), fail: (failure) => outcomes.push(failure) },
    ...facts,
  });
  return outcomes;
}

test('a write waits for a leader, and is passed on to it', async () => {
  const { passedOn, elect } = group(0);
  const outcomes = submit(passedOn, { canGoElsewhere: true });
  await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX - 1);
  expect(outcomes).toEqual([]);
  elect();
  expect(outcomes).toEqual([Uint8Array.of(2)]);
});

test('a write that can go elsewhere is refused at once while this node is cut off, others wait', async () => {
  const { passedOn, elect } = group(CUT_OFF_AFTER_MS);
  expect(submit(passedOn, { canGoElsewhere: true })).toMatchObject([{ reason: ErrorReason.NO_QUORUM }]);
  const outcomes = submit(passedOn);
  await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX - 1);
  expect(outcomes).toEqual([]);
  elect();
  expect(outcomes).toEqual([Uint8Array.of(2)]);
});
