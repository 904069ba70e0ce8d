import { expect, test } from 'vitest';
import { deliveryId, parseDeliveryId } from './delivery-id.ts';

test.each([
  ['jobs', 1, 1],
  ['a.b:c/{d}', 42, 7],
  ['q', Number.MAX_SAFE_INTEGER, 4_294_967_296],
])('the id of delivery %s#%i.%i is read back', (queue, sequence, delivery) => {
  expect(parseDeliveryId(deliveryId(queue, sequence, delivery))).toEqual({ queue, sequence, delivery });
});

test.each([
  '',
  'jobs',
  'jobs#1',
  'jobs#1.',
  'jobs#.1',
  '#1.1',
  'jobs#01.1',
  'jobs#1.01',
  'jobs#0.1',
  'jobs#1.0',
  'jobs#-1.1',
  'jobs#1.1 ',
  'jobs#1.1.1',
  'jobs#1e3.1',
  'jobs#9007199254740992.1',
  'jobs.1#1',
])('%j is not a delivery id', (id) => {
  expect(parseDeliveryId(id)).toBeUndefined();
});
