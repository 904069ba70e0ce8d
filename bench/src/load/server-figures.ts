/** What is measured of the server once, beside the rows. */
import type { Memory } from './process-usage.ts';
import { cpuTime_us, memory } from './process-usage.ts';
import type { ServerProcess } from './server-process.ts';

export interface ServerFigures {
  readonly firstAnswer_ms: number;
  readonly idle: Memory | undefined;
}

/** A process that used less than this share of a core over a look is quiet. */
const QUIET_SHARE = 0.05;
const LOOK_MS = 250;
const LOOKS_MAX = 20;

/** The server's first figures. */
export async function serverFigures(server: ServerProcess): Promise<ServerFigures> {
  await quiet(server.pid);
  return { firstAnswer_ms: server.firstAnswer_ms, idle: memory(server.pid) };
}

/** Waits until the server has finished what it still does in the background, five seconds at most. */
export async function quiet(pid: number): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const before_us = cpuTime_us(pid);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const after_us = cpuTime_us(pid);
    if (before_us === undefined || after_us === undefined) return;
    if (after_us - before_us <= LOOK_MS * 1000 * QUIET_SHARE) return;
  }
}
