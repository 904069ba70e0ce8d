/** The commands that add messages: Push and PushBatch. */
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type {
  QueueMessage,
  QueueServicePushBatchRequest,
  QueueServicePushRequest,
} from '../../gen/gomsg/v1/queue_pb.js';
import { durationToMs } from '../durations.ts';
import type { Failure, Outcome } from '../failure.ts';
import type { ApplyContext } from '../machine.ts';
import { messageSize, writeBody } from './body.ts';
import { rememberedSequence, rememberSequence } from './dedup.ts';
import type { QueueParts } from './parts.ts';
import { Queue } from './queue.ts';
import { pushBatchResponse, pushResponse } from './responses.ts';

/** What Push and PushBatch say of a message. */
type Pushed = Pick<QueueMessage, 'payload' | 'delay' | 'priority' | 'headers' | 'dedupId'>;

export function push(parts: QueueParts, request: QueueServicePushRequest, context: ApplyContext): Outcome {
  const { stamp_ms } = context;
  const queue = parts.queues.ensure(request.queue, stamp_ms);
  if (!(queue instanceof Queue)) return queue;
  if (request.dedupId !== '') {
    const known = rememberedSequence(parts.store, queue, request.dedupId, stamp_ms);
    if (known !== undefined) return pushResponse(parts.writer, queue.name, known, true);
  }
  const size = messageSize(request.payload, request.headers);
  const full = fullFailure(queue, 1, size);
  if (full) return full;
  const sequence = add(parts, queue, request, size, stamp_ms);
  parts.queues.changed(queue);
  return pushResponse(parts.writer, queue.name, sequence, false);
}

export function pushBatch(
  parts: QueueParts,
  request: QueueServicePushBatchRequest,
  context: ApplyContext,
): Outcome {
  const { stamp_ms } = context;
  const queue = parts.queues.ensure(request.queue, stamp_ms);
  if (!(queue instanceof Queue)) return queue;
  const { messages } = request;
  // All or none: what is new is counted before anything is added.
  const known = messages.map(({ dedupId }) =>
    dedupId === '' ? undefined : rememberedSequence(parts.store, queue, dedupId, stamp_ms),
  );
  const remembers = queue.settings.dedupWindow_ms > 0;
  const sizes = messages.map(({ payload, headers }) => messageSize(payload, headers));
  const inBatch = new Set<string>();
  let added = 0;
  let addedBytes = 0;
  for (const [i, { dedupId }] of messages.entries()) {
    if (known[i] !== undefined || inBatch.has(dedupId)) continue;
    if (dedupId !== '' && remembers) inBatch.add(dedupId);
    added++;
    addedBytes += sizes[i]!;
  }
  const full = fullFailure(queue, added, addedBytes);
  if (full) return full;
  const sequences: number[] = [];
  const firsts = new Map<string, number>();
  for (const [i, message] of messages.entries()) {
    const sequence =
      known[i] ?? firsts.get(message.dedupId) ?? add(parts, queue, message, sizes[i]!, stamp_ms);
    if (inBatch.has(message.dedupId)) firsts.set(message.dedupId, sequence);
    sequences.push(sequence);
  }
  parts.queues.changed(queue);
  return pushBatchResponse(parts.writer, queue.name, sequences);
}

function add(
  { store, queues, messages, writer }: QueueParts,
  queue: Queue,
  message: Pushed,
  size: number,
  stamp_ms: number,
): number {
  const sequence = queues.takeSequence();
  const { priority, dedupId } = message;
  messages.insertBody(
    queue,
    sequence,
    writeBody(writer, message.payload, message.headers, priority, stamp_ms),
  );
  const delay_ms = message.delay ? durationToMs(message.delay) : 0;
  if (delay_ms > 0) messages.enterDelayed(queue, sequence, priority, size, 0, 0, stamp_ms + delay_ms);
  else messages.enterReady(queue, sequence, priority, size, 0, 0, stamp_ms);
  queue.pushedTotal++;
  if (dedupId !== '') rememberSequence(store, writer, queue, dedupId, sequence, stamp_ms);
  return sequence;
}

function fullFailure(queue: Queue, messages: number, bytes: number): Failure | undefined {
  const { maxMessages, maxBytes } = queue.settings;
  if (messages === 0) return undefined;
  if (maxMessages > 0 && queue.messages + messages > maxMessages) {
    return full(queue, `${queue.messages} messages, and its limit is ${maxMessages}`);
  }
  if (maxBytes > 0 && queue.bytes + bytes > maxBytes) {
    return full(queue, `${queue.bytes} bytes, its limit is ${maxBytes}, and the call would add ${bytes}`);
  }
  return undefined;
}

function full(queue: Queue, has: string): Failure {
  return {
    reason: ErrorReason.QUEUE_FULL,
    subject: queue.name,
    message: `queue ${queue.name} is full: it has ${has}`,
  };
}
