/** Waits for what another process brings about. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 5;
const GIVE_UP_MS = 20_000;

/** Resolves with the first value that is not undefined. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const from_ms = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - from_ms > GIVE_UP_MS) throw new Error(`waited in vain until ${what}`);
    await delay(POLL_MS);
  }
}
