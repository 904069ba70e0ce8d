/**
 * Durable sets through the Node SDK, so many in flight, for so long. Prints one line of JSON.
 * `node bench/clients/node/load.ts --address localhost:9000 --in-flight 1000 --duration 5 --value-bytes 64`
 */
import { parseArgs } from 'node:util';
import { connect } from '@gomsg/client';

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: 'localhost:9000' },
    'in-flight': { type: 'string', default: '1000' },
    /** Seconds that count, after those of warming up. */
    duration: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '1' },
    'value-bytes': { type: 'string', default: '64' },
  },
});

const KEYS = 10_000;
const MS_PER_S = 1_000;
const US_PER_MS = 1_000;

const inFlight = Number(values['in-flight']);
const value = 'v'.repeat(Number(values['value-bytes']));
const client = connect(values.address);
const latencies_ms: number[] = [];
let sent = 0;
let counts = false;
let ends_ms = Number.POSITIVE_INFINITY;

async function worker(): Promise<void> {
  while (performance.now() < ends_ms) {
    sent += 1;
    const began_ms = performance.now();
    await client.kv.set(`key:${sent % KEYS}`, value);
    if (counts) latencies_ms.push(performance.now() - began_ms);
  }
}

const workers = Array.from({ length: inFlight }, worker);
await new Promise((resolve) => setTimeout(resolve, Number(values['warm-up']) * MS_PER_S));
const cpuBefore = process.cpuUsage();
const began_ms = performance.now();
counts = true;
ends_ms = began_ms + Number(values.duration) * MS_PER_S;
await Promise.all(workers);
const seconds = (performance.now() - began_ms) / MS_PER_S;
const { user, system } = process.cpuUsage(cpuBefore);
await client.close();

latencies_ms.sort((a, b) => a - b);
const at = (share: number) => latencies_ms[Math.floor(latencies_ms.length * share)] ?? 0;
const rounded = (number: number) => Math.round(number * US_PER_MS) / US_PER_MS;
console.log(
  JSON.stringify({
    calls: latencies_ms.length,
    seconds: rounded(seconds),
    p50_ms: rounded(at(0.5)),
    p99_ms: rounded(at(0.99)),
    cpu_us_per_call: rounded((user + system) / latencies_ms.length),
  }),
);
