/** The commands around a delivery: Pop hands messages out, Ack, Nack, Extend and ReleaseDeliveries settle or keep them. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { ReleaseDeliveries } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  MessageState,
  type QueueServiceAckRequest,
  type QueueServiceExtendRequest,
  QueueServiceExtendResponseSchema,
  type QueueServiceNackRequest,
  QueueServiceNackResponseSchema,
  type QueueServicePopRequest,
} from '../../gen/gomsg/v1/queue_pb.js';
import { durationToMs, msToTimestamp } from '../durations.ts';
import type { Failure, Outcome } from '../failure.ts';
import { readU64Key } from '../keys.ts';
import type { ApplyContext } from '../machine.ts';
import { parseDeliveryId } from './delivery-id.ts';
import { SEQUENCE_AFTER_PRIORITY_AT } from './layout.ts';
import type { MessageState as State } from './message-state.ts';
import { deathReason } from './messages.ts';
import type { QueueParts } from './parts.ts';
import { Queue } from './queue.ts';
import { emptyResponse, writeDelivery } from './responses.ts';
import { retryBackoff_ms } from './settings.ts';

/** Most messages that one Pop takes. */
export const POP_MESSAGES_MAX = 1000;
/** A Pop takes no further message once its response would be larger. */
export const POP_BYTES_MAX = 4 * 1024 * 1024;
/** Most due items of its queue that a Pop does before it takes: what is left is for ExpireDue. */
export const DUE_PER_POP_MAX = 1000;
/** Bytes of a delivery beside its body and its queue's name (which it has three times), at most. */
const DELIVERY_OVERHEAD_BYTES = 128;

export function pop(parts: QueueParts, request: QueueServicePopRequest, context: ApplyContext): Outcome {
  const { queues, messages, writer } = parts;
  const { stamp_ms } = context;
  const queue = queues.ensure(request.queue, stamp_ms);
  if (!(queue instanceof Queue)) return queue;
  if (queue.due_ms <= stamp_ms) parts.due.run(queue, stamp_ms, DUE_PER_POP_MAX);
  const leaseEnd_ms = stamp_ms + (request.lease ? durationToMs(request.lease) : queue.settings.lease_ms);
  const wanted = Math.min(request.maxMessages || 1, POP_MESSAGES_MAX);
  const deliveryBytes = DELIVERY_OVERHEAD_BYTES + 3 * queue.name.length;
  const scan = parts.readyScan(queue);
  const { window } = queue;
  writer.reset();
  let expired = 0;
  for (let taken = 0; taken < wanted && window.first(scan); ) {
    const state = window.firstValue;
    const sequence = readU64Key(window.firstKey, SEQUENCE_AFTER_PRIORITY_AT);
    if (state.until_ms > 0 && state.until_ms <= stamp_ms) {
      // More had expired than the bounded run above removed.
      if (expired === DUE_PER_POP_MAX) break;
      messages.expireReadyFirst(queue, sequence, state);
      expired++;
      continue;
    }
    const body = messages.body(queue, sequence);
    if (taken > 0 && writer.length + body.length + deliveryBytes > POP_BYTES_MAX) break;
    messages.leaveReadyFirst(queue, sequence, state);
    messages.enterInFlight(queue, sequence, state, leaseEnd_ms);
    writeDelivery(writer, queue.name, sequence, state.deliveries + 1, state.attempts + 1, leaseEnd_ms, body);
    taken++;
  }
  queues.changed(queue);
  return writer.length === 0 ? emptyResponse : writer.copy();
}

export function ack(parts: QueueParts, request: QueueServiceAckRequest, context: ApplyContext): Outcome {
  const found = find(parts, request.deliveryId, context.stamp_ms);
  if (!found) return notFound(request.deliveryId);
  const { queue, sequence, state } = found;
  parts.messages.leaveInFlight(queue, sequence, state);
  parts.messages.deleteBody(queue, sequence);
  queue.ackedTotal++;
  parts.queues.changed(queue);
  return emptyResponse;
}

export function nack(parts: QueueParts, request: QueueServiceNackRequest, context: ApplyContext): Outcome {
  const { stamp_ms } = context;
  const found = find(parts, request.deliveryId, stamp_ms);
  if (!found) return notFound(request.deliveryId);
  const { queue, sequence, state } = found;
  const reason = request.error || deathReason.nack;
  let went: keyof typeof messageState = 'dead';
  if (request.deadLetter) {
    parts.messages.die(queue, sequence, state, reason, stamp_ms);
  } else {
    const delay_ms = request.delay
      ? durationToMs(request.delay)
      : retryBackoff_ms(queue.settings, state.attempts);
    went = parts.messages.giveBack(queue, sequence, state, delay_ms, reason, stamp_ms);
  }
  parts.queues.changed(queue);
  return toBinary(
    QueueServiceNackResponseSchema,
    create(QueueServiceNackResponseSchema, { state: messageState[went] }),
  );
}

const messageState = {
  ready: MessageState.READY,
  delayed: MessageState.DELAYED,
  dead: MessageState.DEAD,
} as const;

export function extend(
  parts: QueueParts,
  request: QueueServiceExtendRequest,
  context: ApplyContext,
): Outcome {
  const { stamp_ms } = context;
  const found = find(parts, request.deliveryId, stamp_ms);
  if (!found) return notFound(request.deliveryId);
  const { queue, sequence, state } = found;
  const lease_ms = request.lease ? durationToMs(request.lease) : queue.settings.lease_ms;
  parts.messages.extend(queue, sequence, state, stamp_ms + lease_ms);
  parts.queues.changed(queue);
  return toBinary(
    QueueServiceExtendResponseSchema,
    create(QueueServiceExtendResponseSchema, { leaseExpiresAt: msToTimestamp(stamp_ms + lease_ms) }),
  );
}

/** Answers with no bytes: nobody reads it. */
export function release(parts: QueueParts, request: ReleaseDeliveries, context: ApplyContext): Outcome {
  const { stamp_ms } = context;
  for (const id of request.deliveryIds) {
    const found = find(parts, id, stamp_ms);
    if (!found) continue;
    const { queue, sequence, state } = found;
    if (request.neverSent) parts.messages.takeBack(queue, sequence, state, stamp_ms);
    else parts.messages.giveBack(queue, sequence, state, 0, deathReason.consumerLeft, stamp_ms);
    parts.queues.changed(queue);
  }
  return emptyResponse;
}

function find(
  { queues, messages }: QueueParts,
  deliveryId: string,
  stamp_ms: number,
): { queue: Queue; sequence: number; state: State } | undefined {
  const name = parseDeliveryId(deliveryId);
  const queue = name && queues.get(name.queue);
  if (!queue) return undefined;
  const state = messages.delivery(queue, name.sequence, name.delivery, stamp_ms);
  return state && { queue, sequence: name.sequence, state };
}

function notFound(deliveryId: string): Failure {
  return {
    reason: ErrorReason.DELIVERY_NOT_FOUND,
    subject: deliveryId,
    message: `delivery ${deliveryId} is not open: it was settled, its lease ran out, or its message is gone`,
  };
}
