/** Ports of the loopback interface for servers that end and come back where they were. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what Linux, macOS and Windows hand out to those who ask for any port: a server that asks for one in the
 * meantime would else get this one now and then.
 */
const FIRST = 20_000;
const LAST = 31_999;
/** Processes of one test run that look for ports at the same time have a range each. */
const RANGES = 8;
const RANGE = Math.floor((LAST - FIRST + 1) / RANGES);

const start = FIRST + RANGE * (Number(process.env.VITEST_POOL_ID ?? 0) % RANGES);
let next = Math.floor(Math.random() * RANGE);

/** A free port that nobody else gets, whether or not something listens on it, in the next hundreds of calls. */
export async function keptPort(): Promise<number> {
  for (let tries = 0; tries < RANGE; tries++) {
    const port = start + next;
    next = (next + 1) % RANGE;
    if (await isFree(port)) return port;
  }
  throw new Error(`none of the ports ${start} to ${start + RANGE - 1} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
