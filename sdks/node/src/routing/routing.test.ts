import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ClusterServiceGetTopologyResponseSchema } from '../gen/gomsg/v1/cluster_pb.js';
import {
  KVService,
  KVServiceGetManyRequestSchema,
  KVServiceSetManyRequestSchema,
  KVServiceWatchRequestSchema,
} from '../gen/gomsg/v1/kv_pb.js';
import { QueueService, QueueServiceAckRequestSchema } from '../gen/gomsg/v1/queue_pb.js';
import { routeOf } from './route.ts';
import { crc16, SLOTS, slotOf } from './slots.ts';
import { Topology } from './topology.ts';

describe('slots', () => {
  it('are those of CRC-16/XMODEM and of the Redis cluster specification', () => {
    expect(crc16('123456789')).toBe(0x31c3);
    expect(slotOf('somekey')).toBe(11058);
    expect(slotOf('foo')).toBe(12182);
  });

  it.each([
    ['{user1000}.following', '{user1000}.followers', true],
    ['foo{hash_tag}bar', 'hash_tag', true],
    ['foo{bar}{zap}', 'bar', true],
    ['foo{{bar}}zap', '{bar', true],
    ['foo{}{bar}', 'bar', false],
    ['foo{bar', 'bar', false],
    ['schlüssel{ä}', 'ä', true],
  ])('of %s and %s: same is %s', (a, b, same) => {
    expect(slotOf(a) === slotOf(b)).toBe(same);
  });
});

describe('the name that a request is routed by', () => {
  it('is the first of several, and that inside of a message', () => {
    expect(
      routeOf(KVService.method.getMany)(create(KVServiceGetManyRequestSchema, { keys: ['a', 'b'] })),
    ).toBe('a');
    expect(routeOf(KVService.method.getMany)(create(KVServiceGetManyRequestSchema))).toBeUndefined();
    const entries = [{ key: 'x' }, { key: 'y' }];
    expect(routeOf(KVService.method.setMany)(create(KVServiceSetManyRequestSchema, { entries }))).toBe('x');
    expect(routeOf(KVService.method.setMany)(create(KVServiceSetManyRequestSchema))).toBeUndefined();
  });

  it('is there only for the choice that was made', () => {
    const watch = routeOf(KVService.method.watch);
    expect(watch(create(KVServiceWatchRequestSchema, { target: { case: 'key', value: 'k' } }))).toBe('k');
    expect(
      watch(create(KVServiceWatchRequestSchema, { target: { case: 'prefix', value: 'k' } })),
    ).toBeUndefined();
  });

  it('is the queue of a delivery', () => {
    const ack = routeOf(QueueService.method.ack);
    expect(ack(create(QueueServiceAckRequestSchema, { deliveryId: 'jobs#17.2' }))).toBe('jobs');
    expect(ack(create(QueueServiceAckRequestSchema, { deliveryId: 'nonsense' }))).toBeUndefined();
  });

  it('is none where any node will do', () => {
    expect(routeOf(KVService.method.keys)(create(KVService.method.keys.input))).toBeUndefined();
  });
});

describe('a topology', () => {
  const half = SLOTS / 2;
  const topology = new Topology(
    create(ClusterServiceGetTopologyResponseSchema, {
      epoch: 3n,
      nodes: [
        { nodeId: 'n1', address: 'a:1' },
        { nodeId: 'n2', address: 'b:1' },
      ],
      groups: [
        { group: 1, leaderNodeId: 'n1', slots: [{ first: 0, last: half - 1 }] },
        { group: 2, leaderNodeId: '', slots: [{ first: half, last: SLOTS - 2 }] },
      ],
    }),
  );

  it('knows the leader of the group that owns a slot', () => {
    const low = ['a', 'b', 'c', 'd', 'e', 'f'].find((name) => slotOf(name) < half)!;
    expect(topology.leaderOf(low)).toBe('a:1');
    expect(topology.isCluster).toBe(true);
    expect(topology.addresses).toEqual(['a:1', 'b:1']);
  });

  it('knows none where the group has none, and where no group owns the slot', () => {
    const high = ['a', 'b', 'c', 'd', 'e', 'f'].find((name) => slotOf(name) >= half)!;
    expect(topology.leaderOf(high)).toBeUndefined();
  });
});
