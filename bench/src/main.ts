/** `npm run bench`: what gomsg does on this machine, beside what it is held to. */
import { growth } from './cluster/growth/growth.ts';
import { nodesBench } from './cluster/nodes-bench.ts';
import { failover } from './failover/failover.ts';
import { bench } from './load/bench.ts';
import { type BenchOptions, type Mode, parseOptions, USAGE, UsageError } from './load/options.ts';
import { sdkBench } from './sdks/sdk-bench.ts';

type Print = (line: string) => void;

/** Runs of the bench; false when a run found something wrong, as opposed to slow. */
const MODES: Readonly<Record<Mode, (options: BenchOptions, print: Print) => Promise<boolean>>> = {
  rows: async (options, print) => {
    await bench(options, print);
    return true;
  },
  sdks: async (options, print) => {
    await sdkBench(options, print);
    return true;
  },
  nodes: async (options, print) => {
    await nodesBench(options, print);
    return true;
  },
  failover,
  growth: async (options, print) => (await growth(options, print)).passed,
};

// An end that runs the exit handlers, which end the server.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(USAGE);
  else if (!(await MODES[options.mode](options, (line) => process.stdout.write(`${line}\n`))))
    process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
