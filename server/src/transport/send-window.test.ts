import { expect, test, vi } from 'vitest';
import { SendWindow } from './send-window.ts';

test('a window is full at its limit and has room again at half of it', () => {
  const window = new SendWindow(1000);
  const onRoom = vi.fn();
  window.onRoom(onRoom);
  window.add(300);
  expect(window.hasRoom).toBe(true);
  window.add(500);
  expect(window.hasRoom).toBe(false);
  window.taken(300);
  expect(window.hasRoom).toBe(false);
  expect(onRoom).not.toHaveBeenCalled();
  window.taken(500);
  expect(window.hasRoom).toBe(true);
  expect(onRoom).toHaveBeenCalledTimes(1);
  expect(window.pendingBytes).toBe(0);
});

test('empty messages fill a window too', () => {
  const window = new SendWindow(10_000);
  let messages = 0;
  for (; window.hasRoom; messages += 1) window.add(0);
  expect(messages).toBeLessThan(100);
});
