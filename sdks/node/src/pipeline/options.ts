/** How a pipeline client is made and called. */
import type { ChannelSettings } from '../channel.ts';
import type { GomsgError } from '../errors.ts';

/** Bounds and times of a client. All have defaults, in `PIPELINE_DEFAULTS`. */
export interface PipelineLimits {
  /** Calls that the server may have at once; more wait. Default 4,096. */
  readonly maxInFlightCalls: number;
  /** Bytes of their requests, each with 256 bytes for its own sake. Default 32 MiB. */
  readonly maxInFlightBytes: number;
  /** Calls that may wait; the next fails with OVERLOADED. Default 65,536. */
  readonly maxWaitingCalls: number;
  /** Bytes of their requests, counted like those in flight. Default 64 MiB. */
  readonly maxWaitingBytes: number;
  /** Largest encoded request. A server takes frames of `limits.max-frame-bytes`. Default 16 MiB less 1 KiB. */
  readonly maxRequestBytes: number;
  /** How long a call waits for its answer, if it does not say otherwise, in milliseconds. Default 30,000. */
  readonly timeout_ms: number;
  /** Calls fail once no node could be reached for this long. Default 10,000. */
  readonly unreachableTimeout_ms: number;
  /** First wait before a try to connect again or to repeat a refused call; each next one doubles. Default 25. */
  readonly retryDelay_ms: number;
  /** Longest such wait. Default 2,000. */
  readonly maxRetryDelay_ms: number;
  /** Times that one call is sent at most. Default 10. */
  readonly maxSends: number;
}

export const PIPELINE_DEFAULTS: PipelineLimits = {
  maxInFlightCalls: 4_096,
  maxInFlightBytes: 32 * 1024 * 1024,
  maxWaitingCalls: 65_536,
  maxWaitingBytes: 64 * 1024 * 1024,
  maxRequestBytes: 16 * 1024 * 1024 - 1024,
  timeout_ms: 30_000,
  unreachableTimeout_ms: 10_000,
  retryDelay_ms: 25,
  maxRetryDelay_ms: 2_000,
  maxSends: 10,
};

export interface PipelineOptions extends Partial<PipelineLimits> {
  /** `host:port` of a node. Default `127.0.0.1:9000`. */
  readonly address?: string;
  /** Several nodes of one cluster, of which one is used at a time. Overrides `address`. */
  readonly addresses?: readonly string[];
  /** How connections are made and kept. */
  readonly channel?: ChannelSettings;
  /** Ask which node leads what, and send calls straight there. Default false: all calls go to one node. */
  readonly routing?: boolean;
  /** Told of connections and retries. Must not throw. */
  readonly observer?: PipelineObserver;
}

export interface PipelineObserver {
  connected?(address: string): void;
  /** A connection broke or could not be made. */
  disconnected?(address: string, error: GomsgError): void;
  /** A call is sent again, `delay_ms` later. */
  retried?(method: string, error: GomsgError, delay_ms: number): void;
}

/** Options of one call. */
export interface PipelineCallOptions {
  /** How long to wait for the answer, in milliseconds. Default: the client's `timeout_ms`. */
  readonly timeout_ms?: number;
  /** Gives the call up. Whether a write was applied is then unknown. */
  readonly signal?: AbortSignal;
}
