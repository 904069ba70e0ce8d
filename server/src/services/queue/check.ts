/** Checks of what requests of QueueService have in common. The bounds are those of `queue.proto`. */
import type { Duration } from '@bufbuild/protobuf/wkt';
import {
  type MessageState,
  MessageStateSchema,
  type QueueMessage,
  type QueueSettings,
} from '../../gen/gomsg/v1/queue_pb.js';
import { messageSize } from '../../state/queue/body.ts';
import { type DeliveryName, parseDeliveryId } from '../../state/queue/delivery-id.ts';
import { invalidRequest } from '../decode.ts';
import { checkDuration, type DurationBounds } from '../durations.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import { checkName } from '../names.ts';
import type { QueueLimits } from './deps.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 366 * DAY_MS;

const MAX_PRIORITY = 255;
const MAX_DEDUP_ID_BYTES = 255;
const MAX_ERROR_BYTES = 1024;

const leaseBounds: DurationBounds = { min_ms: 100, max_ms: 12 * HOUR_MS };
const delayBounds: DurationBounds = { min_ms: 0, max_ms: YEAR_MS };
const waitBounds: DurationBounds = { min_ms: 0, max_ms: 10 * MINUTE_MS };

/** @throws GomsgError INVALID_NAME */
export function checkQueue(name: string): void {
  checkName(name, 'queue');
}

/** @throws GomsgError INVALID_DURATION */
export function checkLease(lease: Duration | undefined): void {
  checkDuration(lease, 'lease', leaseBounds);
}

/** @throws GomsgError INVALID_DURATION */
export function checkDelay(delay: Duration | undefined): void {
  checkDuration(delay, 'delay', delayBounds);
}

/**
 * Milliseconds to wait; 0 = not at all.
 * @throws GomsgError INVALID_DURATION
 */
export function checkWait(wait: Duration | undefined): number {
  return checkDuration(wait, 'wait', waitBounds) ?? 0;
}

/**
 * The number asked for, or `byDefault` for 0.
 * @throws GomsgError INVALID_REQUEST when it is above `max`
 */
export function checkCount(asked: number, field: string, byDefault: number, max: number): number {
  if (asked > max) throw invalidRequest(field, `${field} is ${asked}; at most ${max} is allowed`);
  return asked === 0 ? byDefault : asked;
}

/** @throws GomsgError VALUE_TOO_LARGE, INVALID_DURATION or INVALID_REQUEST */
export function checkMessage(
  queue: string,
  message: Pick<QueueMessage, 'payload' | 'delay' | 'priority' | 'headers' | 'dedupId'>,
  { maxMessageBytes }: QueueLimits,
): void {
  const size = messageSize(message.payload, message.headers);
  if (size > maxMessageBytes) {
    throw new GomsgError({
      reason: ErrorReason.VALUE_TOO_LARGE,
      subject: queue,
      message: `the message has ${size} bytes with its headers; at most ${maxMessageBytes} are allowed`,
    });
  }
  checkDelay(message.delay);
  if (message.priority > MAX_PRIORITY) {
    throw invalidRequest('priority', `priority is ${message.priority}; at most ${MAX_PRIORITY} is allowed`);
  }
  checkBytes(message.dedupId, 'dedup_id', MAX_DEDUP_ID_BYTES);
}

/** @throws GomsgError INVALID_REQUEST */
export function checkErrorText(error: string): void {
  checkBytes(error, 'error', MAX_ERROR_BYTES);
}

function checkBytes(text: string, field: string, max: number): void {
  // No character of a string is more than 3 bytes of UTF-8.
  if (text.length * 3 <= max) return;
  const bytes = Buffer.byteLength(text);
  if (bytes > max) throw invalidRequest(field, `${field} has ${bytes} bytes; at most ${max} are allowed`);
}

/**
 * The parts of a delivery id.
 * @throws GomsgError DELIVERY_NOT_FOUND when it is not one: it names no delivery that could exist
 */
export function checkDeliveryId(id: string): DeliveryName {
  const name = parseDeliveryId(id);
  if (name) return name;
  throw new GomsgError({
    reason: ErrorReason.DELIVERY_NOT_FOUND,
    subject: id,
    message: `${JSON.stringify(id)} is not a delivery id: those have the form queue#sequence.delivery`,
  });
}

/** @throws GomsgError INVALID_SETTINGS */
export function checkSettings(settings: QueueSettings | undefined): void {
  if (!settings) return;
  try {
    checkLease(settings.lease);
    checkDuration(settings.retryBackoff, 'retry_backoff', delayBounds);
    checkDuration(settings.retryBackoffMax, 'retry_backoff_max', delayBounds);
    checkDuration(settings.messageTtl, 'message_ttl', { min_ms: 0 });
    checkDuration(settings.deadLetterTtl, 'dead_letter_ttl', { min_ms: 0 });
    checkDuration(settings.dedupWindow, 'dedup_window', { min_ms: 0, max_ms: 7 * DAY_MS });
  } catch (error) {
    if (error instanceof GomsgError) throw invalidSettings(error.subject ?? 'settings', error.message);
    throw error;
  }
  checkMaximum(settings.maxMessages, 'max_messages');
  checkMaximum(settings.maxBytes, 'max_bytes');
}

function checkMaximum(value: bigint | undefined, field: string): void {
  if (value === undefined || value <= Number.MAX_SAFE_INTEGER) return;
  throw invalidSettings(field, `${field} is ${value}; at most ${Number.MAX_SAFE_INTEGER} is allowed`);
}

function invalidSettings(subject: string, message: string): GomsgError {
  return new GomsgError({ reason: ErrorReason.INVALID_SETTINGS, subject, message });
}

/**
 * proto3 enums are open: a number that this version does not know would purge every state.
 * @throws GomsgError INVALID_REQUEST
 */
export function checkState(state: MessageState): void {
  if (MessageStateSchema.value[state]) return;
  throw invalidRequest('state', `state ${state} is not one of MessageState`);
}
