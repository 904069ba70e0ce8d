/** What a command gets from the command line around it. */
import type { RawCallOptions, RawClient } from '@gomsg/client/raw';
import type { Output } from './output/output.ts';

export interface CommandContext {
  /** Connects with its first call. */
  readonly client: RawClient;
  /** `host:port` that calls go to. */
  readonly server: string;
  readonly output: Output;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** For progress bars, which draw; all else is written through `output`. */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Options of a call that answers once: --timeout, on top of what the server itself may wait. */
  call(serverWait_ms?: number): RawCallOptions;
  /** Options of a stream: it runs until somebody ends it. */
  stream(): RawCallOptions;
}
