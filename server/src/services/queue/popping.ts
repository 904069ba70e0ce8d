/** Pop: takes what is ready at once, and waits in line when nothing is. */
import { Consistency } from '../../gen/gomsg/v1/common_pb.js';
import { QueueService, type QueueServicePopRequest } from '../../gen/gomsg/v1/queue_pb.js';
import { POP_MESSAGES_MAX } from '../../state/queue/delivering.ts';
import { type UnaryCall, unary } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { Method } from '../method.ts';
import { checkCount, checkLease, checkQueue, checkWait } from './check.ts';
import { deliveryIds } from './delivered.ts';
import type { QueueDeps } from './deps.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Dispatchers } from './dispatchers.ts';
import { releaseDeliveries } from './release.ts';
import { WaitingPop } from './waiting-pop.ts';

export function popMethod({ router }: QueueDeps, dispatchers: Dispatchers): Method {
  return unary(QueueService.method.pop, (request, call) => {
    checkQueue(request.queue);
    checkLease(request.lease);
    checkCount(request.maxMessages, 'max_messages', 1, POP_MESSAGES_MAX);
    const wait_ms = checkWait(request.wait);
    const group = router.groupOf(request.queue);
    if (wait_ms === 0) {
      popNow(group, request, call, call.reply.ok.bind(call.reply));
      return;
    }
    popOrWait(group, dispatchers.of(group), request, call, wait_ms);
  });
}

/**
 * In a session the outcome is remembered, so a retry must get to it: it is proposed again, whatever stands in line.
 * Otherwise a call that would find nothing spares the log an entry.
 */
function popOrWait(
  group: ServiceGroup,
  dispatcher: Dispatcher,
  request: QueueServicePopRequest,
  call: UnaryCall,
  wait_ms: number,
): void {
  const { context, reply } = call;
  const began_ms = Date.now();
  const wait = (inSession: boolean) => {
    try {
      WaitingPop.begin(
        dispatcher,
        {
          queue: request.queue,
          maxMessages: request.maxMessages || 1,
          lease: request.lease,
          wait_ms: Math.max(0, wait_ms - (Date.now() - began_ms)),
          session: inSession ? context.session : undefined,
        },
        context,
        reply,
      );
    } catch (error) {
      if (!(error instanceof GomsgError)) throw error;
      reply.fail(error);
    }
  };
  const popFirst = () =>
    popNow(group, request, call, (response) => {
      if (response.length > 0) reply.ok(response);
      else wait(false);
    });
  if (context.session?.retry) {
    popFirst();
    return;
  }
  // Only the leader knows what is ready, and only its pops bring messages.
  group.read(
    Consistency.LINEARIZABLE,
    (state) => {
      const ready = state.queue.readyMessages(request.queue) ?? 0;
      if (ready > 0 && !dispatcher.hasLine(request.queue)) popFirst();
      else wait(true);
    },
    (failure) => reply.fail(failure),
  );
}

/** Proposes the request as it came. What comes for a caller who has gone meanwhile is given back. */
function popNow(
  group: ServiceGroup,
  request: QueueServicePopRequest,
  call: UnaryCall,
  answer: (response: Uint8Array) => void,
): void {
  const { context, reply } = call;
  const { session } = context;
  group.submit({
    method: call.number,
    payload: call.payload,
    request,
    session,
    reply: {
      ok(response) {
        // In a session the caller may come back for the outcome: its deliveries stay leased until then.
        if (session === undefined && response.length > 0 && context.signal.aborted) {
          releaseDeliveries(group, request.queue, deliveryIds(response), true);
        }
        answer(response);
      },
      fail: (failure) => reply.fail(failure),
    },
  });
}
