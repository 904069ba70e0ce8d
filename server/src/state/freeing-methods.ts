/** The commands that remove more than they add. */
import { sessionMethod } from './group-state.ts';
import { internalMethod } from './internal-methods.ts';
import { kvMethod } from './kv/method-numbers.ts';
import { queueMethod } from './queue/method-numbers.ts';
import { streamMethod } from './stream/method-numbers.ts';

const FREEING: ReadonlySet<number> = new Set([
  kvMethod.delete,
  internalMethod.deleteKeys,
  queueMethod.ack,
  queueMethod.purge,
  queueMethod.delete,
  streamMethod.purge,
  streamMethod.delete,
  internalMethod.expireDue,
  internalMethod.leaveConsumer,
  sessionMethod.close,
]);

/** Whether commands of the method give room back, so that a store that is full of data in memory is to take them. */
export function freesRoom(method: number): boolean {
  return FREEING.has(method);
}
