/** Clients that never read: the node holds little for them, serves the others, and loses nothing of what they missed. */
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ErrorReason } from './gen/gomsg/v1/common_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import {
  PipelineService,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
} from './gen/gomsg/v1/pipeline_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { StreamService } from './gen/gomsg/v1/stream_pb.js';
import { methodNumber } from './services/decode.ts';
import { isReason } from './testing/call-error.ts';
import { dataFolder } from './testing/folders.ts';
import {
  encode,
  type MessageStream,
  NodeClient,
  passBytes,
  pathOf,
  rawClient,
} from './testing/node-client.ts';
import { NodeProcess } from './testing/node-process.ts';
import { PipelineClient } from './testing/pipeline-client.ts';

const MIB = 1024 * 1024;
const PAYLOAD = Buffer.alloc(128 * 1024, 'p');
/** What goes past each of the three streams: 210 MiB in all. */
const MESSAGES = (70 * MIB) / PAYLOAD.length;
const CALLS_AT_ONCE = 16;

/**
 * Of what comes and goes with any load of this size: the overlay, the log's batches, garbage not yet collected, which was
 * seen to come to 80 MiB. Whoever held what goes past two of the streams would need more.
 */
const GROWTH_MAX_BYTES = 140 * MIB;

test('210 MiB go past a watch, a subscription and a consumer that never read', {
  timeout: 240_000,
}, async () => {
  await using node = NodeProcess.start({ flags: [`--data-dir=${dataFolder()}`, '--overlay-bytes=8MiB'] });
  const address = await node.ready;
  using pipeline = new PipelineClient(address);
  using reader = new NodeClient(address);
  const watch = reader.stream(KVService.method.watch, { target: { case: 'prefix', value: 'watched/' } });
  const subscription = reader.stream(StreamService.method.subscribe, { topic: 'events' });
  const consumer = reader.stream(QueueService.method.consume, {
    queue: 'jobs',
    credit: 10_000,
    lease: { seconds: 3600n },
  });
  for (const stream of [watch, subscription, consumer]) await stream.take();

  let peak = 0;
  const publish = async (messages: number, prefix: string, topic: string, queue: string): Promise<void> => {
    for (let sent = 0; sent < messages; sent += CALLS_AT_ONCE) {
      await Promise.all(
        Array.from({ length: CALLS_AT_ONCE }, (_, i) => [
          pipeline.call(KVService.method.set, { key: `${prefix}${sent + i}`, value: PAYLOAD }),
          pipeline.call(StreamService.method.publish, { topic, payload: PAYLOAD }),
          pipeline.call(QueueService.method.push, { queue, payload: PAYLOAD }),
        ]).flat(),
      );
      peak = Math.max(peak, node.privateBytes);
    }
  };
  // What the load alone needs shows before anybody falls behind.
  await publish(CALLS_AT_ONCE * 6, 'other/', 'other', 'other');
  const before = peak;
  await publish(MESSAGES, 'watched/', 'events', 'jobs');
  expect(peak - before).toBeLessThan(GROWTH_MAX_BYTES);

  expect(await offsets(subscription, MESSAGES)).toEqual(
    Array.from({ length: MESSAGES }, (_, i) => BigInt(i)),
  );
  expect((await deliveries(consumer, MESSAGES)).size).toBe(MESSAGES);
  // The history is shorter than what went past: who reads on is told so, or is just in time.
  expect(['all', 'compacted']).toContain(await watched(watch));
});

test('a pipeline client that never reads its results holds up nobody but itself', {
  timeout: 120_000,
}, async () => {
  await using node = NodeProcess.start({ flags: [] });
  const address = await node.ready;
  using client = new NodeClient(address);
  const key = 'large';
  await client.unary(KVService.method.set, { key, value: Buffer.alloc(MIB, 'v') });

  const raw = rawClient(address);
  const stream = raw.makeBidiStreamRequest(pathOf(PipelineService.method.execute), passBytes, passBytes);
  const before = node.privateBytes;
  // 400 MiB of results.
  const [frames, callsPerFrame] = [20, 20];
  for (let frame = 0; frame < frames; frame++) {
    stream.write(
      encode(PipelineServiceExecuteRequestSchema, {
        calls: Array.from({ length: callsPerFrame }, (_, i) => ({
          callId: frame * callsPerFrame + i + 1,
          method: methodNumber(KVService.method.get),
          payload: encode(KVService.method.get.input, { key }),
        })),
      }),
    );
  }
  let peak = before;
  for (let i = 0; i < 100; i++) {
    await client.unary(KVService.method.set, { key: 'small', value: PAYLOAD.subarray(0, 100) });
    peak = Math.max(peak, node.privateBytes);
  }
  expect(peak - before).toBeLessThan(GROWTH_MAX_BYTES);

  // Once it reads, it has one answer for every call.
  const answered: number[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (bytes: Buffer) => {
      for (const { callId, payload, error } of fromBinary(PipelineServiceExecuteResponseSchema, bytes)
        .results) {
        if (error === undefined) expect(payload.length).toBeGreaterThan(MIB);
        else expect(error.detail?.reason).toBe(ErrorReason.OVERLOADED);
        answered.push(callId);
      }
      if (answered.length === frames * callsPerFrame) resolve();
    });
  });
  expect(new Set(answered).size).toBe(frames * callsPerFrame);
  raw.close();
});

async function offsets(
  stream: MessageStream<{ readonly messages: readonly { readonly offset: bigint }[] }>,
  count: number,
): Promise<bigint[]> {
  const found: bigint[] = [];
  while (found.length < count) {
    const { messages } = await stream.take();
    found.push(...messages.map(({ offset }) => offset));
  }
  return found;
}

async function deliveries(
  stream: MessageStream<{ readonly deliveries: readonly { readonly messageId: string }[] }>,
  count: number,
): Promise<Set<string>> {
  const found = new Set<string>();
  while (found.size < count) {
    for (const { messageId } of (await stream.take()).deliveries) found.add(messageId);
  }
  return found;
}

/** Reads a watch to the last change, or to its end. */
async function watched(
  stream: MessageStream<{ readonly events: readonly { readonly key: string }[] }>,
): Promise<'all' | 'compacted'> {
  let next = 0;
  try {
    while (next < MESSAGES) {
      for (const { key } of (await stream.take()).events) {
        // Those of one turn may come in any order of the calls, but each comes once.
        expect(Math.abs(Number(key.slice('watched/'.length)) - next)).toBeLessThan(CALLS_AT_ONCE);
        next++;
      }
    }
    return 'all';
  } catch (error) {
    if (!isReason(error, ErrorReason.COMPACTED)) throw error;
    return 'compacted';
  }
}
