/** Streams of a process that is not one: what was written, and what is to be read. */
import { PassThrough } from 'node:stream';
import type { ProcessStreams } from '../process-streams.ts';

export interface CapturedStreams extends ProcessStreams {
  /** All that was written to standard output. */
  out(): Buffer;
  /** All that was written to standard error. */
  err(): string;
}

export interface CapturedOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether standard output and standard error are terminals. */
  readonly terminal?: boolean;
}

export function captureStreams({
  stdin = '',
  env = {},
  terminal = false,
}: CapturedOptions = {}): CapturedStreams {
  const stdout = collect(terminal);
  const stderr = collect(terminal);
  return {
    stdin: oneChunk(Buffer.from(stdin)),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    out: stdout.bytes,
    err: () => stderr.bytes().toString(),
  };
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes;
}

function collect(terminal: boolean) {
  const chunks: Buffer[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY: terminal, columns: 100 });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, bytes: () => Buffer.concat(chunks) };
}
