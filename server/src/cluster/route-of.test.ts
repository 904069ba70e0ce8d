import { create, type DescMethod, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { ClusterService } from '../gen/gomsg/v1/cluster_pb.js';
import { Consistency } from '../gen/gomsg/v1/common_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../gen/gomsg/v1/stream_pb.js';
import { routeReader } from './route-of.ts';

function routeOf<M extends DescMethod>(desc: M, request: MessageInitShape<M['input']>) {
  return routeReader(desc)?.(
    toBinary(desc.input, create(desc.input, request as MessageInitShape<typeof desc.input>)),
  );
}

describe('a request is about', () => {
  const bytes = new Uint8Array(100);

  test('its key, queue or topic, wherever that stands in it', () => {
    expect(routeOf(KVService.method.set, { key: 'k', value: bytes })).toMatchObject({ name: 'k' });
    expect(routeOf(QueueService.method.push, { queue: 'jobs', payload: bytes })).toMatchObject({
      name: 'jobs',
    });
    expect(
      routeOf(StreamService.method.publish, { topic: 'events', key: 'k', payload: bytes }),
    ).toMatchObject({
      name: 'events',
    });
  });

  test('the first of several keys', () => {
    expect(routeOf(KVService.method.getMany, { keys: ['a', 'b'] })).toMatchObject({ name: 'a' });
    const entries = [{ key: 'x', value: bytes }, { key: 'y' }];
    expect(routeOf(KVService.method.setMany, { entries })).toMatchObject({ name: 'x' });
  });

  test('the queue of a delivery', () => {
    expect(routeOf(QueueService.method.ack, { deliveryId: 'jobs#12.1' })).toMatchObject({ name: 'jobs' });
  });

  test('nothing in particular when it names nothing', () => {
    expect(routeOf(KVService.method.watch, { target: { case: 'prefix', value: 'user:' } })).toMatchObject({
      name: undefined,
    });
    expect(routeOf(ClusterService.method.nodes, {})).toBeUndefined();
  });
});

test('a reader may be content with what any replica has', () => {
  expect(routeOf(KVService.method.get, { key: 'k', consistency: Consistency.STALE })).toEqual({
    name: 'k',
    isStale: true,
  });
  expect(routeOf(KVService.method.get, { key: 'k' })).toEqual({ name: 'k', isStale: false });
});

test('what cannot be read is left to the service', () => {
  expect(routeReader(KVService.method.set)!(new Uint8Array([0x0a, 0xff]))).toEqual({
    name: undefined,
    isStale: false,
  });
});
