/** Clusters of real processes: what a user of one sees, also when a node dies. */
import { expect, test } from 'vitest';
import { ClusterService, NodeState } from '../gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../gen/gomsg/v1/stream_pb.js';
import { PipelineClient } from '../testing/pipeline-client.ts';
import { LEADER_SEARCH_MS_MAX } from './leader-search.ts';
import { type ClusterNode, ClusterProcess } from './testing/cluster-process.ts';

const { set, get, getMany, keys, scan, watch, deletePattern } = KVService.method;
const bytes = (text: string) => Buffer.from(text);
const text = (value: Uint8Array) => Buffer.from(value).toString();

/** Keys that fall into all groups. */
const names = Array.from({ length: 40 }, (_, i) => `key-${i}`);

test('three nodes take any call anywhere, survive the death of one, and take it back', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3);
  const [first, second, third] = cluster.nodes as [never, never, never] as typeof cluster.nodes;

  // Any node takes any call.
  for (const [i, key] of names.entries()) {
    await cluster.nodes[i % 3]!.client.unary(set, { key, value: bytes(`value of ${key}`) });
  }
  for (const { client } of cluster.nodes) {
    for (const key of names) expect(text((await client.unary(get, { key })).value)).toBe(`value of ${key}`);
    expect((await client.unary(keys, { pattern: 'key-*' })).keys).toHaveLength(names.length);
    const { entries } = await client.unary(getMany, { keys: names });
    expect(entries.map(({ key }) => key)).toEqual(names);
    expect(entries.every(({ found }) => found)).toBe(true);
  }
  await second!.client.unary(QueueService.method.push, { queue: 'jobs', payload: bytes('a job') });
  await third!.client.unary(StreamService.method.publish, { topic: 'events', payload: bytes('an event') });

  // One node dies. What was answered is there, and writes go on.
  await cluster.kill(first!);
  const others = [second!, third!];
  await cluster.until('every group has a leader again', async () => {
    for (const key of names)
      await second!.client.unary(set, { key, value: bytes('after') }, { timeout_ms: 3_000 });
    return true;
  });
  for (const { client } of others) {
    for (const key of names) expect(text((await client.unary(get, { key })).value)).toBe('after');
  }
  const { deliveries } = await third!.client.unary(QueueService.method.pop, { queue: 'jobs' });
  expect(deliveries.map(({ payload }) => text(payload))).toEqual(['a job']);
  const { messages } = await second!.client.unary(StreamService.method.read, { topic: 'events' });
  expect(messages.map(({ payload }) => text(payload))).toEqual(['an event']);
  await cluster.until('the dead node is known to be down', async () => {
    const { nodes } = await second!.client.unary(ClusterService.method.nodes, {});
    return nodes.find(({ nodeId }) => nodeId === 'node1')?.state === NodeState.DOWN;
  });

  // It comes back by itself and has everything.
  await cluster.restart(first!);
  await cluster.healthy();
  for (const key of names) expect(text((await first!.client.unary(get, { key })).value)).toBe('after');
});

test('without a majority writes fail and name who is missing; with it they go on', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3, ['--groups=1']);
  const [first, second, third] = cluster.nodes;
  await first!.client.unary(set, { key: 'k', value: bytes('v') });
  await cluster.kill(second!);
  await cluster.kill(third!);
  await cluster.until('writes are refused', async () => {
    const failure = await first!.client
      .unary(set, { key: 'k', value: bytes('w') }, { timeout_ms: 6_000 })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason: ErrorReason.NO_QUORUM });
    expect((failure as Error).message).toMatch(/node2|node3/);
    return true;
  });
  // Whoever routes is told at once, on the first try; and nobody is named as leader.
  using routing = new PipelineClient(first!.address, 1n);
  await cluster.until('a call of a client that routes is refused without a search', async () => {
    const began_ms = performance.now();
    await expect(routing.call(set, { key: 'k', value: bytes('w') })).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
    });
    return performance.now() - began_ms < LEADER_SEARCH_MS_MAX / 2;
  });
  const { groups } = await first!.client.unary(ClusterService.method.getTopology, {});
  expect(groups.map(({ leaderNodeId }) => leaderNodeId)).toEqual(['']);
  await cluster.restart(second!);
  await cluster.until('writes go on', async () => {
    await first!.client.unary(set, { key: 'k', value: bytes('x') }, { timeout_ms: 3_000 });
    return true;
  });
});

test('a node that hears nobody any more leads nothing, names no leader, and tells those who can go elsewhere at once', {
  timeout: 120_000,
}, async () => {
  await using cluster = await ClusterProcess.start(3, ['--groups=3']);
  const [first, ...others] = cluster.nodes;
  // Their connections stand: only that nothing comes tells that they are silent.
  for (const { process } of others) process.pause();
  using routing = new PipelineClient(first!.address, 1n);
  await cluster.until('calls of a client that routes are refused at once', async () => {
    const began_ms = performance.now();
    const failures = await Promise.all(
      names.map((key) => routing.call(set, { key, value: bytes('w') }).catch((error: unknown) => error)),
    );
    for (const failure of failures) expect(failure).toMatchObject({ reason: ErrorReason.NO_QUORUM });
    return performance.now() - began_ms < LEADER_SEARCH_MS_MAX / 4;
  });
  await cluster.until('it knows of no leader', async () => {
    const { groups } = await first!.client.unary(ClusterService.method.getTopology, {});
    return groups.every(({ leaderNodeId }) => leaderNodeId === '');
  });
  for (const { process } of others) process.continue();
  await cluster.healthy();
  await first!.client.unary(set, { key: 'k', value: bytes('after') });
});

/** Follows all keys with a prefix, from node to node: opens the watch again where it stopped when it ends. */
class Follower {
  /** `key@version` of every event. */
  readonly told: string[] = [];
  opened = 0;
  readonly #nodes: readonly ClusterNode[];
  #token: Uint8Array = new Uint8Array();
  #isOver = false;

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      const { client } = this.#nodes[this.opened % this.#nodes.length]!;
      const stream = client.stream(watch, {
        target: { case: 'prefix', value: 'w-' },
        resumeToken: this.#token,
      });
      try {
        for await (const { subscribed, events, resumeToken } of stream) {
          this.told.push(...events.map(({ key, revision }) => `${key}@${revision}`));
          this.#token = resumeToken;
          if (subscribed) this.opened++;
          if (this.#isOver) break;
        }
      } catch (error) {
        expect(error).toMatchObject({
          reason: expect.toBeOneOf([ErrorReason.NOT_LEADER, ErrorReason.NO_QUORUM]),
        });
      } finally {
        stream.cancel();
      }
    }
  }

  end(): void {
    this.#isOver = true;
  }
}

test('nodes that lack replicas take calls about all keys, and a watch goes on when leaders die', {
  timeout: 240_000,
}, async () => {
  await using cluster = await ClusterProcess.start(5, ['--groups=5', '--replication=3']);
  const [, second, third] = cluster.nodes as ClusterNode[];
  const status = () => second!.client.unary(ClusterService.method.status, {});
  for (const group of (await status()).groups.slice(1)) expect(group.voterNodeIds).toHaveLength(3);

  for (const [i, key] of names.entries()) {
    await cluster.nodes[i % 5]!.client.unary(set, { key, value: bytes(`value of ${key}`) });
  }
  await second!.client.unary(QueueService.method.push, { queue: 'jobs', payload: bytes('a job') });
  await third!.client.unary(StreamService.method.publish, { topic: 'events', payload: bytes('an event') });
  for (const { client } of cluster.nodes) {
    const found = await client.unary(getMany, { keys: names });
    expect(found.entries.map(({ value }) => text(value))).toEqual(names.map((key) => `value of ${key}`));
    const { entries } = await client.unary(scan, { prefix: 'key-', limit: 1_000 });
    expect(entries.map(({ key }) => key)).toEqual([...names].sort());
    expect((await client.unary(QueueService.method.list, {})).queues.map(({ queue }) => queue)).toEqual([
      'jobs',
    ]);
    expect((await client.unary(StreamService.method.list, {})).topics.map(({ topic }) => topic)).toEqual([
      'events',
    ]);
  }
  expect((await third!.client.unary(deletePattern, { pattern: 'key-1*' })).deleted).toBe(11n);
  expect((await second!.client.unary(keys, { pattern: 'key-*' })).keys).toHaveLength(29);

  const follower = new Follower([second!, third!]);
  const following = follower.run();
  await cluster.until('the watch is in place', async () => follower.opened > 0);
  const written: string[] = [];
  const write = async (round: number): Promise<void> => {
    for (const name of names) {
      const key = `w-${name}`;
      await cluster.until(`${key} is written`, async () => {
        const request = { key, value: bytes(`${round}`) };
        const { version } = await third!.client.unary(set, request, { timeout_ms: 5_000 });
        written.push(`${key}@${version}`);
        return true;
      });
    }
  };
  await write(1);
  let victim: ClusterNode | undefined;
  await cluster.until('a node that nobody here calls leads some of the keys', async () => {
    const { groups } = await status();
    const leaders = groups.filter(({ group }) => group > 0).map(({ leaderNodeId }) => leaderNodeId);
    victim = cluster.nodes.find((node) => node !== second && node !== third && leaders.includes(node.name));
    return victim !== undefined;
  });
  const writing = write(2);
  await cluster.kill(victim!);
  await writing;
  await cluster.until('everything is told', async () =>
    written.every((event) => follower.told.includes(event)),
  );
  follower.end();
  await third!.client.unary(set, { key: 'w-last', value: bytes('') });
  await following;
  expect(new Set(follower.told).size).toBe(follower.told.length);
  expect(follower.opened).toBeGreaterThan(1);
});
