/** QueueService: checks requests, finds the group of their queue, proposes or reads, and hands messages to who waits. */
import type { Method } from './method.ts';
import { commandMethods } from './queue/commands.ts';
import { consumeMethod } from './queue/consuming.ts';
import type { QueueDeps } from './queue/deps.ts';
import { Dispatchers } from './queue/dispatchers.ts';
import { popMethod } from './queue/popping.ts';
import { readingMethods } from './queue/reading.ts';

export type { QueueDeps, QueueLimits } from './queue/deps.ts';

/** All methods of `gomsg.v1.QueueService`. */
export function queueMethods(deps: QueueDeps): Method[] {
  const dispatchers = new Dispatchers(deps);
  return [
    ...commandMethods(deps),
    ...readingMethods(deps, dispatchers),
    popMethod(deps, dispatchers),
    consumeMethod(deps, dispatchers),
  ];
}
