/** A node with four groups, end to end: what spans groups is one for the caller. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SlotRouter } from './cluster/slot-map.ts';
import { configWith } from './config/load.ts';
import { ClusterService } from './gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { PipelineService } from './gen/gomsg/v1/pipeline_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { StreamService } from './gen/gomsg/v1/stream_pb.js';
import { type RunningNode, startNode } from './node.ts';
import { createLogger } from './observe/logger.ts';
import type { ServiceGroup } from './services/groups.ts';
import { NodeClient } from './testing/node-client.ts';
import { PipelineClient } from './testing/pipeline-client.ts';

const GROUPS = 4;
const kv = KVService.method;

const ids = Array.from({ length: GROUPS }, (_, i) => ({ id: i + 1 }) as ServiceGroup);
const router = new SlotRouter(ids);

let node: RunningNode;
let client: NodeClient;
let pipeline: PipelineClient;

beforeAll(async () => {
  node = await startNode({
    config: configWith({ port: 0, storage: 'memory', groups: GROUPS, drainTimeoutMs: 1000 }),
    logger: createLogger({ level: 'silent', format: 'json' }),
    onFatal: (error) => {
      throw error;
    },
  });
  client = new NodeClient(`${node.host}:${node.port}`);
  pipeline = new PipelineClient(`${node.host}:${node.port}`);
});
afterAll(async () => {
  client.close();
  pipeline.close();
  await node.stop();
});

/** Names with the prefix, so many of them in each group. */
function spread(prefix: string, perGroup: number): string[] {
  const names: string[] = [];
  const left = new Map(ids.map(({ id }) => [id, perGroup]));
  for (let i = 0; names.length < perGroup * GROUPS; i++) {
    const name = `${prefix}${String(i).padStart(4, '0')}`;
    const { id } = router.groupOf(name);
    if (left.get(id) === 0) continue;
    left.set(id, left.get(id)! - 1);
    names.push(name);
  }
  return names;
}

const value = (text: string) => Buffer.from(text);

describe('keys over four groups', () => {
  test('are written and read together, in the order asked', async () => {
    const keys = spread('many-', 3).reverse();
    const { versions } = await client.unary(kv.setMany, {
      entries: keys.map((key) => ({ key, value: value(key) })),
    });
    expect(versions).toHaveLength(keys.length);
    expect(versions.every((version) => version > 0n)).toBe(true);
    const { entries } = await client.unary(kv.getMany, { keys: [...keys, 'many-none'] });
    expect(entries.map(({ key, found, value }) => [key, found, Buffer.from(value).toString()])).toEqual([
      ...keys.map((key) => [key, true, key]),
      ['many-none', false, ''],
    ]);
    const read = await client.unary(kv.get, { key: keys[5]! });
    expect(read.version).toBe(versions[5]);
  });

  test.each([
    ['forwards', false],
    ['backwards', true],
  ])('are scanned %s in pages, in order, each once', async (_name, reverse) => {
    const prefix = `scan-${reverse}-`;
    const keys = spread(prefix, 25);
    await client.unary(kv.setMany, { entries: keys.map((key) => ({ key, value: value('x') })) });
    const seen: string[] = [];
    let cursor: Uint8Array = new Uint8Array();
    do {
      const page = await client.unary(kv.scan, { prefix, limit: 7, reverse, cursor });
      expect(page.entries.length).toBeLessThanOrEqual(7);
      seen.push(...page.entries.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor.length > 0);
    expect(seen).toEqual(reverse ? [...keys].sort().reverse() : [...keys].sort());
  });

  test('are listed by pattern and removed by pattern', async () => {
    const keys = spread('gone-', 10);
    await client.unary(kv.setMany, { entries: keys.map((key) => ({ key, value: value('x') })) });
    await client.unary(kv.set, { key: 'stays', value: value('x') });
    const listed = await client.unary(kv.keys, { pattern: 'gone-*' });
    expect(listed.keys).toEqual([...keys].sort());
    expect((await client.unary(kv.deletePattern, { pattern: 'gone-*' })).deleted).toBe(BigInt(keys.length));
    expect((await client.unary(kv.keys, { pattern: 'gone-*' })).keys).toEqual([]);
    expect((await client.unary(kv.exists, { key: 'stays' })).exists).toBe(true);
  });

  test('are watched by one watch, which goes on from its token', async () => {
    const keys = spread('watched-', 1);
    const watch = client.stream(kv.watch, { target: { case: 'prefix', value: 'watched-' } });
    await watch.take();
    for (const key of keys) await client.unary(kv.set, { key, value: value('1') });
    const seen: string[] = [];
    let token: Uint8Array = new Uint8Array();
    while (seen.length < keys.length) {
      const { events, resumeToken } = await watch.take();
      seen.push(...events.map(({ key }) => key));
      token = resumeToken;
    }
    watch.cancel();
    expect(seen.sort()).toEqual([...keys].sort());

    for (const key of keys) await client.unary(kv.set, { key, value: value('2') });
    const again = client.stream(kv.watch, {
      target: { case: 'prefix', value: 'watched-' },
      resumeToken: token,
    });
    const missed: string[] = [];
    while (missed.length < keys.length) {
      missed.push(...(await again.take()).events.map(({ value }) => Buffer.from(value).toString()));
    }
    again.cancel();
    expect(missed).toEqual(keys.map(() => '2'));
  });

  test('expire in every group', async () => {
    const keys = spread('brief-', 2);
    const ttl = { nanos: 20_000_000 };
    await client.unary(kv.setMany, { entries: keys.map((key) => ({ key, value: value('x'), ttl })) });
    await expect.poll(async () => (await client.unary(kv.keys, { pattern: 'brief-*' })).keys).toEqual([]);
  });
});

describe('a session over four groups', () => {
  test('has each call applied once, whatever groups it touches, and repeats its answer', async () => {
    const { sessionId } = await pipeline.call(PipelineService.method.openSession, {});
    const keys = spread('session-', 1);
    const place = (sequence: number, retry: boolean) => ({ sessionId, sequence, answeredBelow: 0, retry });
    const entries = keys.map((key) => ({ key, value: value('7') }));

    const first = await pipeline.call(kv.setMany, { entries }, place(1, false));
    const counted = await Promise.all(
      keys.map((key, i) => pipeline.call(kv.increment, { key }, place(2 + i, false))),
    );
    const again = await pipeline.call(kv.setMany, { entries }, place(1, true));
    const countedAgain = await Promise.all(
      keys.map((key, i) => pipeline.call(kv.increment, { key }, place(2 + i, true))),
    );
    expect(again.versions).toEqual(first.versions);
    expect(counted.map((answer) => answer.value)).toEqual(keys.map(() => 8n));
    expect(countedAgain).toEqual(counted);
    const { entries: stored } = await client.unary(kv.getMany, { keys });
    expect(stored.map((entry) => Buffer.from(entry.value).toString())).toEqual(keys.map(() => '8'));

    await pipeline.call(PipelineService.method.closeSession, { sessionId });
    const other = await pipeline.call(PipelineService.method.openSession, {});
    expect(other.sessionId).not.toBe(sessionId);
  });
});

describe('queues and topics over four groups', () => {
  test('are found by their name, and listed in order over all groups', async () => {
    const queues = spread('queue-', 2);
    const topics = spread('topic-', 2);
    for (const queue of queues)
      await client.unary(QueueService.method.push, { queue, payload: value(queue) });
    for (const topic of topics)
      await client.unary(StreamService.method.publish, { topic, payload: value(topic) });
    for (const queue of queues) {
      const { deliveries } = await client.unary(QueueService.method.pop, { queue });
      expect(deliveries.map(({ payload }) => Buffer.from(payload).toString())).toEqual([queue]);
      await client.unary(QueueService.method.ack, { deliveryId: deliveries[0]!.deliveryId });
    }
    for (const topic of topics) {
      const { messages } = await client.unary(StreamService.method.read, { topic });
      expect(messages.map(({ payload }) => Buffer.from(payload).toString())).toEqual([topic]);
    }
    const listed: string[] = [];
    let cursor: Uint8Array = new Uint8Array();
    do {
      const page = await client.unary(QueueService.method.list, { prefix: 'queue-', limit: 3, cursor });
      listed.push(...page.queues.map(({ queue }) => queue));
      cursor = page.nextCursor;
    } while (cursor.length > 0);
    expect(listed).toEqual([...queues].sort());
    const { topics: found } = await client.unary(StreamService.method.list, { prefix: 'topic-' });
    expect(found.map(({ topic }) => topic)).toEqual([...topics].sort());
  });
});

describe('the cluster calls', () => {
  test('tell of four groups that share out all slots', async () => {
    const { groups } = await client.unary(ClusterService.method.getTopology, {});
    expect(groups.map(({ group }) => group)).toEqual([1, 2, 3, 4]);
    const slots = groups.flatMap((group) => group.slots);
    expect(slots[0]?.first).toBe(0);
    expect(slots.at(-1)?.last).toBe(16_383);
    for (let i = 1; i < slots.length; i++) expect(slots[i]!.first).toBe(slots[i - 1]!.last + 1);
    const status = await client.unary(ClusterService.method.status, {});
    expect(status.groups.every(({ leaderNodeId }) => leaderNodeId === node.identity.nodeId)).toBe(true);
  });

  test('refuse what needs a cluster', async () => {
    await expect(client.unary(ClusterService.method.join, { nodeId: 'x' })).rejects.toMatchObject({
      reason: ErrorReason.NOT_CLUSTERED,
    });
  });
});
