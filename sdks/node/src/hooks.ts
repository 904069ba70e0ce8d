/** Functions of the application that are told what a client does: for traces, metrics and logs. */
import type { GomsgError } from './errors.ts';

export interface CallInfo {
  /** Such as `kv.get`. */
  readonly method: string;
  /** The rpc that it calls, such as `gomsg.v1.KVService/Get`. */
  readonly rpc: string;
  /** The key, queue or topic that decides which node takes the call, where it has one. */
  readonly target: string | undefined;
}

export interface CallResult {
  /** Undefined when the call succeeded. */
  readonly error: GomsgError | undefined;
  /** Seconds from the call to its end. */
  readonly duration: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** All are optional. What they throw is ignored, so that they cannot break a call. */
export interface Hooks {
  /** A call begins; the function that it returns, if any, is told how the call ended. */
  readonly onCall?: (call: CallInfo) => ((result: CallResult) => void) | undefined;
  /** A connection for calls stands. */
  readonly onConnect?: (connection: { readonly address: string }) => void;
  /** A connection for calls broke, or could not be made. */
  readonly onDisconnect?: (connection: { readonly address: string; readonly error: GomsgError }) => void;
  /** A call or a subscription tries again, after `delay` seconds. */
  readonly onRetry?: (retry: {
    readonly method: string;
    readonly error: GomsgError;
    readonly delay: number;
  }) => void;
  /** Something that somebody may want to read later. */
  readonly log?: (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Runs a hook, whatever it does: neither what it throws nor a promise of it that is rejected goes any further. */
export function told<A extends readonly unknown[], R>(
  hook: ((...args: A) => R) | undefined,
  ...args: A
): R | undefined {
  try {
    const returned = hook?.(...args);
    if (returned instanceof Promise) returned.catch(() => {});
    return returned;
  } catch {
    return undefined;
  }
}
