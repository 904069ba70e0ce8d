import { afterEach, expect, test, vi } from 'vitest';
import { serve } from './main.ts';
import { startNode } from './node.ts';

vi.mock('./node.ts', () => ({ startNode: vi.fn() }));

class Exit extends Error {
  readonly code: number | string | null | undefined;

  constructor(code: number | string | null | undefined) {
    super(`exit ${code}`);
    this.code = code;
  }
}

const EVENTS = ['SIGTERM', 'SIGINT', 'uncaughtException'] as const;
const before = EVENTS.map((event) => [event, process.listeners(event)] as const);

afterEach(() => {
  vi.restoreAllMocks();
  for (const [event, listeners] of before) {
    for (const listener of process.listeners(event)) {
      if (!listeners.includes(listener)) process.off(event, listener);
    }
  }
});

/** Serves, and resolves with the code by which the process would have ended. */
async function exitOf(served: Promise<number>): Promise<unknown> {
  return served.catch((error: unknown) => {
    if (error instanceof Exit) return error.code;
    throw error;
  });
}

test('a signal ends a start that does not come to its end', async () => {
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Exit(code);
  });
  const started = Promise.withResolvers<void>();
  vi.mocked(startNode).mockImplementation(() => {
    started.resolve();
    return new Promise(() => {});
  });
  const served = exitOf(serve(['--storage=memory', '--port=0', '--log-level=silent']));
  await started.promise;
  process.emit('SIGTERM', 'SIGTERM');
  expect(await served).toBe(0);
});

test('what nobody caught ends the process, and says so', async () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as typeof process.exit);
  const started = Promise.withResolvers<void>();
  vi.mocked(startNode).mockImplementation(() => {
    started.resolve();
    return new Promise(() => {});
  });
  void serve(['--storage=memory', '--port=0', '--log-level=silent']).catch(() => {});
  await started.promise;
  process.emit('uncaughtException', new TypeError('a bug'));
  expect(exit).toHaveBeenCalledWith(4);
});
