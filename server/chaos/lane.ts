/** Clients at work: a lane makes one call after the other, with pauses, until it is told to stop. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../src/raft/testing/random.ts';

export interface Lane {
  readonly name: string;
  /** Resolves once `stop` is aborted and its last call has ended. Rejects only for what is wrong with the lane itself. */
  run(stop: AbortSignal): Promise<void>;
}

/** A pause of about so long, cut short by `stop`. */
export async function think(about_ms: number, random: Random, stop: AbortSignal): Promise<void> {
  await pause(about_ms * (0.5 + random.next()), undefined, { signal: stop }).catch(() => {});
}
