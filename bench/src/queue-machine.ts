/**
 * What the queue machine costs: microseconds of CPU a command, commands as the leader gets them (decoded already), over
 * the LMDB store with its overlay written out as it fills, or in memory.
 *
 *     npx node bench/src/queue-machine.ts [--store lmdb|memory] [--messages 300000] [--bytes 64] [--directory <folder>]
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { create, fromBinary, type Message } from '@bufbuild/protobuf';
import {
  QueueServiceAckRequestSchema,
  QueueServicePopRequestSchema,
  QueueServicePopResponseSchema,
  QueueServicePushRequestSchema,
} from '../../server/src/gen/gomsg/v1/queue_pb.js';
import { isFailure } from '../../server/src/state/failure.ts';
import { queueMethod } from '../../server/src/state/queue/method-numbers.ts';
import { QueueMachine } from '../../server/src/state/queue/queue-machine.ts';
import { openLmdbStore } from '../../server/src/storage/lmdb-store.ts';
import { openMemoryStore } from '../../server/src/storage/memory-store.ts';

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'lmdb' },
    messages: { type: 'string', default: '300000' },
    bytes: { type: 'string', default: '64' },
    directory: { type: 'string' },
  },
});
const messages = Number(values.messages);
const payload = new Uint8Array(Number(values.bytes)).fill(7);
/** Commands an entry, as under load. */
const COMMANDS_PER_ENTRY = 100;

const directory = fs.mkdtempSync(path.join(values.directory ?? os.tmpdir(), 'gomsg-queue-'));
const store =
  values.store === 'memory'
    ? openMemoryStore()
    : await openLmdbStore(directory, {
        onFatal: (error) => {
          throw error;
        },
      });
const machine = new QueueMachine(store, 1);
machine.load();

const empty = new Uint8Array();
const pushRequest = create(QueueServicePushRequestSchema, { queue: 'jobs', payload });
let index = 0;
let commands = 0;
const stamp_ms = Date.now();

function apply(method: number, request: Message): Uint8Array {
  const outcome = machine.apply({ method, payload: empty, request }, { index, stamp_ms });
  if (isFailure(outcome)) throw new Error(outcome.message);
  if (++commands % COMMANDS_PER_ENTRY === 0) {
    index++;
    machine.endEntry();
  }
  return outcome;
}

const popRequest = (maxMessages: number) =>
  create(QueueServicePopRequestSchema, { queue: 'jobs', maxMessages });

function idsOf(response: Uint8Array): string[] {
  return fromBinary(QueueServicePopResponseSchema, response).deliveries.map((one) => one.deliveryId);
}

/** Lets the store write out what it wants to, as the server does between turns. */
async function breathe(): Promise<void> {
  if (store.shouldCheckpoint) {
    machine.save();
    void store.checkpoint();
  }
  await new Promise((resolve) => setImmediate(resolve));
}

/** Times only what is inside `timed`. */
class Stopwatch {
  #spent_us = 0;
  #operations = 0;

  time<T>(operations: number, timed: () => T): T {
    const before = performance.now();
    const result = timed();
    this.#spent_us += (performance.now() - before) * 1000;
    this.#operations += operations;
    return result;
  }

  toString(): string {
    return `${(this.#spent_us / this.#operations).toFixed(2)} µs`;
  }
}

async function inSteps(total: number, step: number, act: () => void): Promise<void> {
  for (let done = 0; done < total; done += step) {
    act();
    await breathe();
  }
}

/** A queue that is kept short: every message is popped and acknowledged soon after it was pushed. */
async function shortQueue(perPop: number): Promise<string> {
  const [push, pop, ack] = [new Stopwatch(), new Stopwatch(), new Stopwatch()];
  const request = popRequest(perPop);
  await inSteps(messages, 1000, () => {
    push.time(1000, () => {
      for (let i = 0; i < 1000; i++) apply(queueMethod.push, pushRequest);
    });
    const responses = pop.time(1000, () => {
      const taken: Uint8Array[] = [];
      for (let i = 0; i < 1000; i += perPop) taken.push(apply(queueMethod.pop, request));
      return taken;
    });
    const acks = responses
      .flatMap(idsOf)
      .map((deliveryId) => create(QueueServiceAckRequestSchema, { deliveryId }));
    ack.time(1000, () => {
      for (const one of acks) apply(queueMethod.ack, one);
    });
  });
  return `push ${push}, pop ${pop}, ack ${ack}`;
}

/** A queue that builds up, and is emptied later. */
async function longQueue(): Promise<string> {
  const [push, pop, ack] = [new Stopwatch(), new Stopwatch(), new Stopwatch()];
  await inSteps(messages, 1000, () => {
    push.time(1000, () => {
      for (let i = 0; i < 1000; i++) apply(queueMethod.push, pushRequest);
    });
  });
  const request = popRequest(100);
  await inSteps(messages, 1000, () => {
    const responses = pop.time(1000, () => Array.from({ length: 10 }, () => apply(queueMethod.pop, request)));
    const acks = responses
      .flatMap(idsOf)
      .map((deliveryId) => create(QueueServiceAckRequestSchema, { deliveryId }));
    ack.time(acks.length, () => {
      for (const one of acks) apply(queueMethod.ack, one);
    });
  });
  return `push ${push}, pop ${pop}, ack ${ack}`;
}

try {
  console.log(`${messages} messages of ${payload.length} bytes, ${values.store} store; CPU a message`);
  await shortQueue(1);
  console.log(`short queue, one a pop:   ${await shortQueue(1)}`);
  console.log(`short queue, 100 a pop:   ${await shortQueue(100)}`);
  console.log(`long queue, 100 a pop:    ${await longQueue()}`);
} finally {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
}
