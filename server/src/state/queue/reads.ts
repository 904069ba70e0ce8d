/** What can be asked of queues without changing them. */
import { create, fromBinary } from '@bufbuild/protobuf';
import {
  MessageState,
  type PeekedMessage,
  PeekedMessageSchema,
  QueueDeliverySchema,
  type QueueStats,
  QueueStatsSchema,
} from '../../gen/gomsg/v1/queue_pb.js';
import { msToDuration, msToTimestamp } from '../durations.ts';
import { readU64Key } from '../keys.ts';
import { deliveryId, messageId } from './delivery-id.ts';
import { endOf, FIELDS_AT, SEQUENCE_AFTER_PRIORITY_AT, SEQUENCE_AFTER_TIME_AT } from './layout.ts';
import { readDeadState, readMessageState, type MessageState as State } from './message-state.ts';
import type { QueueParts } from './parts.ts';
import type { Queue } from './queue.ts';
import { settingsMessage } from './settings.ts';

/** Bytes of bodies after which a page of Peek ends. */
export const PEEK_BYTES_MAX = 4 * 1024 * 1024;

export interface PeekPage {
  readonly messages: PeekedMessage[];
  /** Position for the next page; undefined when this was the last. */
  readonly next: string | undefined;
}

/** One message on its way onto a page. */
interface Found {
  readonly sequence: number;
  readonly state: State;
  readonly due_ms: number | undefined;
  readonly error: string;
}

export function peek(
  parts: QueueParts,
  queue: Queue,
  of: MessageState,
  after: string | undefined,
  limit: number,
  now_ms: number,
): PeekPage {
  const prefix = indexPrefix(queue, of);
  const messages: PeekedMessage[] = [];
  let bytes = 0;
  let last: string | undefined;
  const from = after === undefined ? prefix : `${prefix}${after}\0`;
  for (const row of parts.store.range({ from, to: endOf(prefix) })) {
    const found = readRow(parts, queue, of, row.key, row.value);
    if (of === MessageState.READY && found.state.until_ms > 0 && found.state.until_ms <= now_ms) continue;
    if (messages.length === limit) return { messages, next: last };
    const body = parts.messages.body(queue, found.sequence);
    if (messages.length > 0 && bytes + body.length > PEEK_BYTES_MAX) return { messages, next: last };
    bytes += body.length;
    messages.push(peeked(queue, of, found, body));
    last = row.key.slice(FIELDS_AT);
  }
  return { messages, next: undefined };
}

function indexPrefix(queue: Queue, of: MessageState): string {
  switch (of) {
    case MessageState.DELAYED:
      return queue.delayed.prefix;
    case MessageState.IN_FLIGHT:
      return queue.leasePrefix;
    case MessageState.DEAD:
      return queue.dead.prefix;
    default:
      return queue.ready.prefix;
  }
}

function readRow(parts: QueueParts, queue: Queue, of: MessageState, key: string, value: Uint8Array): Found {
  if (of === MessageState.READY) {
    const sequence = readU64Key(key, SEQUENCE_AFTER_PRIORITY_AT);
    return { sequence, state: readMessageState(value), due_ms: undefined, error: '' };
  }
  const due_ms = readU64Key(key, FIELDS_AT);
  const sequence = readU64Key(key, SEQUENCE_AFTER_TIME_AT);
  if (of === MessageState.DEAD) return { sequence, due_ms, ...readDeadState(value) };
  if (of === MessageState.DELAYED) return { sequence, due_ms, state: readMessageState(value), error: '' };
  const state = parts.messages.stateAt(queue.inFlight.prefix + key.slice(SEQUENCE_AFTER_TIME_AT));
  if (!state) throw new Error(`message ${queue.name}#${sequence} has a lease and is not in flight`);
  return { sequence, due_ms, state, error: '' };
}

function peeked(queue: Queue, of: MessageState, found: Found, body: Uint8Array): PeekedMessage {
  const { sequence, state, due_ms, error } = found;
  const { payload, headers, priority, pushedAt } = fromBinary(QueueDeliverySchema, body);
  return create(PeekedMessageSchema, {
    messageId: messageId(queue.name, sequence),
    state: of,
    payload,
    headers,
    priority,
    deliveries: state.attempts,
    ...(pushedAt && { pushedAt }),
    ...(due_ms !== undefined && { dueAt: msToTimestamp(due_ms) }),
    ...(of === MessageState.IN_FLIGHT && {
      deliveryId: deliveryId(queue.name, sequence, state.deliveries),
    }),
    error,
  });
}

/** The figures of a queue; `consumers` is the service's to add. */
export function stats(parts: QueueParts, queue: Queue, now_ms: number): QueueStats {
  const oldest_ms = oldestReadyPush_ms(parts, queue);
  return create(QueueStatsSchema, {
    queue: queue.name,
    ready: BigInt(queue.ready.messages),
    delayed: BigInt(queue.delayed.messages),
    inFlight: BigInt(queue.inFlight.messages),
    dead: BigInt(queue.dead.messages),
    size: BigInt(
      queue.ready.messages + queue.delayed.messages + queue.inFlight.messages + queue.dead.messages,
    ),
    bytes: BigInt(queue.bytes),
    pushedTotal: BigInt(queue.pushedTotal),
    deliveredTotal: BigInt(queue.deliveredTotal),
    ackedTotal: BigInt(queue.ackedTotal),
    returnedTotal: BigInt(queue.returnedTotal),
    deadTotal: BigInt(queue.deadTotal),
    expiredTotal: BigInt(queue.expiredTotal),
    ...(oldest_ms !== undefined && { oldestReadyAge: msToDuration(Math.max(0, now_ms - oldest_ms)) }),
    settings: settingsMessage(queue.settings),
    createdAt: msToTimestamp(queue.created_ms),
  });
}

/**
 * When the oldest ready message was pushed. Sequences grow with time, so it is the smallest one; within a priority that
 * is the first row, and there are at most 256 priorities to hop over.
 */
function oldestReadyPush_ms(parts: QueueParts, queue: Queue): number | undefined {
  if (queue.ready.messages === 0) return undefined;
  const { prefix } = queue.ready;
  const to = endOf(prefix);
  let oldest = Infinity;
  for (let from = prefix; ; ) {
    const [row] = parts.store.range({ from, to, limit: 1, keysOnly: true });
    if (!row) break;
    oldest = Math.min(oldest, readU64Key(row.key, SEQUENCE_AFTER_PRIORITY_AT));
    const inverted = row.key.charCodeAt(FIELDS_AT);
    if (inverted === 255) break;
    from = prefix + String.fromCharCode(inverted + 1);
  }
  const { pushedAt } = fromBinary(QueueDeliverySchema, parts.messages.body(queue, oldest));
  return pushedAt && Number(pushedAt.seconds) * 1000 + pushedAt.nanos / 1e6;
}

/** Names that begin with `prefix` and come after `after`, in order. */
export function* queuesByName(
  { store, layout, queues }: QueueParts,
  prefix: string,
  after: string | undefined,
  limit: number,
): Iterable<Queue> {
  const first = layout.queueRecord(prefix);
  const from = after === undefined ? first : `${layout.queueRecord(after)}\0`;
  for (const { key } of store.range({ from, to: endOf(first), limit, keysOnly: true })) {
    const queue = queues.get(layout.nameOf(key));
    if (!queue) throw new Error(`queue ${layout.nameOf(key)} is stored and not known`);
    yield queue;
  }
}
