/** Listeners that throw, at each of the machines: the entry is applied as a whole, and the bug is told. */
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { KVServiceSetRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import { QueueServicePushRequestSchema } from '../gen/gomsg/v1/queue_pb.js';
import { StreamServicePublishRequestSchema } from '../gen/gomsg/v1/stream_pb.js';
import { GroupState } from './group-state.ts';
import { guarded } from './guarded-listener.ts';
import { kvMethod } from './kv/method-numbers.ts';
import { queueMethod } from './queue/method-numbers.ts';
import { streamMethod } from './stream/method-numbers.ts';
import { ModelStore } from './testing/model-store.ts';

function broken(): never {
  throw new Error('a bug');
}

const commands = [
  {
    method: kvMethod.set,
    payload: toBinary(KVServiceSetRequestSchema, create(KVServiceSetRequestSchema, { key: 'name' })),
  },
  {
    method: queueMethod.push,
    payload: toBinary(
      QueueServicePushRequestSchema,
      create(QueueServicePushRequestSchema, { queue: 'jobs' }),
    ),
  },
  {
    method: streamMethod.publish,
    payload: toBinary(
      StreamServicePublishRequestSchema,
      create(StreamServicePublishRequestSchema, { topic: 'orders' }),
    ),
  },
].map((command) => ({ ...command, request: undefined, session: undefined }));

function rows(store: ModelStore): string[] {
  return [...store.range({ from: '', to: '\xff' })].map(
    ({ key, value }) => `${key} ${Buffer.from(value).toString('hex')}`,
  );
}

it('a listener that throws changes nothing of what is applied, and is reported', () => {
  const bugs: string[] = [];
  const store = new ModelStore();
  const state = new GroupState(store, 1, undefined, (error, where) => bugs.push(`${where}: ${error}`));
  state.load();
  state.kv.listener = { onChanges: broken, onReload: broken };
  state.queue.listener = { ready: broken, ended: broken, allEnded: broken };
  state.stream.listener = {
    appended: broken,
    topicChanged: broken,
    assigned: broken,
    committed: broken,
    moved: broken,
    reloaded: broken,
  };
  state.apply(1, 1, 1_000, commands);
  state.apply(2, 1, 2_000, commands);
  state.save();

  const without = new ModelStore();
  const calm = new GroupState(without, 1);
  calm.load();
  calm.apply(1, 1, 1_000, commands);
  calm.apply(2, 1, 2_000, commands);
  calm.save();
  expect(rows(store)).toEqual(rows(without));
  expect(new Set(bugs)).toEqual(
    new Set(['onChanges', 'ready', 'appended'].map((name) => `telling a listener: ${name}: Error: a bug`)),
  );
});

it('one that is guarded is called with what the machine says', () => {
  const seen: unknown[] = [];
  const listener = { said: (...args: [number, string]) => void seen.push(args) };
  guarded(listener, ['said'], () => {}).said(1, 'a');
  expect(seen).toEqual([[1, 'a']]);
});

it('without anybody to report to, it throws', () => {
  expect(() => guarded({ said: broken }, ['said'], undefined).said()).toThrow('a bug');
});
