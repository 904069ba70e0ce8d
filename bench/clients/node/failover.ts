/**
 * Work that goes on while nodes die, through the Node SDK: lanes that increment, push, settle, publish and read, with
 * the client's defaults. Prints a line of JSON for everything that a call or message told it; the driver judges.
 * "stop" on stdin ends what makes work, which a line "stopped" tells; the end of stdin ends the rest.
 * `node bench/clients/node/failover.ts --address host:port,host:port --name node --lanes 32 --pause-ms 50`
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect, GomsgError, type QueueMessage, type StreamMessage } from '@gomsg/client';

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: 'localhost:9000' },
    /** First part of all names. */
    name: { type: 'string', default: 'node' },
    lanes: { type: 'string', default: '32' },
    /** Between two calls of a lane that make work. */
    'pause-ms': { type: 'string', default: '50' },
  },
});

/** How long a pop waits for a message. */
const POP_SECONDS = 1;

type Kind = 'incr' | 'push' | 'settle' | 'publish' | 'deliver' | 'commit';

const client = connect(values.address);
const pause_ms = Number(values['pause-ms']);
let isProducing = true;
let over = false;

function tell(kind: Kind, lane: number, facts: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ kind, lane, at: Date.now(), ...facts })}\n`);
}

function failed(kind: Kind, lane: number, error: unknown, facts: Record<string, unknown> = {}): void {
  const reason = error instanceof GomsgError ? error.reasonName : 'NOT_OF_GOMSG';
  tell(kind, lane, { ...facts, ok: false, reason, text: String(error) });
}

/** Makes a call and tells what came of it. */
async function attempt(
  kind: Kind,
  lane: number,
  facts: Record<string, unknown>,
  call: () => Promise<Record<string, unknown>>,
): Promise<void> {
  try {
    tell(kind, lane, { ...facts, ok: true, ...(await call()) });
  } catch (error) {
    failed(kind, lane, error, facts);
  }
}

async function produce(call: (number: number) => Promise<void>): Promise<void> {
  for (let number = 1; isProducing; number += 1) {
    await call(number);
    await pause(pause_ms);
  }
}

const increments = (lane: number) =>
  produce(() =>
    attempt('incr', lane, {}, async () => ({ value: await client.kv.incr(`${values.name}-n-${lane}`) })),
  );

const pushes = (lane: number) =>
  produce((id) =>
    attempt('push', lane, { id }, async () => {
      await client.queue.push(`${values.name}-q-${lane}`, String(id));
      return {};
    }),
  );

const publishes = (lane: number) =>
  produce((id) =>
    attempt('publish', lane, { id }, async () => {
      await client.stream.publish(`${values.name}-t-${lane}`, String(id));
      return {};
    }),
  );

const settle = (lane: number, message: QueueMessage) =>
  attempt('settle', lane, { id: Number(message.data), message: message.messageId }, async () => {
    await message.ack();
    return {};
  });

async function pops(lane: number): Promise<void> {
  while (!over) {
    try {
      const message = await client.queue.popTimeout(`${values.name}-q-${lane}`, POP_SECONDS);
      if (message !== null) await settle(lane, message);
    } catch (error) {
      if (over) return;
      failed('settle', lane, error);
      await pause(pause_ms);
    }
  }
}

async function read(lane: number, message: StreamMessage): Promise<void> {
  const { offset } = message;
  tell('deliver', lane, { ok: true, id: Number(message.data), offset });
  if (lane % 2 === 0) {
    await attempt('commit', lane, { offset }, async () => {
      await message.ack();
      return {};
    });
  }
}

// Even lanes pop, and read as a group; odd ones consume, and read without a name.
const running: Promise<unknown>[] = [];
const producing: Promise<void>[] = [];
for (let lane = 0; lane < Number(values.lanes); lane += 1) {
  const queue = `${values.name}-q-${lane}`;
  const topic = `${values.name}-t-${lane}`;
  if (lane % 2 === 0) running.push(pops(lane));
  else
    watch(
      'settle',
      lane,
      client.queue.consume(queue, (message) => settle(lane, message)),
    );
  watch(
    'deliver',
    lane,
    lane % 2 === 0
      ? client.stream.subscribeGroup(topic, 'readers', (message) => read(lane, message))
      : client.stream.subscribe(topic, (message) => read(lane, message), { start: 'earliest' }),
  );
  producing.push(increments(lane), pushes(lane), publishes(lane));
}

/** A subscription that ends by itself is a failure that its user sees. */
function watch(kind: Kind, lane: number, subscription: { closed: Promise<unknown> }): void {
  running.push(
    subscription.closed.then((error) => {
      if (!over) failed(kind, lane, error ?? 'the subscription ended');
    }),
  );
}

async function stop(): Promise<void> {
  if (!isProducing) return;
  isProducing = false;
  await Promise.all(producing);
  process.stdout.write('stopped\n');
}

const orders = createInterface({ input: process.stdin });
orders.on('line', (line) => {
  if (line === 'stop') stop();
});
orders.once('close', async () => {
  over = true;
  await stop();
  await client.close();
  await Promise.all(running);
});
