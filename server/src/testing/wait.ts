/**
 * For `vi.waitFor` and `vi.waitUntil`, which give up after 1 s when they are not told otherwise: a busy machine may take
 * longer for anything. Waits of `expect.poll` have theirs from the configuration of vitest.
 */
export const WAIT = { timeout: 15_000, interval: 5 };
