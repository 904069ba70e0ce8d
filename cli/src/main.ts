/** The program `gomsg`: the server, and the commands that talk to one. */
import { ExitCode } from './exit-codes.ts';
import { run } from './run.ts';

const args = process.argv.slice(2);
const interruption = new AbortController();

/** The first Ctrl-C lets a command end in its own way, the second ends it. */
function interrupt(): void {
  if (interruption.signal.aborted) process.exit(ExitCode.interrupted);
  interruption.abort();
}

process.exitCode = await run(args, {
  streams: process,
  signal: interruption.signal,
  onClientStart() {
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    // Told to whoever writes next, where it ends the command: `gomsg kv keys | head`.
    process.stdout.on('error', () => {});
    process.stderr.on('error', () => {});
  },
  // Loaded only here, with all that a server needs.
  serve: async (serverArgs) => (await import('@gomsg/server')).serve(serverArgs),
});
