/** Two of three nodes are gone: what calls get from the one that is left, and that all goes on when they are back. */
import { expect, test } from 'vitest';
import { ClusterService } from '../../gen/gomsg/v1/cluster_pb.js';
import { Consistency, ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { type ClusterNode, ClusterProcess } from '../testing/cluster-process.ts';

const value = Buffer.from('v');
const payload = Buffer.from('p');

test('every call fails in its time and names who is missing, stale reads go on, and all resumes by itself', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3, ['--groups=1']);
  const [first, second, third] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
  const { client } = first;
  await client.unary(KVService.method.set, { key: 'k', value });
  await client.unary(QueueService.method.push, { queue: 'jobs', payload });
  await client.unary(StreamService.method.publish, { topic: 'events', payload });
  const watch = client.stream(KVService.method.watch, { target: { case: 'key', value: 'k' } });
  expect((await watch.take()).subscribed).toBe(true);
  const subscription = client.stream(StreamService.method.subscribe, { topic: 'events' });

  await Promise.all([cluster.kill(second), cluster.kill(third)]);
  await cluster.until('the node that is left knows', async () => {
    const { problems } = await client.unary(ClusterService.method.status, {});
    const missing = [second, third].map(
      ({ name, address }) => `node ${name} at ${address} does not answer: connect ECONNREFUSED ${address}`,
    );
    return [...missing, 'group 1 has no leader'].every((what) => problems.includes(what));
  });

  const calls = {
    set: (timeout_ms?: number) => client.unary(KVService.method.set, { key: 'k', value }, bound(timeout_ms)),
    get: (timeout_ms?: number) => client.unary(KVService.method.get, { key: 'k' }, bound(timeout_ms)),
    push: (timeout_ms?: number) =>
      client.unary(QueueService.method.push, { queue: 'jobs', payload }, bound(timeout_ms)),
    pop: (timeout_ms?: number) => client.unary(QueueService.method.pop, { queue: 'jobs' }, bound(timeout_ms)),
    publish: (timeout_ms?: number) =>
      client.unary(StreamService.method.publish, { topic: 'events', payload }, bound(timeout_ms)),
    read: (timeout_ms?: number) =>
      client.unary(StreamService.method.read, { topic: 'events' }, bound(timeout_ms)),
    keys: (timeout_ms?: number) => client.unary(KVService.method.keys, { pattern: '*' }, bound(timeout_ms)),
    subscribe: async () => {
      for await (const _ of client.stream(StreamService.method.subscribe, { topic: 'events' })) break;
    },
  };
  const isNoQuorum = {
    reason: ErrorReason.NO_QUORUM,
    message: expect.stringMatching(/node2 and node3 do not/),
  };
  await Promise.all(
    Object.entries(calls).flatMap(([name, call]) =>
      // Longer and shorter than a call looks for a leader, and without a bound.
      [8_000, 3_500, undefined].map(async (timeout_ms) => {
        const failure = await call(timeout_ms).catch((error: unknown) => error);
        expect([name, timeout_ms, failure]).toEqual([name, timeout_ms, expect.objectContaining(isNoQuorum)]);
      }),
    ),
  );
  const stale = await client.unary(KVService.method.get, { key: 'k', consistency: Consistency.STALE });
  expect(Buffer.from(stale.value)).toEqual(value);

  // What was open before ends with a reason that says to open it again, or waits.
  const ends = async (stream: { next(): Promise<IteratorResult<unknown>> }) => {
    for (;;) if ((await stream.next()).done) return;
  };
  const over = await Promise.allSettled(
    [ends(watch), ends(subscription)].map((end) => Promise.race([end, soon()])),
  );
  for (const end of over) {
    if (end.status === 'fulfilled') continue;
    expect([ErrorReason.NOT_LEADER, ErrorReason.NO_QUORUM]).toContain(end.reason.reason);
  }

  await cluster.restart(second);
  await cluster.until('all goes on', async () => {
    await Promise.all([calls.set(3_000), calls.push(3_000), calls.publish(3_000)]);
    return true;
  });
  const { deliveries } = await calls.pop(3_000);
  expect(deliveries).toHaveLength(1);
  expect((await calls.read(3_000)).messages.length).toBeGreaterThanOrEqual(2);
});

function bound(timeout_ms: number | undefined) {
  return timeout_ms === undefined ? {} : { timeout_ms };
}

/** The time that a stream is left to end by itself. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}
