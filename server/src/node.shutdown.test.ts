/** SIGTERM on a real process: everything taken is answered, whoever waits is told, and nothing is lost. */
import { expect, test } from 'vitest';
import { ClusterService } from './gen/gomsg/v1/cluster_pb.js';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { StreamService } from './gen/gomsg/v1/stream_pb.js';
import { CallError } from './testing/call-error.ts';
import { dataFolder } from './testing/folders.ts';
import { type MessageStream, NodeClient } from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';
import { PipelineClient } from './testing/pipeline-client.ts';

/** A wait that outlasts every test, and drain timeout enough to show that the node does not use it up. */
const wait = { seconds: 60n };
const DRAIN_TIMEOUT_MS = 50_000;
const QUICK_MS = 20_000;

const draining = { reason: ErrorReason.DRAINING };

test('a node with waiting pops, watches and subscriptions stops at once, and tells each of them', async () => {
  await using node = NodeProcess.start({ flags: [`--drain-timeout=${DRAIN_TIMEOUT_MS}ms`] });
  const address = await node.ready;
  using client = new NodeClient(address);
  using pipeline = new PipelineClient(address);

  const pops = [
    client.unary(QueueService.method.pop, { queue: 'jobs', wait }),
    pipeline.call(QueueService.method.pop, { queue: 'jobs', wait }),
    // In a session, whose outcome a retry would get.
    pipeline.call(
      QueueService.method.pop,
      { queue: 'jobs', wait },
      { sessionId: 1n, sequence: 1, answeredBelow: 0, retry: false },
    ),
  ].map((pop) => failureOf(pop));
  const overJson = fetch(`http://${address}/gomsg.v1.QueueService/Pop`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ queue: 'jobs', wait: '60s' }),
  });

  const streams: MessageStream<unknown>[] = [
    client.stream(KVService.method.watch, { target: { case: 'prefix', value: '' } }),
    client.stream(QueueService.method.consume, { queue: 'tasks' }),
    client.stream(StreamService.method.subscribe, { topic: 'events' }),
    client.stream(StreamService.method.subscribe, { topic: 'events', consumer: 'one' }),
    client.stream(StreamService.method.subscribe, { topic: 'events', group: 'many' }),
    client.stream(ClusterService.method.watchStats, {}),
  ];
  for (const stream of streams) await stream.take();
  await expect
    .poll(async () => (await client.unary(QueueService.method.stats, { queue: 'jobs' })).stats?.consumers)
    .toBe(4);

  const ends = streams.map((stream) => failureOf(drained(stream)));
  const asked_ms = performance.now();
  const exit = await node.terminate();

  expect(exit).toEqual({ code: 0, signal: null });
  expect(performance.now() - asked_ms).toBeLessThan(QUICK_MS);
  for (const pop of pops) expect(await pop).toMatchObject(draining);
  for (const end of ends) expect(await end).toMatchObject(draining);
  const response = await overJson;
  expect(response.status).toBe(503);
  expect(await response.text()).toContain('shutting down');
});

test('calls that were taken before a SIGTERM are answered, and their writes are there after the restart', {
  timeout: 120_000,
}, async () => {
  const flags = [`--data-dir=${dataFolder()}`];
  const keys = Array.from({ length: 8_000 }, (_, i) => `key-${i}`);
  const value = Buffer.alloc(1_000, 'v');
  {
    await using node = NodeProcess.start({ flags });
    using pipeline = new PipelineClient(await node.ready);
    // One frame: with its first answer the node has taken all of it.
    const calls = keys.map((key) => pipeline.call(KVService.method.set, { key, value }));
    await Promise.race(calls);
    const exited = node.terminate();
    await Promise.all(calls);
    expect(await exited).toEqual({ code: 0, signal: null });
    expect(await pipeline.ended).toMatchObject(draining);
  }
  await using node = NodeProcess.start({ flags });
  using client = new NodeClient(await node.ready);
  const { entries } = await client.unary(KVService.method.getMany, { keys });
  expect(entries.filter((entry) => entry.found && value.equals(entry.value))).toHaveLength(keys.length);
});

/** Reads a stream to its end. */
async function drained(stream: MessageStream<unknown>): Promise<void> {
  for await (const _ of stream);
}

async function failureOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}
