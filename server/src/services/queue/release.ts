/** Gives deliveries back to their queue. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ReleaseDeliveriesSchema } from '../../gen/gomsg/internal/v1/commands_pb.js';
import { internalMethod } from '../../state/internal-methods.ts';
import type { ServiceGroup } from '../groups.ts';

/** Most deliveries that one command gives back. */
const RELEASED_PER_COMMAND_MAX = 1000;

/**
 * When the command is refused, as by a node that leads no longer, the deliveries come back when their leases end: nobody
 * has to hear of it.
 * @param neverSent the deliveries never left the server, and so do not count as attempts
 */
export function releaseDeliveries(
  group: ServiceGroup,
  queue: string,
  deliveryIds: readonly string[],
  neverSent: boolean,
): void {
  for (let from = 0; from < deliveryIds.length; from += RELEASED_PER_COMMAND_MAX) {
    const request = create(ReleaseDeliveriesSchema, {
      queue,
      deliveryIds: deliveryIds.slice(from, from + RELEASED_PER_COMMAND_MAX),
      neverSent,
    });
    group.submit({
      method: internalMethod.releaseDeliveries,
      payload: toBinary(ReleaseDeliveriesSchema, request),
      request,
      session: undefined,
      reply: { ok: nobodyListens, fail: nobodyListens },
    });
  }
}

function nobodyListens(): void {}
