/** The commands about a queue as a whole: Create, Configure, Purge, Delete and Redrive. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  MessageState,
  type QueueServiceConfigureRequest,
  QueueServiceConfigureResponseSchema,
  type QueueServiceCreateRequest,
  QueueServiceCreateResponseSchema,
  type QueueServiceDeleteRequest,
  QueueServiceDeleteResponseSchema,
  type QueueServicePurgeRequest,
  QueueServicePurgeResponseSchema,
  type QueueServiceRedriveRequest,
  QueueServiceRedriveResponseSchema,
} from '../../gen/gomsg/v1/queue_pb.js';
import type { Failure, Outcome } from '../failure.ts';
import type { ApplyContext } from '../machine.ts';
import { kind } from './layout.ts';
import type { QueueParts } from './parts.ts';
import { Queue, type StateTable } from './queue.ts';
import { defaultSettings, mergeSettings, settingsMessage } from './settings.ts';

/** Most dead messages that Redrive makes ready in its own entry; the rest follow in the background. */
export const REDRIVEN_AT_ONCE_MAX = 1000;

export function createQueue(
  { queues }: QueueParts,
  request: QueueServiceCreateRequest,
  { stamp_ms }: ApplyContext,
): Outcome {
  if (queues.get(request.queue)) {
    return {
      reason: ErrorReason.ALREADY_EXISTS,
      subject: request.queue,
      message: `queue ${request.queue} exists already`,
    };
  }
  const queue = queues.create(request.queue, stamp_ms, mergeSettings(defaultSettings, request.settings));
  if (!(queue instanceof Queue)) return queue;
  return toBinary(
    QueueServiceCreateResponseSchema,
    create(QueueServiceCreateResponseSchema, { settings: settingsMessage(queue.settings) }),
  );
}

export function configure({ queues }: QueueParts, request: QueueServiceConfigureRequest): Outcome {
  const queue = queues.get(request.queue);
  if (!queue) return queueNotFound(request.queue);
  queue.settings = mergeSettings(queue.settings, request.settings);
  queues.changed(queue);
  return toBinary(
    QueueServiceConfigureResponseSchema,
    create(QueueServiceConfigureResponseSchema, { settings: settingsMessage(queue.settings) }),
  );
}

export function purge(parts: QueueParts, request: QueueServicePurgeRequest): Outcome {
  const queue = parts.queues.get(request.queue);
  if (!queue) return queueNotFound(request.queue);
  const table = tableOf(queue, request.state);
  const purged = table ? table.messages : queue.messages;
  if (table) purgeState(parts, queue, table);
  else purgeAll(parts, queue);
  parts.queues.changed(queue);
  return toBinary(
    QueueServicePurgeResponseSchema,
    create(QueueServicePurgeResponseSchema, { purged: BigInt(purged) }),
  );
}

/** Undefined for all states. */
export function tableOf(queue: Queue, state: MessageState): StateTable | undefined {
  switch (state) {
    case MessageState.READY:
      return queue.ready;
    case MessageState.DELAYED:
      return queue.delayed;
    case MessageState.IN_FLIGHT:
      return queue.inFlight;
    case MessageState.DEAD:
      return queue.dead;
    default:
      return undefined;
  }
}

function purgeState({ background, messages }: QueueParts, queue: Queue, table: StateTable): void {
  if (table.messages === 0) return;
  background.abandon(queue, table);
  if (table === queue.ready) queue.window.clear(true);
  if (table === queue.dead) background.stopRedrive(queue);
  if (table === queue.inFlight) messages.listener?.allEnded(queue.name);
}

/** Every row but those of the dedup ids, which sort last, in one range. */
function purgeAll({ store, layout, background, messages }: QueueParts, queue: Queue): void {
  const hadDeliveries = queue.inFlight.messages > 0;
  store.deleteRange(layout.messages(queue.number), layout.rows(queue.number, kind.dedup));
  background.forget(queue);
  for (const table of queue.tables) table.reset();
  queue.window.clear(true);
  if (hadDeliveries) messages.listener?.allEnded(queue.name);
}

export function deleteQueue(
  { queues, background, messages }: QueueParts,
  request: QueueServiceDeleteRequest,
): Outcome {
  const queue = queues.get(request.queue);
  if (queue) {
    background.forget(queue);
    queues.delete(queue);
    messages.listener?.allEnded(queue.name);
  }
  return toBinary(
    QueueServiceDeleteResponseSchema,
    create(QueueServiceDeleteResponseSchema, { deleted: queue !== undefined }),
  );
}

export function redrive(
  { queues, background }: QueueParts,
  request: QueueServiceRedriveRequest,
  { stamp_ms }: ApplyContext,
): Outcome {
  const queue = queues.get(request.queue);
  if (!queue) return queueNotFound(request.queue);
  const waiting = queue.dead.messages - queue.redriving;
  const redriven = request.limit === 0 ? waiting : Math.min(request.limit, waiting);
  queue.redriving += redriven;
  background.redriveSome(queue, stamp_ms, REDRIVEN_AT_ONCE_MAX);
  if (queue.redriving > 0) background.redrive(queue);
  return toBinary(
    QueueServiceRedriveResponseSchema,
    create(QueueServiceRedriveResponseSchema, { redriven: BigInt(redriven) }),
  );
}

export function queueNotFound(name: string): Failure {
  return { reason: ErrorReason.QUEUE_NOT_FOUND, subject: name, message: `queue ${name} does not exist` };
}
