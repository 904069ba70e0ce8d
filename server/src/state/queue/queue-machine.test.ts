import { getOption } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { method as methodOption } from '../../gen/gomsg/sdk/v1/options_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { MessageState, QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { msToDuration } from '../durations.ts';
import { queueMethod } from './method-numbers.ts';
import { EXPIRED_PER_RUN_MAX } from './queue-machine.ts';
import { WINDOWED_MESSAGES_MAX } from './queues.ts';
import { MachineDriver } from './testing/machine-driver.ts';

const rpc = QueueService.method;
const text = (value: string) => new TextEncoder().encode(value);
const SECOND_MS = 1000;
const MIB = 1024 * 1024;

function pushMany(driver: MachineDriver, queue: string, count: number) {
  const messages = Array.from({ length: count }, (_, i) => ({ payload: text(String(i)) }));
  return driver.call(rpc.pushBatch, { queue, messages }).messageIds;
}

function popAll(driver: MachineDriver, queue: string, count = Infinity) {
  const taken = [];
  while (taken.length < count) {
    const maxMessages = Math.min(1000, count - taken.length);
    const { deliveries } = driver.call(rpc.pop, { queue, maxMessages });
    if (deliveries.length === 0) break;
    taken.push(...deliveries);
  }
  return taken;
}

const bodies = (driver: MachineDriver) => [...driver.store.rows.keys()].filter((key) => key[8] === 'b');

test('the commands have the numbers of their rpcs', () => {
  for (const [name, number] of Object.entries(queueMethod)) {
    expect(getOption(rpc[name as keyof typeof queueMethod], methodOption).number).toBe(number);
  }
});

test('a delivery carries what was pushed: any bytes, any text in headers, the longest name', () => {
  const driver = new MachineDriver();
  const queue = 'q'.repeat(255);
  const payload = Uint8Array.from({ length: 70_000 }, (_, i) => i & 0xff);
  const headers = { 'content-type': 'application/octet-stream', имя: '☃ 🎉', leer: '', '7': 'seven' };
  driver.call(rpc.push, { queue, payload, headers, priority: 200 });
  const [delivery] = popAll(driver, queue);
  expect(delivery).toMatchObject({
    deliveryId: `${queue}#1.1`,
    messageId: `${queue}#1`,
    queue,
    headers,
    priority: 200,
    attempt: 1,
  });
  expect(Buffer.compare(delivery!.payload, payload)).toBe(0);
  const headerBytes = Object.entries(headers).flat().join('');
  driver.call(rpc.nack, { deliveryId: delivery!.deliveryId });
  expect(driver.machine.stats(queue, driver.now_ms)!.bytes).toBe(
    BigInt(payload.length + Buffer.byteLength(headerBytes)),
  );
});

test('an empty message is a message', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q' });
  expect(popAll(driver, 'q')).toMatchObject([{ payload: new Uint8Array(), headers: {}, priority: 0 }]);
});

test('messages come by priority, then in the order of their push, also after a retry', () => {
  const driver = new MachineDriver();
  for (const priority of [0, 5, 255, 5, 0]) driver.call(rpc.push, { queue: 'q', priority });
  const [first] = popAll(driver, 'q', 1);
  expect(first!.messageId).toBe('q#3');
  driver.call(rpc.nack, { deliveryId: first!.deliveryId });
  const ids = popAll(driver, 'q').map(({ messageId }) => messageId);
  expect(ids).toEqual(['q#3', 'q#2', 'q#4', 'q#1', 'q#5']);
});

test('a pop stops before its answer grows past 4 MiB, and takes a large message alone', () => {
  const driver = new MachineDriver();
  const large = new Uint8Array(4 * MIB);
  const small = new Uint8Array(1.5 * MIB);
  for (const payload of [small, small, small, large, small]) driver.call(rpc.push, { queue: 'q', payload });
  const taken = () => driver.call(rpc.pop, { queue: 'q', maxMessages: 10 }).deliveries.length;
  expect([taken(), taken(), taken(), taken()]).toEqual([2, 1, 1, 1]);
});

test('a pop takes at most 1,000 messages, and one when it does not say', () => {
  const driver = new MachineDriver();
  pushMany(driver, 'q', 1500);
  expect(driver.call(rpc.pop, { queue: 'q', maxMessages: 5000 }).deliveries.length).toBe(1000);
  expect(driver.call(rpc.pop, { queue: 'q' }).deliveries.length).toBe(1);
});

test('a pop of an unknown queue makes it', () => {
  const driver = new MachineDriver();
  expect(driver.call(rpc.pop, { queue: 'q' }).deliveries).toEqual([]);
  expect(driver.machine.readyMessages('q')).toBe(0);
});

test('a lease that ran out is no longer settled, even before anybody took note of it', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q' });
  const { deliveryId } = popAll(driver, 'q')[0]!;
  driver.now_ms += 30 * SECOND_MS;
  const notFound = { reason: ErrorReason.DELIVERY_NOT_FOUND };
  expect(driver.try(rpc.ack, { deliveryId })).toMatchObject(notFound);
  expect(driver.try(rpc.nack, { deliveryId })).toMatchObject(notFound);
  expect(driver.try(rpc.extend, { deliveryId })).toMatchObject(notFound);
  expect(popAll(driver, 'q')).toMatchObject([{ deliveryId: 'q#1.2', attempt: 2 }]);
});

test('retries back off twice as long each time, up to the maximum, and then the message is dead', () => {
  const driver = new MachineDriver();
  const settings = {
    retryBackoff: msToDuration(SECOND_MS),
    retryBackoffMax: msToDuration(3 * SECOND_MS),
    maxDeliveries: 4,
  };
  driver.call(rpc.create, { queue: 'q', settings });
  driver.call(rpc.push, { queue: 'q' });
  const waits: number[] = [];
  for (;;) {
    const [delivery] = popAll(driver, 'q');
    const { state } = driver.call(rpc.nack, { deliveryId: delivery!.deliveryId, error: 'no disk' });
    if (state === MessageState.DEAD) break;
    const before_ms = driver.now_ms;
    waits.push(driver.machine.nextDue_ms()! - before_ms);
    driver.advance(waits.at(-1)!);
  }
  expect(waits).toEqual([1000, 2000, 3000]);
  const dead = driver.machine.peek('q', MessageState.DEAD, undefined, 10, driver.now_ms);
  expect(dead!.messages).toMatchObject([{ error: 'no disk', deliveries: 4 }]);
});

test('a redriven message counts its deliveries from zero, and its delivery ids go on', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q' });
  const [first] = popAll(driver, 'q');
  driver.call(rpc.nack, { deliveryId: first!.deliveryId, deadLetter: true });
  expect(driver.call(rpc.redrive, { queue: 'q' }).redriven).toBe(1n);
  expect(popAll(driver, 'q')).toMatchObject([{ deliveryId: 'q#1.2', attempt: 1 }]);
  expect(driver.try(rpc.ack, { deliveryId: 'q#1.1' })).toMatchObject({
    reason: ErrorReason.DELIVERY_NOT_FOUND,
  });
});

test('an old delivery id settles nothing in a queue that was deleted and made again', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q' });
  const [old] = popAll(driver, 'q');
  driver.call(rpc.delete, { queue: 'q' });
  driver.call(rpc.push, { queue: 'q' });
  const [fresh] = popAll(driver, 'q');
  expect(fresh!.messageId).toBe('q#2');
  expect(driver.try(rpc.ack, { deliveryId: old!.deliveryId })).toMatchObject({
    reason: ErrorReason.DELIVERY_NOT_FOUND,
  });
  expect(driver.machine.stats('q', driver.now_ms)).toMatchObject({ inFlight: 1n, pushedTotal: 1n });
});

test('the message ttl runs only while a message is ready', () => {
  const driver = new MachineDriver();
  driver.call(rpc.create, { queue: 'q', settings: { messageTtl: msToDuration(SECOND_MS) } });
  driver.call(rpc.push, { queue: 'q', delay: msToDuration(10 * SECOND_MS) });
  driver.advance(10 * SECOND_MS);
  const [delivery] = popAll(driver, 'q');
  driver.advance(20 * SECOND_MS);
  driver.call(rpc.nack, { deliveryId: delivery!.deliveryId });
  driver.advance(SECOND_MS - 1);
  expect(driver.machine.readyMessages('q')).toBe(1);
  driver.advance(1);
  expect(driver.machine.stats('q', driver.now_ms)).toMatchObject({ ready: 0n, expiredTotal: 1n, bytes: 0n });
});

test('a dedup id pushed again after its window is remembered for a whole window more', () => {
  const driver = new MachineDriver();
  const push = () => driver.call(rpc.push, { queue: 'q', dedupId: 'order-7' });
  expect(push()).toMatchObject({ messageId: 'q#1', deduplicated: false });
  driver.now_ms += 300 * SECOND_MS;
  expect(push()).toMatchObject({ messageId: 'q#2', deduplicated: false });
  driver.expireDue();
  expect(push()).toMatchObject({ messageId: 'q#2', deduplicated: true });
});

test('a dedup id is remembered beyond the ack of its message, and beyond a purge', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q', dedupId: 'order-7' });
  driver.call(rpc.ack, { deliveryId: popAll(driver, 'q')[0]!.deliveryId });
  driver.call(rpc.purge, { queue: 'q' });
  expect(driver.call(rpc.push, { queue: 'q', dedupId: 'order-7' }).deduplicated).toBe(true);
  driver.advance(300 * SECOND_MS);
  expect(driver.call(rpc.push, { queue: 'q', dedupId: 'order-7' }).messageId).toBe('q#2');
});

test('a batch is added whole or not at all, and its own duplicates count once', () => {
  const driver = new MachineDriver();
  driver.call(rpc.create, { queue: 'q', settings: { maxMessages: 3n } });
  const message = (dedupId = '') => ({ payload: text('x'), dedupId });
  const tooMany = { queue: 'q', messages: [message(), message(), message('a'), message('b')] };
  expect(driver.try(rpc.pushBatch, tooMany)).toMatchObject({ reason: ErrorReason.QUEUE_FULL });
  expect(driver.machine.readyMessages('q')).toBe(0);
  const fits = { queue: 'q', messages: [message(), message('a'), message('a'), message()] };
  expect(driver.call(rpc.pushBatch, fits).messageIds).toEqual(['q#1', 'q#2', 'q#2', 'q#3']);
  expect(driver.try(rpc.push, { queue: 'q', payload: text('x') })).toMatchObject({
    reason: ErrorReason.QUEUE_FULL,
    subject: 'q',
  });
  expect(driver.call(rpc.push, { queue: 'q', dedupId: 'a' }).deduplicated).toBe(true);
});

test('a purge of many messages is done at once, and its rows go in bounded steps', () => {
  const driver = new MachineDriver();
  pushMany(driver, 'q', 2500);
  const inFlight = popAll(driver, 'q', 10);
  expect(driver.call(rpc.purge, { queue: 'q', state: MessageState.READY }).purged).toBe(2490n);
  expect(driver.machine.stats('q', driver.now_ms)).toMatchObject({ ready: 0n, inFlight: 10n });
  pushMany(driver, 'q', 5);
  const sizes = [bodies(driver).length];
  expect(driver.machine.nextDue_ms()).toBeLessThanOrEqual(driver.now_ms);
  for (let more = true; more; sizes.push(bodies(driver).length)) {
    more = driver.expireDue();
    driver.restart();
  }
  expect(sizes).toEqual([2505, 1505, 505, 15]);
  expect(popAll(driver, 'q').length).toBe(5);
  for (const { deliveryId } of inFlight) driver.call(rpc.ack, { deliveryId });
});

test('a purge of all leaves no row of a message, also of a purge still under way', () => {
  const driver = new MachineDriver();
  pushMany(driver, 'q', 1100);
  popAll(driver, 'q', 50);
  driver.call(rpc.purge, { queue: 'q', state: MessageState.READY });
  driver.call(rpc.push, { queue: 'q' });
  expect(driver.call(rpc.purge, { queue: 'q' }).purged).toBe(51n);
  expect(driver.machine.nextDue_ms()).toBeUndefined();
  driver.machine.save();
  expect(driver.store.rows.size).toBe(2);
});

test('a redrive of many makes the first thousand ready at once and the others in bounded steps, but none that died later', () => {
  const driver = new MachineDriver();
  pushMany(driver, 'q', 2300);
  const taken = popAll(driver, 'q');
  const kill = (deliveryId: string) => driver.call(rpc.nack, { deliveryId, deadLetter: true });
  for (const { deliveryId } of taken.slice(0, 2250)) kill(deliveryId);
  driver.now_ms++;
  expect(driver.call(rpc.redrive, { queue: 'q' }).redriven).toBe(2250n);
  expect(driver.machine.readyMessages('q')).toBe(1000);
  for (const { deliveryId } of taken.slice(2250)) kill(deliveryId);
  expect(driver.call(rpc.redrive, { queue: 'q', limit: 10 }).redriven).toBe(10n);
  driver.restart();
  const ready = [driver.machine.readyMessages('q')];
  while (driver.expireDue()) ready.push(driver.machine.readyMessages('q'));
  expect(ready).toEqual([2000]);
  expect(driver.machine.stats('q', driver.now_ms)).toMatchObject({ ready: 2260n, dead: 40n });
});

test('leases that end together are taken back in bounded steps', () => {
  const driver = new MachineDriver();
  pushMany(driver, 'q', 2500);
  popAll(driver, 'q');
  driver.now_ms += 30 * SECOND_MS;
  const ready = [];
  for (let more = true; more; ready.push(driver.machine.readyMessages('q'))) more = driver.expireDue();
  expect(ready).toEqual([EXPIRED_PER_RUN_MAX, 2 * EXPIRED_PER_RUN_MAX, 2500]);
  expect(driver.machine.nextDue_ms()).toBeUndefined();
});

test('a pop finds the live message behind more expired ones than it may remove of what is due', () => {
  const driver = new MachineDriver();
  driver.call(rpc.create, { queue: 'q', settings: { messageTtl: msToDuration(SECOND_MS) } });
  pushMany(driver, 'q', 1500);
  driver.now_ms += SECOND_MS;
  driver.call(rpc.push, { queue: 'q', payload: text('live') });
  expect(popAll(driver, 'q', 1)).toMatchObject([{ payload: text('live') }]);
  expect(driver.machine.stats('q', driver.now_ms)).toMatchObject({ ready: 0n, expiredTotal: 1500n });
});

test('an acknowledged delivery leaves nothing to wake up for', () => {
  const driver = new MachineDriver();
  driver.call(rpc.push, { queue: 'q' });
  const [delivery] = popAll(driver, 'q');
  expect(driver.machine.nextDue_ms()).toBe(driver.now_ms + 30 * SECOND_MS);
  driver.call(rpc.ack, { deliveryId: delivery!.deliveryId });
  expect(driver.machine.nextDue_ms()).toBeUndefined();
});

test('the listener hears of ready messages once an entry, and of every delivery that ends', () => {
  const driver = new MachineDriver();
  const heard: string[] = [];
  driver.machine.listener = {
    ready: (queue) => heard.push(`ready ${queue}`),
    ended: (queue, sequence, delivery) => heard.push(`ended ${queue}#${sequence}.${delivery}`),
    allEnded: (queue) => heard.push(`all ended ${queue}`),
  };
  const heardOf = (act: () => unknown) => {
    heard.length = 0;
    act();
    return [...heard];
  };
  expect(heardOf(() => pushMany(driver, 'q', 3))).toEqual(['ready q']);
  expect(heardOf(() => driver.call(rpc.push, { queue: 'q', delay: msToDuration(SECOND_MS) }))).toEqual([]);
  expect(heardOf(() => driver.advance(SECOND_MS))).toEqual(['ready q']);
  expect(heardOf(() => popAll(driver, 'q', 3))).toEqual([]);
  expect(heardOf(() => driver.call(rpc.ack, { deliveryId: 'q#1.1' }))).toEqual(['ended q#1.1']);
  expect(heardOf(() => driver.call(rpc.nack, { deliveryId: 'q#2.1' }))).toEqual(['ended q#2.1', 'ready q']);
  expect(heardOf(() => driver.advance(30 * SECOND_MS))).toEqual(['ended q#3.1', 'ready q']);
  popAll(driver, 'q');
  const state = MessageState.IN_FLIGHT;
  expect(heardOf(() => driver.call(rpc.purge, { queue: 'q', state }))).toEqual(['all ended q']);
  expect(heardOf(() => driver.call(rpc.delete, { queue: 'q' }))).toEqual(['all ended q']);
});

test('lists are by name, by prefix, and go on after a name', () => {
  const driver = new MachineDriver();
  for (const queue of ['b', 'a:2', 'a', 'a:1', 'a:10']) driver.call(rpc.create, { queue });
  const names = (prefix: string, after?: string, limit = 10) =>
    driver.machine.list(prefix, after, limit, driver.now_ms).map(({ queue }) => queue);
  expect(names('')).toEqual(['a', 'a:1', 'a:10', 'a:2', 'b']);
  expect(names('a:')).toEqual(['a:1', 'a:10', 'a:2']);
  expect(names('a', 'a:1', 1)).toEqual(['a:10']);
  driver.call(rpc.delete, { queue: 'a:10' });
  expect(names('a:')).toEqual(['a:1', 'a:2']);
});

test('a page of Peek ends at 4 MiB', () => {
  const driver = new MachineDriver();
  for (let i = 0; i < 4; i++) driver.call(rpc.push, { queue: 'q', payload: new Uint8Array(1.5 * MIB) });
  const first = driver.machine.peek('q', MessageState.READY, undefined, 100, driver.now_ms)!;
  expect(first.messages.length).toBe(2);
  const second = driver.machine.peek('q', MessageState.READY, first.next, 100, driver.now_ms)!;
  expect(second.messages.map(({ messageId }) => messageId)).toEqual(['q#3', 'q#4']);
  expect(second.next).toBeUndefined();
});

test('queues with more ready messages than are kept at hand still hand them out in order', () => {
  const driver = new MachineDriver();
  const queues = Array.from({ length: Math.ceil(WINDOWED_MESSAGES_MAX / 1000) + 1 }, (_, i) => `q${i}`);
  for (const queue of queues) pushMany(driver, queue, 1000);
  const first = popAll(driver, queues[0]!, 2);
  expect(first.map(({ messageId }) => messageId)).toEqual(['q0#1', 'q0#2']);
});
