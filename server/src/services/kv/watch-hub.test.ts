/** A watch whose feed throws while the machine applies: it ends, and the others and the machine go on. */
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { KVServiceSetRequestSchema } from '../../gen/gomsg/v1/kv_pb.js';
import { KvMachine } from '../../state/kv/kv-machine.ts';
import { kvMethod } from '../../state/kv/method-numbers.ts';
import { ModelStore } from '../../state/testing/model-store.ts';
import { ErrorReason } from '../errors.ts';
import { InstantGroup } from '../testing/instant-group.ts';
import { WatchFeed } from './watch-feed.ts';
import { WatchHub } from './watch-hub.ts';

it('ends a feed that throws, with the others untouched and the bug reported', async () => {
  const bugs: unknown[] = [];
  const kv = new KvMachine(new ModelStore(), 1, undefined, (error) => bugs.push(error));
  kv.load();
  const group = new InstantGroup({ kv });
  const hub = new WatchHub();
  const feedWith = (onReady: () => void): WatchFeed =>
    new WatchFeed(group, hub, { target: { kind: 'prefix', name: '' }, keysOnly: false, onReady });
  let wakes = 0;
  const first = feedWith(() => {});
  const broken = feedWith(() => {
    wakes++;
    if (wakes === 1) throw new Error('a bug');
  });
  const last = feedWith(() => {});
  for (const feed of [first, broken, last]) expect(await feed.start(undefined)).toBeUndefined();

  const set = (key: string): void => {
    const payload = toBinary(KVServiceSetRequestSchema, create(KVServiceSetRequestSchema, { key }));
    kv.apply({ method: kvMethod.set, payload, request: undefined }, { index: 1, stamp_ms: group.now_ms });
    kv.endEntry({ index: 1, stamp_ms: group.now_ms });
  };
  set('a');
  set('b');

  expect(kv.keys).toBe(2);
  expect(bugs).toEqual([expect.objectContaining({ message: 'a bug' })]);
  for (const feed of [first, last]) expect(feed.take()).toHaveLength(2);
  expect(broken.hasEvents).toBe(false);
  expect(await broken.catchUp()).toMatchObject({ reason: ErrorReason.INTERNAL });
  // It was woken to learn that.
  expect(wakes).toBe(2);
});
