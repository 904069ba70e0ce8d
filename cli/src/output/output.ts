/** Standard output and standard error as commands write to them. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { OutputClosedError } from '../errors.ts';
import { safeContent, safeText } from './content.ts';
import { type Json, messageToJson, stringify } from './json.ts';

export type OutputFormat = 'text' | 'json';

/** What a stream must have to be written to: the face of process.stdout that is used. */
export interface Sink {
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export class Output {
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #color: boolean;
  readonly format: OutputFormat;

  constructor(options: { stdout: Sink; stderr: Sink; format: OutputFormat; color: boolean }) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.#color = options.color;
    this.format = options.format;
  }

  get isJson(): boolean {
    return this.format === 'json';
  }

  /** Whether a person looks at standard output. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /**
   * Resolves once the system took it, so that what is acknowledged after was handed on, and a slow reader slows us.
   * @throws OutputClosedError when nobody reads any more
   */
  write(chunk: string | Uint8Array): Promise<void> {
    if (chunk.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#stdout.write(chunk, (error) => {
        if (!error) resolve();
        else if (isClosedPipe(error)) reject(new OutputClosedError());
        else reject(error);
      });
    });
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  lines(texts: readonly string[]): Promise<void> {
    return this.write(texts.map((text) => `${text}\n`).join(''));
  }

  /** A table or facts, their titles bold in a terminal. */
  table(lines: readonly string[]): Promise<void> {
    const [titles = '', ...rows] = lines;
    return this.lines([this.#color ? `\u001b[1m${titles}\u001b[0m` : titles, ...rows]);
  }

  json(value: Json): Promise<void> {
    return this.line(stringify(value));
  }

  /** One JSON object a line. */
  jsonLines(values: readonly Json[]): Promise<void> {
    return this.lines(values.map(stringify));
  }

  /** An answer: as JSON its fields, as text what `text` says. */
  answer<D extends DescMessage>(
    schema: D,
    message: MessageShape<D>,
    text: () => string | readonly string[],
  ): Promise<void> {
    if (this.isJson) return this.json(messageToJson(schema, message));
    const shown = text();
    return typeof shown === 'string' ? this.line(shown) : this.lines(shown);
  }

  /** A value by itself: exact bytes into a pipe or file, harmless text and a line end in a terminal. */
  content(bytes: Uint8Array): Promise<void> {
    return this.isTerminal ? this.line(safeContent(bytes)) : this.write(bytes);
  }

  /**
   * Values in lines, each behind what `before` says of it; for reading, and for line tools. Line feeds inside a value
   * are not escaped.
   */
  contentLines<T>(
    items: readonly T[],
    content: (item: T) => Uint8Array,
    before: (item: T) => string,
  ): Promise<void> {
    const parts: Uint8Array[] = [];
    for (const item of items) {
      parts.push(Buffer.from(this.isTerminal ? safeText(before(item)) : before(item)));
      parts.push(this.isTerminal ? Buffer.from(safeContent(content(item))) : content(item), LINE_FEED);
    }
    return this.write(Buffer.concat(parts));
  }

  /** Tells a person something beside the answer; nothing when standard error is not a terminal. */
  note(text: string): void {
    if (this.#stderr.isTTY) this.#stderr.write(`${text}\n`);
  }

  /** Warnings and errors, for whoever reads standard error. */
  warn(text: string): void {
    this.#stderr.write(`${text}\n`);
  }
}

const LINE_FEED = Buffer.from('\n');

export function isClosedPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET';
}

/** All of a stream's bytes, at most `maxBytes`. */
export async function readAll(
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > maxBytes) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}
