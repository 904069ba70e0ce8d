/** What went wrong, as an exit code and in words. */
import type { GomsgError } from '@gomsg/client/errors';
import { CommandError, OutputClosedError } from './errors.ts';
import { ExitCode } from './exit-codes.ts';
import { type JsonObject, stringify } from './output/json.ts';
import { isClosedPipe } from './output/output.ts';

/** Canonical gRPC codes (google.rpc.Code) and the exit codes that they lead to; all others fail. */
const EXIT_CODES: Readonly<Record<number, ExitCode>> = {
  3: ExitCode.usage, // INVALID_ARGUMENT
  4: ExitCode.unreachable, // DEADLINE_EXCEEDED
  5: ExitCode.no, // NOT_FOUND
  6: ExitCode.no, // ALREADY_EXISTS
  14: ExitCode.unreachable, // UNAVAILABLE
};

const CONDITION_FAILED = 'CONDITION_FAILED';
const CANCELED = 'CANCELED';
/** Reasons of UNAVAILABLE that a server gave: it was reached, and cannot do it now. */
const UNSPECIFIED = 'UNSPECIFIED';
const DRAINING = 'DRAINING';

export interface Failure {
  readonly exitCode: ExitCode;
  readonly message: string;
  readonly action: string;
  /** The name of the catalogue's reason; absent for errors of the command line itself. */
  readonly reason?: string;
}

/** An exit code alone when there is nothing to tell: the reader of the output went away, and that is how pipes end. */
export function failureOf(error: unknown, server: string): Failure | ExitCode {
  if (error instanceof OutputClosedError || isClosedPipe(error)) return ExitCode.done;
  if (error instanceof CommandError) {
    const { exitCode, message, action } = error;
    return isGomsgError(error.cause)
      ? { exitCode, message, action, reason: error.cause.reasonName }
      : { exitCode, message, action };
  }
  if (isGomsgError(error)) return callFailure(error, server);
  return {
    exitCode: ExitCode.failed,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    action: 'This is a bug of gomsg: report it with what you typed.',
  };
}

function isGomsgError(error: unknown): error is GomsgError {
  // By its shape: each family has a class of its own, and only commands that made a call have loaded them.
  return error instanceof Error && 'reasonName' in error;
}

function callFailure(error: GomsgError, server: string): Failure {
  const { code, reasonName: reason, message, action } = error;
  if (reason === UNSPECIFIED && code === 14) {
    return {
      exitCode: ExitCode.unreachable,
      reason,
      message: `no server answers at ${server} (${message})`,
      action: 'Start one with "gomsg", or name another with --server or GOMSG_SERVER.',
    };
  }
  if (reason === CONDITION_FAILED) return { exitCode: ExitCode.no, reason, message, action };
  if (reason === CANCELED) return { exitCode: ExitCode.interrupted, reason, message, action };
  // A server that says why it is not available was reached.
  const wasReached = code === 14 && reason !== DRAINING;
  return {
    exitCode: wasReached ? ExitCode.failed : (EXIT_CODES[code] ?? ExitCode.failed),
    reason,
    message,
    action,
  };
}

/** For standard error: two lines, or a JSON object. */
export function describeFailure({ exitCode, message, action, reason }: Failure, asJson: boolean): string {
  if (!asJson) return action === '' ? `gomsg: ${message}` : `gomsg: ${message}\n${action}`;
  const error: JsonObject = { ...(reason !== undefined && { reason }), message, action, exitCode };
  return stringify({ error });
}
