/**
 * What the stream machine costs: microseconds of CPU a message, publishing commands as they come out of the log, and
 * reading what was published, over the LMDB store with its overlay written out as it fills, or in memory.
 *
 *     npx node bench/src/stream-machine.ts [--store lmdb|memory] [--messages 1000000] [--bytes 128] [--directory <folder>]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  StreamServiceAckRequestSchema,
  StreamServiceCreateRequestSchema,
  StreamServicePublishBatchRequestSchema,
  StreamServicePublishRequestSchema,
  StreamServiceSeekRequestSchema,
} from '../../server/src/gen/gomsg/v1/stream_pb.js';
import { isFailure } from '../../server/src/state/failure.ts';
import { streamMethod } from '../../server/src/state/stream/method-numbers.ts';
import { MessageChunks } from '../../server/src/state/stream/partition-reader.ts';
import { StreamMachine } from '../../server/src/state/stream/stream-machine.ts';
import { openLmdbStore } from '../../server/src/storage/lmdb-store.ts';
import { openMemoryStore } from '../../server/src/storage/memory-store.ts';

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'lmdb' },
    messages: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '128' },
    directory: { type: 'string' },
  },
});
const messages = Number(values.messages);
const payload = new Uint8Array(Number(values.bytes)).fill(7);

const directory = fs.mkdtempSync(path.join(values.directory ?? os.tmpdir(), 'gomsg-stream-'));
const store =
  values.store === 'memory'
    ? openMemoryStore({ maxBytes: 8 * 1024 ** 3 })
    : await openLmdbStore(directory, {
        onFatal: (error) => {
          throw error;
        },
      });
const machine = new StreamMachine(store, 1);
machine.load();

let index = 0;
let stamp_ms = Date.now();

/** Applies the same command `count` times as one entry. */
function entry(method: number, command: Uint8Array, count: number): void {
  const context = { index: ++index, stamp_ms: ++stamp_ms };
  for (let i = 0; i < count; i++) {
    const outcome = machine.apply({ method, payload: command, request: undefined }, context);
    if (isFailure(outcome)) throw new Error(outcome.message);
  }
  machine.endEntry();
}

/** Lets the store write out what it wants to, as the server does between turns. */
async function breathe(): Promise<void> {
  if (store.shouldCheckpoint) {
    machine.save();
    void store.checkpoint();
  }
  await new Promise((resolve) => setImmediate(resolve));
  while (store.blocked) await new Promise((resolve) => setImmediate(resolve));
}

/** Times `act`, called until it has done `total`; the store's own writing in between is not counted. */
async function timed(name: string, total: number, act: (done: number) => number): Promise<void> {
  let spent_ms = 0;
  let done = 0;
  while (done < total) {
    const before = performance.now();
    done += act(done);
    spent_ms += performance.now() - before;
    await breathe();
  }
  const each_us = (spent_ms * 1000) / done;
  console.log(`${name.padEnd(46)} ${each_us.toFixed(3)} µs, ${Math.round(1e6 / each_us)} a second`);
}

function publishing(topic: string, key = '', headers: Record<string, string> = {}): Uint8Array {
  const request = create(StreamServicePublishRequestSchema, { topic, payload, key, headers });
  return toBinary(StreamServicePublishRequestSchema, request);
}

function publish(command: Uint8Array, perEntry: number): () => number {
  return () => {
    entry(streamMethod.publish, command, perEntry);
    return perEntry;
  };
}

function readAll(topic: string, perRead: number): Promise<void> {
  const reader = machine.reader();
  const partition = machine.topic(topic)!.partitions[0]!;
  let next = partition.startOffset;
  return timed(`read ${topic}, ${perRead} at a time`, partition.endOffset - next, () => {
    const into = new MessageChunks(perRead, 1024 * 1024);
    const before = next;
    next = reader.read(partition, next, into);
    into.joined();
    return next - before;
  });
}

try {
  console.log(`${messages} messages of ${payload.length} bytes, ${values.store} store; CPU a message`);
  const create16 = toBinary(
    StreamServiceCreateRequestSchema,
    create(StreamServiceCreateRequestSchema, { topic: 'wide', settings: { partitions: 16 } }),
  );
  entry(streamMethod.create, create16, 1);
  await timed('(warming up)', messages / 5, publish(publishing('warm'), 1000));
  await timed('publish, 1000 an entry', messages, publish(publishing('events'), 1000));
  await timed('publish, 50 an entry', messages, publish(publishing('fifties'), 50));
  await timed('publish, 1 an entry', messages / 10, publish(publishing('singles'), 1));
  const rich = publishing('rich', 'user:123456', { origin: 'bench', 'content-type': 'text/plain' });
  await timed('publish with key and 2 headers, 1000 an entry', messages, publish(rich, 1000));
  await timed('publish to 16 partitions, 1000 an entry', messages, publish(publishing('wide'), 1000));
  const batch = toBinary(
    StreamServicePublishBatchRequestSchema,
    create(StreamServicePublishBatchRequestSchema, {
      topic: 'batches',
      messages: Array.from({ length: 1000 }, () => ({ payload })),
    }),
  );
  await timed('publish in batches of 1000', messages, () => {
    entry(streamMethod.publishBatch, batch, 1);
    return 1000;
  });
  await readAll('events', 10_000);
  await readAll('events', 100);
  await readAll('fifties', 1000);
  await readAll('singles', 1000);

  const seek = create(StreamServiceSeekRequestSchema, {
    topic: 'events',
    consumer: 'c',
    position: { position: { case: 'earliest', value: true } },
  });
  entry(streamMethod.seek, toBinary(StreamServiceSeekRequestSchema, seek), 1);
  await timed('acknowledge, 1000 an entry', messages, (done) => {
    const context = { index: ++index, stamp_ms };
    for (let i = 0; i < 1000; i++) {
      const request = create(StreamServiceAckRequestSchema, {
        topic: 'events',
        consumer: 'c',
        offset: BigInt(done + i),
      });
      machine.apply({ method: streamMethod.ack, payload: new Uint8Array(), request }, context);
    }
    machine.endEntry();
    return 1000;
  });
  const partition = machine.topic('singles')!.partitions[0]!;
  await timed('find an offset by time', 10_000, (done) => {
    machine.offsetAtTime(partition, partition.firstStamp_ms + ((done * 7919) % (messages / 10)));
    return 1;
  });
} finally {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
}
