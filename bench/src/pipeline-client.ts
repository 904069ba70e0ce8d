/**
 * What the Node client costs by itself: calls a second, and µs of its thread's CPU a call with all encoding, against
 * a server in another thread that answers at once. Run with `npx node bench/src/pipeline-client.ts`.
 */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  KVService,
  KVServiceGetResponseSchema,
  KVServiceSetResponseSchema,
} from '@gomsg/client/gen/gomsg/v1/kv_pb.js';
import { PipelineServiceOpenSessionResponseSchema } from '@gomsg/client/gen/gomsg/v1/pipeline_pb.js';
import { PipelineClient } from '@gomsg/client/pipeline';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { ResultFrame, readFrame } from '../../server/src/transport/pipeline/frames.ts';

const ROUNDS = 3;
const ROUND_MS = 1_000;
const KEYS = 10_000;
const VALUE = Buffer.alloc(64, 'v');

if (isMainThread) await measureAll();
else serveInstantly();

/** Answers sets, gets and the opening of a session, each always with the same bytes. */
function serveInstantly(): void {
  const answers = new Map([
    [101, toBinary(KVServiceSetResponseSchema, create(KVServiceSetResponseSchema, { version: 123_456n }))],
    [
      102,
      toBinary(
        KVServiceGetResponseSchema,
        create(KVServiceGetResponseSchema, { value: VALUE, version: 123_456n }),
      ),
    ],
    [
      502,
      toBinary(
        PipelineServiceOpenSessionResponseSchema,
        create(PipelineServiceOpenSessionResponseSchema, { sessionId: 1n }),
      ),
    ],
  ]);
  const identity = (bytes: Buffer): Buffer => bytes;
  const server = new Server();
  server.addService(
    {
      execute: {
        path: '/gomsg.v1.PipelineService/Execute',
        requestStream: true,
        responseStream: true,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    },
    {
      execute: (stream: ServerDuplexStream<Buffer, Buffer>) => {
        const results = new ResultFrame();
        stream.on('data', (frame: Buffer) => {
          for (const { callId, method } of readFrame(frame, (_, callId, method) => ({ callId, method })))
            results.ok(callId, answers.get(method) ?? VALUE);
          const bytes = results.take();
          stream.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
        });
        stream.on('end', () => stream.end());
      },
    },
  );
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    parentPort?.postMessage(port);
  });
}

async function measureAll(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const client = new PipelineClient({ address: `127.0.0.1:${port}` });
  const keys = Array.from({ length: KEYS }, (_, i) => `user:${i}:profile`);
  for (const width of [1, 50, 1000]) {
    await measure(`set, ${width} in flight`, width, (i) =>
      client.call(KVService.method.set, { key: keys[i % KEYS]!, value: VALUE }),
    );
    await measure(`get, ${width} in flight`, width, (i) =>
      client.call(KVService.method.get, { key: keys[i % KEYS]! }),
    );
  }
  await client.close();
  await worker.terminate();
}

/** Prints the best round: the first ones pay for compiling. */
async function measure(name: string, width: number, call: (i: number) => Promise<unknown>): Promise<void> {
  let best = { perSecond: 0, cpu_us: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const before = process.threadCpuUsage();
    let calls = 0;
    await Promise.all(
      Array.from({ length: width }, async () => {
        while (performance.now() - began < ROUND_MS) await call(calls++);
      }),
    );
    const { user, system } = process.threadCpuUsage(before);
    const perSecond = (calls / (performance.now() - began)) * 1000;
    if (perSecond > best.perSecond) best = { perSecond, cpu_us: (user + system) / calls };
  }
  const { perSecond, cpu_us } = best;
  console.log(
    `${name.padEnd(24)} ${Math.round(perSecond).toLocaleString('en').padStart(9)}/s ${cpu_us.toFixed(2).padStart(8)} µs`,
  );
}
