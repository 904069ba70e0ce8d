import { expect, test } from 'vitest';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { ModelStore } from '../testing/model-store.ts';
import { Layout } from './layout.ts';
import { Queue } from './queue.ts';
import { QUEUES_MAX, Queues } from './queues.ts';

test('a group takes no more than its most queues, and one more for each that is deleted', () => {
  const queues = new Queues(new ModelStore(), new Layout(1));
  for (let i = 0; i < QUEUES_MAX; i++) queues.ensure(`q${i}`, 0);
  expect(queues.ensure('one-more', 0)).toMatchObject({
    reason: ErrorReason.QUEUE_FULL,
    subject: 'one-more',
  });
  queues.delete(queues.get('q0')!);
  expect(queues.ensure('one-more', 0)).toBeInstanceOf(Queue);
});
