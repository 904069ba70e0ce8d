/** What the exit code of `gomsg` says, for scripts. */
export const ExitCode = {
  /** It is done. */
  done: 0,
  /** The answer is no: not found, the condition did not hold, no message was ready. */
  no: 1,
  /** The command line or a value in it is wrong; the same line fails again. */
  usage: 2,
  /** No server answered. */
  unreachable: 3,
  /** Anything else: the server refused, or a file could not be read. */
  failed: 4,
  /** Ended by Ctrl-C before it was done, as shells count it: 128 + SIGINT. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
