/** Acknowledges many deliveries in one frame of the pipeline: a call each would cost a round trip each. */
import { create, getOption, toBinary } from '@bufbuild/protobuf';
import { ErrorReason, GomsgError } from '@gomsg/client/errors';
import { method as methodOption } from '@gomsg/client/gen/gomsg/sdk/v1/options_pb.js';
import { QueueService, QueueServiceAckRequestSchema } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import type { CommandContext } from '../../context.ts';

const ACK_NUMBER = getOption(QueueService.method.ack, methodOption).number;

/**
 * Returns how many could not be acknowledged any more, because their lease ran out or they were settled before.
 * @throws GomsgError what any other of them failed with
 */
export async function ackAll(context: CommandContext, deliveryIds: readonly string[]): Promise<number> {
  const calls = deliveryIds.map((deliveryId, at) => ({
    callId: at + 1,
    method: ACK_NUMBER,
    payload: toBinary(QueueServiceAckRequestSchema, create(QueueServiceAckRequestSchema, { deliveryId })),
  }));
  async function* requests() {
    yield { calls };
  }
  // What was written is acknowledged even when Ctrl-C comes meanwhile.
  const { signal: _, ...call } = context.call();
  let answered = 0;
  let lost = 0;
  for await (const { results } of context.client.pipeline.execute(requests(), call)) {
    for (const { error } of results) {
      answered += 1;
      if (error === undefined) continue;
      const reason = error.detail?.reason ?? ErrorReason.UNSPECIFIED;
      if (reason !== ErrorReason.DELIVERY_NOT_FOUND) {
        throw new GomsgError({ reason, code: error.code, message: error.message });
      }
      lost += 1;
    }
  }
  return lost + (deliveryIds.length - answered);
}
