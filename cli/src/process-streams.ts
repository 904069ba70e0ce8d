/** What a process is given: its streams and its environment. */
import type { Sink } from './output/output.ts';

export interface ProcessStreams {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: Sink;
  readonly stderr: NodeJS.WritableStream & Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
}
