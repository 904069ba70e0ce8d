/** `npm run bench`: what gomsg does on this machine, beside what it is held to. */
import { bench } from './load/bench.ts';
import { parseOptions, USAGE, UsageError } from './load/options.ts';
import { sdkBench } from './sdks/sdk-bench.ts';

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

// An end that runs the exit handlers, which end the server.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(USAGE);
  else if (options.sdks.length > 0) await sdkBench(options, print);
  else await bench(options, print);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
