/** The errors of the command line itself; those of calls are the client's `GomsgError`. */
import { ExitCode } from './exit-codes.ts';

/** Ends the command with a message, what to do next, and an exit code. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly exitCode: ExitCode;
  /** What to do about it; empty when the message says all. */
  readonly action: string;

  constructor(message: string, options: { exitCode: ExitCode; action?: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode;
    this.action = options.action ?? '';
  }
}

/** The command line, or a value in it, is wrong. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';

  constructor(message: string, action = '') {
    super(message, { exitCode: ExitCode.usage, action });
  }
}

/** Whoever read the output went away, as `head` does: nothing more can be written, and that is no failure. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}
