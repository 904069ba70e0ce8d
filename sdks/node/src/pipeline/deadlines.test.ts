import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadlines, type Timed } from './deadlines.ts';

interface Item extends Timed<Item> {
  readonly name: string;
}

function item(name: string, timeout_ms: number): Item {
  return {
    name,
    timeout_ms,
    deadline_ms: performance.now() + timeout_ms,
    earlier: undefined,
    later: undefined,
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('deadlines', () => {
  test('are told in their order, but not of what was taken out', () => {
    const late: string[] = [];
    const deadlines = new Deadlines<Item>(({ name }) => late.push(name));
    const [a, b, c] = [item('a', 20), item('b', 20), item('c', 10)];
    for (const each of [a, b, c]) deadlines.add(each);
    deadlines.remove(a);
    vi.advanceTimersByTime(30);
    expect(late).toEqual(['c', 'b']);
    expect(deadlines.lines).toBe(0);
  });

  test('of calls that each have a timeout of their own leave no timers behind', () => {
    const deadlines = new Deadlines<Item>(() => {});
    for (let i = 0; i < 10_000; i += 1) {
      const one = item('', 30_000 - i / 100);
      deadlines.add(one);
      deadlines.remove(one);
    }
    expect(deadlines.lines).toBeLessThan(100);
    expect(vi.getTimerCount()).toBe(deadlines.lines);
    deadlines.clear();
  });

  test('of a call that a late one makes are kept', () => {
    const late: string[] = [];
    const deadlines = new Deadlines<Item>(({ name }) => {
      late.push(name);
      if (name === 'first') deadlines.add(item('second', 10));
    });
    // So many lines that an empty one is taken out at once.
    const others = Array.from({ length: 100 }, (_, i) => item('', 1_000 + i));
    for (const other of others) deadlines.add(other);
    deadlines.add(item('first', 10));
    vi.advanceTimersByTime(25);
    expect(late).toEqual(['first', 'second']);
    deadlines.clear();
  });
});
