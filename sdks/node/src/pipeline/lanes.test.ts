import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterServiceGetTopologyResponseSchema } from '../gen/gomsg/v1/cluster_pb.js';
import { SLOTS } from '../routing/slots.ts';
import { Lanes } from './lanes.ts';

const ADDRESSES = ['a:1', 'b:1', 'c:1'] as const;
const [A, B, C] = ADDRESSES;

/** Addresses of the nodes that were asked for the topology, in order. */
let asked: string[];
let lanes: Lanes;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  // None of them is connected: nothing here sends a call.
  lanes = new Lanes(
    {
      addresses: ADDRESSES,
      channel: {},
      backoff: { first_ms: 1, longest_ms: 1 },
      unreachableTimeout_ms: 1_000,
    },
    {
      place: () => true,
      onConnected: () => {},
      onFrame: () => {},
      onLost: () => {},
      onUnreachable: () => {},
      fetch: (lane) => void asked.push(lane.address),
    },
  );
});

afterEach(() => {
  lanes.close();
  vi.useRealTimers();
});

function ledBy(leader: string) {
  return create(ClusterServiceGetTopologyResponseSchema, {
    epoch: 1n,
    nodes: ADDRESSES.map((address) => ({ nodeId: address, address })),
    groups: [{ group: 1, leaderNodeId: leader, slots: [{ first: 0, last: SLOTS - 1 }] }],
  });
}

/** As the node that is home answers it. */
function learn(leader: string): void {
  vi.advanceTimersByTime(1_000);
  lanes.refresh();
  lanes.learn(lanes.home, ledBy(leader));
}

test('what a node says about leaders after it was left is not believed, and another is asked', () => {
  const { home } = lanes;
  lanes.refresh();
  lanes.leave(A);
  lanes.learn(home, ledBy(A));
  expect(lanes.topology).toBeUndefined();
  lanes.refresh();
  vi.advanceTimersByTime(1_000);
  expect(asked).toEqual([A, B]);
  lanes.learn(lanes.home, ledBy(B));
  expect(lanes.topology!.leaderOf('name')).toBe(B);
});

test('nodes that are left one after the other are gone round', () => {
  const homes = Array.from({ length: 5 }, () => {
    vi.advanceTimersByTime(1);
    lanes.leave(lanes.home.address);
    return lanes.home.address;
  });
  expect(homes).toEqual([B, C, A, B, C]);
});

test('a leader that was left gets no calls until the topology is learned again', () => {
  learn(B);
  expect(lanes.laneFor('name', true).address).toBe(B);
  vi.advanceTimersByTime(1);
  lanes.leave(B);
  expect(lanes.laneFor('name', true).address).toBe(A);
  learn(B);
  expect(lanes.laneFor('name', true).address).toBe(B);
});

test('streams go to the leader first, and to a node that was left last', () => {
  learn(C);
  expect(lanes.addressesFor('name')).toEqual([C, A, B]);
  vi.advanceTimersByTime(1);
  lanes.leave(C);
  expect(lanes.addressesFor('name')).toEqual([A, B, C]);
});

test('a leader that is none any more, as a stream heard, is not where the next one goes', () => {
  learn(B);
  vi.advanceTimersByTime(1);
  lanes.leaveLeader('name');
  expect(lanes.addressesFor('name')).toEqual([A, C, B]);
  expect(lanes.laneFor('name', true).address).toBe(A);
});

test('calls say the epoch of the cluster that they know, wherever they go', () => {
  const first = lanes.home;
  expect(first.outbox.topologyEpoch).toBe(0);
  learn(B);
  const leader = lanes.laneFor('name', true);
  expect([first, leader].map(({ outbox }) => outbox.topologyEpoch)).toEqual([1, 1]);
  lanes.leave(A);
  expect(lanes.home).toBe(leader);
  expect([first, leader].map(({ outbox }) => outbox.topologyEpoch)).toEqual([1, 1]);
});
