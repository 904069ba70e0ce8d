/** The options that every client command has. */
import { address, choice, duration } from './arguments/kinds.ts';
import { option, optionOr, type Specs } from './arguments/spec.ts';
import type { OutputFormat } from './output/output.ts';

const DEFAULT_PORT = 9000;
const DEFAULT_SERVER = 'localhost:9000';
const DEFAULT_TIMEOUT = '30s';

const server = address(DEFAULT_PORT);
const format = choice<OutputFormat, OutputFormat>({ text: 'text', json: 'json' });

export const globalSpecs = {
  server: option(server, `the server (GOMSG_SERVER, else ${DEFAULT_SERVER})`, { short: 's' }),
  output: option(format, 'text for people, json for scripts (GOMSG_OUTPUT, else text)', { short: 'o' }),
  timeout: optionOr(duration, DEFAULT_TIMEOUT, 'how long to wait for an answer'),
} satisfies Specs;

export interface GlobalOptions {
  readonly server: string;
  readonly output: OutputFormat;
  readonly timeout_ms: number;
}

/** What was typed goes before the environment. */
export function globalOptions(
  typed: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): GlobalOptions {
  return {
    server: (typed.server as string | undefined) ?? server.parse(env.GOMSG_SERVER || DEFAULT_SERVER),
    output: (typed.output as OutputFormat | undefined) ?? format.parse(env.GOMSG_OUTPUT || 'text'),
    timeout_ms: (typed.timeout as number | undefined) ?? duration.parse(DEFAULT_TIMEOUT),
  };
}

/** Flags that begin a client's command line; any other flag in front is the server's. */
export const GLOBAL_FLAGS: ReadonlySet<string> = new Set(['--server', '-s', '--output', '-o', '--timeout']);
