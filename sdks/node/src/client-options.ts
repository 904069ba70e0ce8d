/** How a client is made. */
import { checkAddresses } from './addresses.ts';
import { type ChannelSettings, readTls, type TlsOptions, type Token } from './channel.ts';
import { ErrorReason, gomsgError } from './errors.ts';
import { checkTimeout } from './faces/call-options.ts';
import * as input from './faces/input.ts';
import type { Hooks } from './hooks.ts';
import type { PipelineLimits } from './pipeline/options.ts';

/** All are optional; times are in seconds. */
export interface ClientOptions {
  /** How long a call waits for its answer, if it does not say otherwise. Default 30. */
  readonly timeout?: number;
  /** Calls fail with UNREACHABLE once no node could be reached for this long. Default 10. */
  readonly unreachableTimeout?: number;
  /** `true` trusts the system's authorities; an object says more. Default: no TLS. */
  readonly tls?: boolean | TlsOptions;
  /** Sent as `authorization: Bearer …` with every connection and call; a function is asked each time. */
  readonly token?: Token;
  /** Calls that servers may have at once; more wait. Default 4,096. */
  readonly maxInFlightCalls?: number;
  /** Bytes of their requests, each with 256 bytes for its own sake. Default 32 MiB. */
  readonly maxInFlightBytes?: number;
  /** Calls that may wait; the next fails with OVERLOADED. Default 65,536. */
  readonly maxWaitingCalls?: number;
  /** Bytes of their requests. Default 64 MiB. */
  readonly maxWaitingBytes?: number;
  /** Largest encoded request. Default 16 MiB less 1 KiB. */
  readonly maxRequestBytes?: number;
  /** First wait before a try to connect again or to repeat a refused call; each next one doubles. Default 0.025. */
  readonly retryDelay?: number;
  /** Longest such wait. Default 2. */
  readonly maxRetryDelay?: number;
  /** Times that one call is sent at most. Default 10. */
  readonly maxSends?: number;
  /** Most elements that a method collects from pages, such as `kv.keys`. Default 100,000. */
  readonly maxCollected?: number;
  /** Nodes are pinged this often over connections on which something is open. Default 3. */
  readonly keepaliveInterval?: number;
  /**
   * A connection that leaves a ping unanswered this long is given up, and what was open on it goes on at another node.
   * Default 2: a node that falls silent is left after 5 s at most. Give more to a program that keeps its thread busy
   * for seconds.
   */
  readonly keepaliveTimeout?: number;
  /** A try to connect is given up after this long. Default 5. */
  readonly connectTimeout?: number;
  /** How long `close` waits for calls that are under way. Default 5. */
  readonly closeTimeout?: number;
  /** Told what the client does. */
  readonly hooks?: Hooks;
}

export interface ClientSettings {
  readonly addresses: readonly string[];
  readonly channel: ChannelSettings;
  readonly limits: Partial<PipelineLimits> &
    Pick<PipelineLimits, 'timeout_ms' | 'unreachableTimeout_ms' | 'retryDelay_ms' | 'maxRetryDelay_ms'>;
  readonly maxCollected: number;
  readonly closeTimeout_ms: number;
  readonly hooks: Hooks;
}

const DEFAULT_ADDRESS = 'localhost:9000';
const METHOD = 'connect';
const TLS_OPTIONS: ReadonlySet<string> = new Set(['ca', 'cert', 'key', 'serverName']);

const TIMES = [
  'timeout',
  'unreachableTimeout',
  'retryDelay',
  'maxRetryDelay',
  'keepaliveInterval',
  'keepaliveTimeout',
  'connectTimeout',
  'closeTimeout',
] as const satisfies readonly (keyof ClientOptions)[];

const COUNTS = [
  'maxInFlightCalls',
  'maxInFlightBytes',
  'maxWaitingCalls',
  'maxWaitingBytes',
  'maxRequestBytes',
  'maxSends',
  'maxCollected',
] as const satisfies readonly (keyof ClientOptions)[];

const NAMES: ReadonlySet<string> = new Set([...TIMES, ...COUNTS, 'tls', 'token', 'hooks']);

/** @throws INVALID_REQUEST for what is no address, or an option of a wrong type */
export function clientSettings(
  addresses: string | readonly string[] | undefined,
  options: ClientOptions,
): ClientSettings {
  input.fields(NAMES, options, METHOD, 'options');
  for (const name of TIMES) {
    if (options[name] !== undefined) checkTimeout(options[name], METHOD, name);
  }
  for (const name of COUNTS) {
    const count = options[name];
    if (count === undefined || (Number.isSafeInteger(count) && count > 0)) continue;
    throw input.invalid(METHOD, name, `must be an integer above 0, not ${input.described(count)}`);
  }
  const { timeout = 30, unreachableTimeout = 10, retryDelay = 0.025, maxRetryDelay = 2 } = options;
  const { maxInFlightCalls, maxInFlightBytes, maxWaitingCalls, maxWaitingBytes, maxRequestBytes, maxSends } =
    options;
  return {
    addresses: addressList(addresses),
    channel: given({
      tls: tlsOf(options.tls),
      token: tokenOf(options.token),
      keepaliveInterval_ms: milliseconds(options.keepaliveInterval),
      keepaliveTimeout_ms: milliseconds(options.keepaliveTimeout),
      connectTimeout_ms: milliseconds(options.connectTimeout),
    }),
    limits: {
      ...given({
        maxInFlightCalls,
        maxInFlightBytes,
        maxWaitingCalls,
        maxWaitingBytes,
        maxRequestBytes,
        maxSends,
      }),
      timeout_ms: timeout * 1000,
      unreachableTimeout_ms: unreachableTimeout * 1000,
      retryDelay_ms: retryDelay * 1000,
      maxRetryDelay_ms: maxRetryDelay * 1000,
    },
    maxCollected: options.maxCollected ?? 100_000,
    closeTimeout_ms: (options.closeTimeout ?? 5) * 1000,
    hooks: options.hooks ?? {},
  };
}

function addressList(addresses: string | readonly string[] | undefined): readonly string[] {
  const list = typeof addresses === 'string' ? addresses.split(',') : (addresses ?? [DEFAULT_ADDRESS]);
  try {
    if (!Array.isArray(list)) throw new TypeError(`give host:port, not ${input.described(addresses)}`);
    return checkAddresses(list.map((address) => (typeof address === 'string' ? address.trim() : address)));
  } catch (cause) {
    throw gomsgError({
      reason: ErrorReason.INVALID_REQUEST,
      method: METHOD,
      subject: 'addresses',
      message: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

function tlsOf(tls: ClientOptions['tls']): ClientOptions['tls'] {
  if (tls === undefined || typeof tls === 'boolean') return tls;
  if (typeof tls !== 'object' || tls === null) {
    throw input.invalid(METHOD, 'tls', `must be true, false or an object, not ${input.described(tls)}`);
  }
  const { serverName } = input.fields(TLS_OPTIONS, tls, METHOD, 'tls');
  if (serverName !== undefined) input.string(serverName, METHOD, 'tls.serverName');
  try {
    return readTls(tls);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw gomsgError({
      reason: ErrorReason.INVALID_REQUEST,
      method: METHOD,
      subject: 'tls',
      message: `tls cannot be used: ${why}`,
      cause,
    });
  }
}

function tokenOf(token: ClientOptions['token']): ClientOptions['token'] {
  if (token === undefined || typeof token === 'function') return token;
  if (typeof token !== 'string') {
    throw input.invalid(METHOD, 'token', `must be a string or a function, not ${input.described(token)}`);
  }
  // What a header cannot carry, such as the end of a line behind a token that was read from a file.
  if (!/^[ -~]*$/.test(token)) throw input.invalid(METHOD, 'token', 'must be of printable ASCII characters');
  return token;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Without what is undefined. */
function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(pairs) as { [K in keyof T]?: NonNullable<T[K]> };
}
