import type { Gauge } from '../../observe/instruments.ts';
import { type Interceptor, watched } from './intercept.ts';

/** Counts the open watches, subscriptions and consumers: server streams of the services of the contract. */
export function countSubscriptions(open: Gauge): Interceptor {
  return (method) =>
    method.kind !== 'server_streaming' || !method.desc.parent.typeName.startsWith('gomsg.')
      ? method
      : watched(method, {
          begin: () => open.set(open.value + 1),
          end: () => open.set(open.value - 1),
        });
}
