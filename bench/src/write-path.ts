/**
 * The way of a write through the server without network and disk: frames in, result frames out. For profiling:
 *
 *   npx node --cpu-prof bench/src/write-path.ts set
 *
 * With `lmdb` behind the kind the store is on disk, and the thread that writes it counts too.
 * Prints microseconds of CPU an operation for batches of 1000 calls on 100,000 random keys.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { SlotRouter } from '../../server/src/cluster/slot-map.ts';
import { KVServiceGetRequestSchema, KVServiceSetRequestSchema } from '../../server/src/gen/gomsg/v1/kv_pb.js';
import { PipelineServiceExecuteRequestSchema } from '../../server/src/gen/gomsg/v1/pipeline_pb.js';
import { QueueServicePushRequestSchema } from '../../server/src/gen/gomsg/v1/queue_pb.js';
import { StreamServicePublishRequestSchema } from '../../server/src/gen/gomsg/v1/stream_pb.js';
import { GroupHost } from '../../server/src/groups/host.ts';
import { MemoryLog } from '../../server/src/groups/memory-log.ts';
import { NodeMetrics } from '../../server/src/observe/node-metrics.ts';
import { kvMethods } from '../../server/src/services/kv-service.ts';
import type { DuplexStream } from '../../server/src/services/method.ts';
import { queueMethods } from '../../server/src/services/queue-service.ts';
import { streamServer } from '../../server/src/services/stream-service.ts';
import { defaultTopicSettings } from '../../server/src/state/stream/topic.ts';
import { openLmdbStore } from '../../server/src/storage/lmdb-store.ts';
import { openMemoryStore } from '../../server/src/storage/memory-store.ts';
import { InFlight } from '../../server/src/transport/interceptors/in-flight.ts';
import { pipelineMethod } from '../../server/src/transport/pipeline/pipeline.ts';

const CALLS = 1000;
const KEYS = 100_000;
const SECONDS = 4;
const limits = {
  maxKeyBytes: 1024,
  maxValueBytes: 4 << 20,
  maxMessageBytes: 4 << 20,
  maxFrameBytes: 16 << 20,
};

const payload = Buffer.alloc(64, 'x');
const randomKey = (): string => `key-${Math.floor(Math.random() * KEYS)}`;
const calls: Record<string, () => { method: number; payload: Uint8Array }> = {
  set: () => ({
    method: 101,
    payload: toBinary(
      KVServiceSetRequestSchema,
      create(KVServiceSetRequestSchema, { key: randomKey(), value: payload }),
    ),
  }),
  get: () => ({
    method: 102,
    payload: toBinary(KVServiceGetRequestSchema, create(KVServiceGetRequestSchema, { key: randomKey() })),
  }),
  push: () => ({
    method: 203,
    payload: toBinary(
      QueueServicePushRequestSchema,
      create(QueueServicePushRequestSchema, { queue: 'jobs', payload }),
    ),
  }),
  publish: () => ({
    method: 303,
    payload: toBinary(
      StreamServicePublishRequestSchema,
      create(StreamServicePublishRequestSchema, { topic: 'events', payload }),
    ),
  }),
};

const kind = process.argv[2] ?? 'set';
const make = calls[kind];
if (make === undefined) throw new Error(`no call ${kind}; there are ${Object.keys(calls).join(', ')}`);
// Few frames, used in turn: making them is not to be measured.
const frames = Array.from({ length: 200 }, (_, frame) =>
  toBinary(
    PipelineServiceExecuteRequestSchema,
    create(PipelineServiceExecuteRequestSchema, {
      sessionId: 5n << 22n,
      calls: Array.from({ length: CALLS }, (_, i) => ({ callId: frame * CALLS + i, ...make() })),
    }),
  ),
);

const folder = mkdtempSync(join(tmpdir(), 'gomsg-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const fail = (error: unknown): never => {
  throw error;
};
const store = process.argv[3] === 'lmdb' ? await openLmdbStore(folder, { onFatal: fail }) : openMemoryStore();
const metrics = new NodeMetrics();
const host = new GroupHost({
  log: new MemoryLog(),
  store,
  metrics,
  clock: Date.now,
  monotonic: () => performance.now(),
  random: Math.random,
  sessionIdleTimeout_ms: 3_600_000,
  node: { nodeId: 'bench', address: '' },
  onFatal: fail,
  reportBug: fail,
});
host.add(1);
await host.start();
const router = new SlotRouter(host.groups);
const streams = streamServer({
  router,
  limits,
  topicDefaults: defaultTopicSettings,
  nodes: { self: 'bench', leaderOf: () => 'bench' },
});
const method = pipelineMethod(
  [...kvMethods({ router, limits }), ...queueMethods({ router, limits }), ...streams.methods],
  {
    inFlight: new InFlight({ maxBytes: 1 << 30, maxBytesPerClient: 1 << 30 }, metrics.transport),
    metrics: metrics.rpc,
    batchCalls: metrics.transport.pipelineBatchCalls,
    reportBug: (error) => {
      throw error;
    },
  },
);

let take: (message: Uint8Array) => void = () => {};
let written: () => void = () => {};
const stream: DuplexStream = {
  onMessage: (listener) => {
    take = listener;
  },
  onEnd: () => {},
  onDraining: () => {},
  onClose: () => {},
  pause: () => {},
  resume: () => {},
  write: () => {
    written();
    return true;
  },
  onDrain: () => {},
  end: (error) => {
    throw new Error(error?.message);
  },
};
method.handle(stream, {
  protocol: 'grpc',
  peer: 'bench',
  deadline_ms: undefined,
  signal: new AbortController().signal,
  header: () => undefined,
  session: undefined,
});

let turn = 0;
const oneFrame = (): Promise<void> =>
  new Promise((resolve) => {
    written = resolve;
    take(frames[turn++ % frames.length]!);
  });
for (let i = 0; i < 300; i++) await oneFrame();
const cpu = process.cpuUsage();
const began = performance.now();
let operations = 0;
while (performance.now() - began < SECONDS * 1000) {
  await oneFrame();
  operations += CALLS;
}
const used = process.cpuUsage(cpu);
console.log(
  `${kind}: ${((used.user + used.system) / operations).toFixed(2)} µs of CPU an operation, ${operations} operations`,
);
process.exit(0);
