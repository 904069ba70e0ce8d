/** Connects a command to its server and its streams. */
import type { CommandContext } from './context.ts';
import type { GlobalOptions } from './global-options.ts';
import type { Output } from './output/output.ts';
import type { ProcessStreams } from './process-streams.ts';

/** The longest that the client's timeouts can be. */
const MAX_TIMEOUT_MS = 99_999_999;

/** A transfer that waits for its server should find it soon after it is back. */
const MAX_RECONNECT_DELAY_MS = 500;

/** The client is loaded here: help and completion do without. */
export async function openContext(
  options: GlobalOptions,
  streams: ProcessStreams,
  output: Output,
  signal: AbortSignal,
): Promise<CommandContext> {
  const { connect } = await import('@gomsg/client/raw');
  return {
    client: connect({ address: options.server, maxReconnectDelay_ms: MAX_RECONNECT_DELAY_MS }),
    server: options.server,
    output,
    stdin: streams.stdin,
    stderr: streams.stderr,
    signal,
    call: (serverWait_ms = 0) => ({
      signal,
      timeout_ms: Math.min(Math.max(options.timeout_ms + serverWait_ms, 1), MAX_TIMEOUT_MS),
    }),
    stream: () => ({ signal }),
  };
}
