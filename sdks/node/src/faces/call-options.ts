/** Options that every method takes. */
import * as input from './input.ts';

export interface CallOptions {
  /**
   * How many seconds to wait for the answer; time that the server itself was asked to wait comes on top. Default: the
   * client's.
   */
  readonly timeout?: number;
  /** Gives the call up. Whether a write was applied is then unknown. */
  readonly signal?: AbortSignal;
}

/** Names of the options that every unary method takes. */
export const CALL_OPTIONS: ReadonlySet<string> = new Set(['timeout', 'signal']);

/** Node's timers hold no more. */
const MAX_TIMEOUT_S = (2 ** 31 - 1) / 1000;

/** An options object with known names only. */
export function optionsOf<T extends object>(
  options: T | undefined,
  names: ReadonlySet<string>,
  method: string,
): T | undefined {
  if (options === undefined) return undefined;
  const { timeout, signal } = input.fields(names, options, method, 'options');
  if (timeout !== undefined) checkTimeout(timeout, method);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw input.invalid(method, 'signal', `must be an AbortSignal, not ${input.described(signal)}`);
  }
  return options;
}

export function checkTimeout(timeout: unknown, method: string, parameter = 'timeout'): void {
  if (typeof timeout === 'number' && timeout > 0 && timeout <= MAX_TIMEOUT_S) return;
  const given = input.described(timeout);
  throw input.invalid(
    method,
    parameter,
    `must be more than 0 and at most ${MAX_TIMEOUT_S} seconds, not ${given}`,
  );
}
