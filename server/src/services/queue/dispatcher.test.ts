import { expect, test } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { InstantGroup } from '../testing/instant-group.ts';
import { Dispatcher, TAKERS_MAX } from './dispatcher.ts';

test('more takers than a group may have are told to come later', () => {
  const dispatcher = new Dispatcher(new InstantGroup({}));
  for (let i = 0; i < TAKERS_MAX; i++) dispatcher.join(`q${i % 10}`);
  expect(() => dispatcher.join('q')).toThrow(
    expect.objectContaining({ reason: ErrorReason.OVERLOADED, retryAfter_ms: 1000 }),
  );
});
