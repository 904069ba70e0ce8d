import { expect, test } from 'vitest';
import { Stoppable } from './stoppable.ts';

const message = new Uint8Array([1]);

async function* one() {
  yield message;
}

function never(): AsyncIterator<Uint8Array> {
  return { next: () => new Promise(() => {}) };
}

test('messages pass until they end', async () => {
  const messages = new Stoppable(one());
  expect(await messages.next()).toEqual({ done: false, value: message });
  expect(await messages.next()).toEqual({ done: true, value: undefined });
  expect(messages.stop(new Error('late'))).toBe(false);
});

test('a reader that waits for a producer without messages is let go', async () => {
  const messages = new Stoppable(never());
  const waiting = expect(messages.next()).rejects.toThrow('stop');
  expect(messages.stop(new Error('stop'))).toBe(true);
  await waiting;
  await expect(messages.next()).rejects.toThrow('stop');
  expect(messages.stop(new Error('again'))).toBe(false);
});
