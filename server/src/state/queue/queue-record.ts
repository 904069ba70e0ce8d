/** The stored form of a queue's settings and figures. */
import { ByteReader, type ByteWriter } from '../wire.ts';
import type { WindowBudget } from './head-window.ts';
import type { Layout } from './layout.ts';
import { Queue } from './queue.ts';

/** First byte of every record; a later layout gets another. */
const VERSION = 1;

/** A sequence of varints behind the version byte. Times that may be Infinity are stored plus one, Infinity as 0. */
export function writeQueueRecord(writer: ByteWriter, queue: Queue): Uint8Array {
  const { settings } = queue;
  writer.reset().u8(VERSION).varint(queue.number).varint(queue.created_ms);
  writer
    .varint(settings.lease_ms)
    .varint(settings.maxDeliveries)
    .varint(settings.retryBackoff_ms)
    .varint(settings.retryBackoffMax_ms)
    .varint(settings.messageTtl_ms)
    .varint(settings.deadLetterTtl_ms)
    .varint(settings.maxMessages)
    .varint(settings.maxBytes)
    .varint(settings.dedupWindow_ms);
  for (const table of queue.tables) {
    writer.varint(table.messages).varint(table.bytes).varint(table.generation);
    writeTime(writer, table.earliest_ms);
  }
  writeTime(writer, queue.dedupEarliest_ms);
  writer
    .varint(queue.redriving)
    .varint(queue.pushedTotal)
    .varint(queue.deliveredTotal)
    .varint(queue.ackedTotal)
    .varint(queue.returnedTotal)
    .varint(queue.deadTotal)
    .varint(queue.expiredTotal);
  return writer.view();
}

export function readQueueRecord(
  layout: Layout,
  budget: WindowBudget,
  name: string,
  value: Uint8Array,
): Queue {
  const reader = new ByteReader(value);
  const version = reader.u8();
  if (version !== VERSION) throw new Error(`queue ${name}: record version ${version} is not known`);
  const number = reader.varint();
  const created_ms = reader.varint();
  const settings = {
    lease_ms: reader.varint(),
    maxDeliveries: reader.varint(),
    retryBackoff_ms: reader.varint(),
    retryBackoffMax_ms: reader.varint(),
    messageTtl_ms: reader.varint(),
    deadLetterTtl_ms: reader.varint(),
    maxMessages: reader.varint(),
    maxBytes: reader.varint(),
    dedupWindow_ms: reader.varint(),
  };
  const queue = new Queue(layout, budget, name, number, created_ms, settings, false);
  for (const table of queue.tables) {
    table.messages = reader.varint();
    table.bytes = reader.varint();
    queue.setGeneration(table, reader.varint());
    table.earliest_ms = readTime(reader);
  }
  queue.dedupEarliest_ms = readTime(reader);
  queue.redriving = reader.varint();
  queue.pushedTotal = reader.varint();
  queue.deliveredTotal = reader.varint();
  queue.ackedTotal = reader.varint();
  queue.returnedTotal = reader.varint();
  queue.deadTotal = reader.varint();
  queue.expiredTotal = reader.varint();
  return queue;
}

function writeTime(writer: ByteWriter, time_ms: number): void {
  writer.varint(time_ms === Infinity ? 0 : time_ms + 1);
}

function readTime(reader: ByteReader): number {
  const stored = reader.varint();
  return stored === 0 ? Infinity : stored - 1;
}
