import { QueueService } from '@gomsg/client/gen/gomsg/v1/queue_pb.js';
import type { Workload } from '../workload.ts';
import { VALUE } from './keys.ts';

const QUEUE = 'bench-cycle';

/** A message's whole life, three durable writes one after the other: pushed, popped, acknowledged. */
export function queueCycle(inFlight: number): Workload {
  return {
    id: 'queue-cycle',
    title: `queue push → pop → ack, ${inFlight} in flight`,
    inFlight,
    prepare: async (client) => {
      const { push, pop, ack } = QueueService.method;
      return async () => {
        await client.call(push, { queue: QUEUE, payload: VALUE });
        // As many were pushed as are popped, so there always is one; whose it was does not matter.
        const { deliveries } = await client.call(pop, { queue: QUEUE });
        const [delivery] = deliveries;
        if (delivery === undefined) throw new Error('the queue had no message where one was pushed before');
        await client.call(ack, { deliveryId: delivery.deliveryId });
        return 1;
      };
    },
  };
}
