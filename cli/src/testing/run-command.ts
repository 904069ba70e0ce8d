/** Command lines in this process, against a server in another. */
import { run } from '../run.ts';
import { type CapturedOptions, captureStreams } from './captured-streams.ts';

export interface CommandResult {
  readonly exitCode: number;
  readonly out: string;
  readonly outBytes: Buffer;
  readonly err: string;
}

export interface CommandOptions extends CapturedOptions {
  /** `host:port` that GOMSG_SERVER names. */
  readonly server?: string;
  readonly signal?: AbortSignal;
}

/** `line` is split at blanks; arguments with blanks are given as an array. */
export async function runCommand(
  line: string | readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const args = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
  const env = { ...(options.server !== undefined && { GOMSG_SERVER: options.server }), ...options.env };
  const streams = captureStreams({ ...options, env });
  const exitCode = await run(args, {
    streams,
    signal: options.signal ?? new AbortController().signal,
    onClientStart() {},
    serve: () => Promise.reject(new Error('no test serves in its own process')),
  });
  return { exitCode, out: streams.out().toString(), outBytes: streams.out(), err: streams.err() };
}

/** The lines of JSON output. */
export function jsonLines({ out }: CommandResult): Record<string, unknown>[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
