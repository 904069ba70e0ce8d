/** The pipeline client against real nodes: what it promises is only true together with theirs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NodeProcess } from '../../../server/src/testing/node-process.ts';
import { keptPort } from '../../../server/src/testing/ports.ts';
import type { GomsgError } from './errors.ts';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { PipelineClient } from './pipeline.ts';
import { connect } from './raw.ts';

const { get, increment } = KVService.method;

/** A node that is killed and starts again, and again, on a busy machine takes its time. */
const PATIENCE_MS = 120_000;

function dataFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'gomsg-client-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test('increments under way when a node is killed, again and again, are all applied, each once', {
  timeout: PATIENCE_MS,
}, async () => {
  using folder = dataFolder();
  const flags = [`--data-dir=${folder.path}/data`];
  const port = await keptPort();
  let node = NodeProcess.start({ flags, port });
  const address = await node.ready;
  const patience = { timeout_ms: PATIENCE_MS, unreachableTimeout_ms: PATIENCE_MS };
  const client = new PipelineClient({ address, maxRetryDelay_ms: 50, ...patience });
  try {
    const calls = 2_000;
    const kills = [400, 1_000, 1_600];
    const seen: bigint[] = [];
    let made = 0;
    let restarting = Promise.resolve();
    const worker = async () => {
      while (made < calls) {
        made += 1;
        const { value } = await client.call(increment, { key: 'n' });
        seen.push(value);
        if (seen.length === kills[0]) {
          kills.shift();
          restarting = restarting.then(async () => {
            await node.kill();
            node = NodeProcess.start({ flags, port });
            await node.ready;
          });
        }
      }
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    await restarting;
    expect(kills).toEqual([]);
    // Every call got a value of its own: none was applied twice, none not at all.
    expect(seen.sort((a, b) => Number(a - b))).toEqual(
      Array.from({ length: calls }, (_, i) => BigInt(i + 1)),
    );
    expect(Buffer.from((await client.call(get, { key: 'n' })).value).toString()).toBe(String(calls));
  } finally {
    await client.close(0);
    await node.kill();
  }
});

test('a node that is stopped is given up though its connection stands, and calls go on when it does', async () => {
  await using node = NodeProcess.start({ flags: [] });
  const lost = Promise.withResolvers<GomsgError>();
  const client = new PipelineClient({
    address: await node.ready,
    channel: { keepaliveInterval_ms: 200, keepaliveTimeout_ms: 500 },
    observer: { disconnected: (_, error) => lost.resolve(error) },
  });
  try {
    expect((await client.call(increment, { key: 'n' })).value).toBe(1n);
    node.pause();
    const call = client.call(increment, { key: 'n' });
    expect(await lost.promise).toMatchObject({ code: 14, reasonName: 'UNSPECIFIED' });
    node.continue();
    expect((await call).value).toBe(2n);
    expect((await client.call(increment, { key: 'n' })).value).toBe(3n);
  } finally {
    await client.close(0);
  }
});

test('a pop that waits holds up nobody, and gets the message that comes', async () => {
  await using node = NodeProcess.start({ flags: [] });
  const client = new PipelineClient({ address: await node.ready });
  const { pop, push, ack } = QueueService.method;
  const waiting = client.call(pop, { queue: 'q', wait: { seconds: 20n } });
  await client.call(increment, { key: 'n' });
  await client.call(push, { queue: 'q', payload: Buffer.from('hello') });
  const { deliveries } = await waiting;
  expect(deliveries.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['hello']);
  await client.call(ack, { deliveryId: deliveries[0]!.deliveryId });
  await client.close();
});

test('a raw client and a pipeline client see the same keys and the same typed errors', async () => {
  await using node = NodeProcess.start({ flags: [] });
  const address = await node.ready;
  const pipeline = new PipelineClient({ address });
  const raw = connect({ address });
  try {
    await raw.kv.set({ key: 'k', value: Buffer.from('text') });
    expect(Buffer.from((await pipeline.call(get, { key: 'k' })).value).toString()).toBe('text');
    for (const call of [raw.kv.increment({ key: 'k' }), pipeline.call(increment, { key: 'k' })]) {
      await expect(call).rejects.toMatchObject({ reasonName: 'NOT_AN_INTEGER', code: 9, subject: 'k' });
    }
    for (const call of [raw.kv.get({ key: '' }), pipeline.call(get, { key: '' })]) {
      await expect(call).rejects.toMatchObject({ reasonName: 'INVALID_KEY', code: 3 });
    }
  } finally {
    await pipeline.close();
    raw.close();
  }
});
