/** The methods that are one command each: the request as it came goes into the log of the queue's group. */
import * as queue from '../../gen/gomsg/v1/queue_pb.js';
import { invalidRequest, type UnaryCall, unary } from '../decode.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import type { Proposal } from '../groups.ts';
import type { Method } from '../method.ts';
import { proposalOf } from '../proposals.ts';
import {
  checkDelay,
  checkDeliveryId,
  checkErrorText,
  checkLease,
  checkMessage,
  checkQueue,
  checkSettings,
  checkState,
} from './check.ts';
import type { QueueDeps } from './deps.ts';

const rpc = queue.QueueService.method;

/** Most messages of one PushBatch. */
const MAX_BATCH_MESSAGES = 10_000;

export function commandMethods({ router, limits }: QueueDeps): Method[] {
  const submit = (name: string, request: Proposal['request'], call: UnaryCall) =>
    router.groupOf(name).submit(proposalOf(request, call));

  return [
    unary(rpc.create, (request, call) => {
      checkQueue(request.queue);
      checkSettings(request.settings);
      submit(request.queue, request, call);
    }),

    unary(rpc.configure, (request, call) => {
      checkQueue(request.queue);
      checkSettings(request.settings);
      submit(request.queue, request, call);
    }),

    unary(rpc.push, (request, call) => {
      checkQueue(request.queue);
      checkMessage(request.queue, request, limits);
      submit(request.queue, request, call);
    }),

    unary(rpc.pushBatch, (request, call) => {
      checkQueue(request.queue);
      const { length } = request.messages;
      if (length === 0) throw invalidRequest('messages', 'the batch has no messages');
      if (length > MAX_BATCH_MESSAGES) {
        throw new GomsgError({
          reason: ErrorReason.BATCH_TOO_LARGE,
          subject: request.queue,
          message: `the batch has ${length} messages; at most ${MAX_BATCH_MESSAGES} are allowed`,
        });
      }
      for (const message of request.messages) checkMessage(request.queue, message, limits);
      submit(request.queue, request, call);
    }),

    unary(rpc.ack, (request, call) => {
      submit(checkDeliveryId(request.deliveryId).queue, request, call);
    }),

    unary(rpc.nack, (request, call) => {
      const name = checkDeliveryId(request.deliveryId);
      checkDelay(request.delay);
      checkErrorText(request.error);
      submit(name.queue, request, call);
    }),

    unary(rpc.extend, (request, call) => {
      const name = checkDeliveryId(request.deliveryId);
      checkLease(request.lease);
      submit(name.queue, request, call);
    }),

    unary(rpc.purge, (request, call) => {
      checkQueue(request.queue);
      checkState(request.state);
      submit(request.queue, request, call);
    }),

    unary(rpc.delete, (request, call) => {
      checkQueue(request.queue);
      submit(request.queue, request, call);
    }),

    unary(rpc.redrive, (request, call) => {
      checkQueue(request.queue);
      submit(request.queue, request, call);
    }),
  ];
}
