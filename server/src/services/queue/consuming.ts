/** Consume: a stream of deliveries, pulled by the transport. */
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { serverStreaming } from '../decode.ts';
import { GomsgError } from '../errors.ts';
import type { Method } from '../method.ts';
import { checkCount, checkLease, checkQueue } from './check.ts';
import { Consumer } from './consumer.ts';
import type { QueueDeps } from './deps.ts';
import type { Dispatchers } from './dispatchers.ts';

const DEFAULT_CREDIT = 100;
const MAX_CREDIT = 10_000;

export function consumeMethod({ router }: QueueDeps, dispatchers: Dispatchers): Method {
  return serverStreaming(QueueService.method.consume, (request, { signal }) => {
    checkQueue(request.queue);
    checkLease(request.lease);
    const credit = checkCount(request.credit, 'credit', DEFAULT_CREDIT, MAX_CREDIT);
    const dispatcher = dispatchers.of(router.groupOf(request.queue));
    return messages(signal, () =>
      Consumer.begin(dispatcher, { queue: request.queue, credit, lease: request.lease }),
    );
  });
}

/**
 * The consumer begins with the first pull: a stream that is never read holds nothing. `return` ends it at once, also
 * while a pull waits, which the `return` of a generator would not.
 */
function messages(signal: AbortSignal, begin: () => Consumer): AsyncIterableIterator<Uint8Array> {
  let consumer: Consumer | undefined;
  let over = false;
  const end = () => {
    over = true;
    signal.removeEventListener('abort', aborted);
    consumer?.end();
  };
  const aborted = () => {
    if (signal.reason instanceof GomsgError) consumer?.fail(signal.reason);
    end();
  };
  return {
    async next() {
      if (!consumer && !over) {
        if (signal.aborted && signal.reason instanceof GomsgError) throw signal.reason;
        if (signal.aborted) return { done: true, value: undefined };
        consumer = begin();
        signal.addEventListener('abort', aborted, { once: true });
      }
      try {
        const value = await consumer?.next();
        if (value) return { done: false, value };
      } catch (error) {
        end();
        throw error;
      }
      end();
      return { done: true, value: undefined };
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
