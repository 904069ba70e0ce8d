/** Random commands, waits and restarts for the queue machine. */
import fc from 'fast-check';
import { MessageState } from '../../../gen/gomsg/v1/queue_pb.js';
import { msToDuration } from '../../durations.ts';

export const states = [
  MessageState.READY,
  MessageState.DELAYED,
  MessageState.IN_FLIGHT,
  MessageState.DEAD,
] as const;

const queueName = fc.constantFrom('a', 'b');
const pushed = fc.record({
  payload: fc.string({ maxLength: 12, unit: 'grapheme-ascii' }),
  priority: fc.constantFrom(0, 0, 0, 1, 255),
  delay_ms: fc.constantFrom(0, 0, 0, 1, 500, 5000),
  dedupId: fc.constantFrom('', '', '', 'x', 'ÿé'),
});
const duration = (...ms: number[]) => fc.constantFrom(undefined, ...ms);
const settings = fc.record(
  {
    lease: fc.constantFrom(100, 1000).map(msToDuration),
    maxDeliveries: fc.constantFrom(0, 1, 2, 3),
    retryBackoff: fc.constantFrom(0, 10, 400).map(msToDuration),
    retryBackoffMax: fc.constantFrom(600).map(msToDuration),
    messageTtl: fc.constantFrom(0, 700).map(msToDuration),
    deadLetterTtl: fc.constantFrom(0, 900).map(msToDuration),
    maxMessages: fc.constantFrom(0n, 6n),
    maxBytes: fc.constantFrom(0n, 40n),
    dedupWindow: fc.constantFrom(0, 800).map(msToDuration),
  },
  { requiredKeys: [] },
);
/** Which of the deliveries that were ever made. */
const which = fc.nat(1000);

export const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('push'), queue: queueName, message: pushed }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pushBatch'),
      queue: queueName,
      messages: fc.array(pushed, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pop'),
      queue: queueName,
      max: fc.constantFrom(0, 1, 3),
      lease_ms: duration(100, 2000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ack'), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('nack'),
      which,
      delay_ms: duration(0, 300),
      deadLetter: fc.boolean(),
      error: fc.constantFrom('', 'broken'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('extend'), which, lease_ms: duration(100, 3000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('release'),
      whiches: fc.array(which, { maxLength: 3 }),
      neverSent: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('purge'),
      queue: queueName,
      state: fc.constantFrom(MessageState.UNSPECIFIED, ...states),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), queue: queueName }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('redrive'), queue: queueName, limit: fc.constantFrom(0, 1, 2) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('configure'), queue: queueName, settings }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('create'), queue: queueName, settings }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 1, 99, 100, 450, 2500) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('expireDue') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart') }) },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
