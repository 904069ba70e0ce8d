/** Where a value or payload comes from: an argument, standard input, or a file. */
import { createReadStream } from 'node:fs';
import { text } from '../arguments/kinds.ts';
import { option, optionalArgument } from '../arguments/spec.ts';
import type { CommandContext } from '../context.ts';
import { CommandError, UsageError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { humanBytes } from '../output/human.ts';
import { readAll } from '../output/output.ts';

/** The largest that a server can be set to take. */
const MAX_CONTENT_BYTES = 256 * 1024 * 1024;

/** In the place of a file: standard input or output. */
export const STANDARD_STREAM = '-';

export const contentArgument = (what: string) =>
  optionalArgument(`the ${what}; - reads it from standard input`, text(what));
export const contentFile = (what: string) => option(text('path'), `read the ${what} from a file`);

/** @throws UsageError when the content is given twice or not at all */
export async function readContent(
  { stdin }: CommandContext,
  what: string,
  argument: string | undefined,
  file: string | undefined,
): Promise<Uint8Array> {
  if (argument !== undefined && file !== undefined) {
    throw new UsageError(
      `the ${what} is given twice, as an argument and by --file`,
      'Give it in one of the two ways.',
    );
  }
  if (file !== undefined) return bounded(what, await readFile(file));
  if (argument === STANDARD_STREAM) return bounded(what, await readAll(stdin, MAX_CONTENT_BYTES));
  if (argument !== undefined) return Buffer.from(argument);
  throw new UsageError(
    `the ${what} is missing`,
    `Give it as an argument, as - to read standard input, or by --file.`,
  );
}

async function readFile(path: string): Promise<Buffer | undefined> {
  try {
    return await readAll(createReadStream(path), MAX_CONTENT_BYTES);
  } catch (error) {
    throw fileError(path, error);
  }
}

function bounded(what: string, content: Buffer | undefined): Buffer {
  if (content !== undefined) return content;
  throw new UsageError(`the ${what} is larger than ${humanBytes(MAX_CONTENT_BYTES)}, which no server takes`);
}

/** A file that cannot be read or written. */
export function fileError(path: string, error: unknown): CommandError {
  const message = error instanceof Error ? error.message : String(error);
  return new CommandError(`${path}: ${message}`, {
    exitCode: ExitCode.failed,
    action: 'Check the path and that you may use the file.',
    cause: error,
  });
}
