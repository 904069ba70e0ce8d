/** The client: all services of a node or a cluster. */
import { type ClientOptions, type ClientSettings, clientSettings } from './client-options.ts';
import { Calls } from './faces/calls.ts';
import { Services } from './faces/gen/services.ts';
import { told } from './hooks.ts';
import { PipelineClient } from './pipeline.ts';
import { connect as connectRaw, type RawClient } from './raw.ts';
import type { StreamNetwork } from './streams/reconnecting.ts';
import { StreamChannels } from './streams/stream-call.ts';
import { Streams } from './streams/streams.ts';

/**
 * A client of a node or a cluster. It connects with the first call; one client is enough for a program. Until it is
 * closed, connections that it has made keep the process alive.
 */
export interface Client extends Services, AsyncDisposable {
  /** The rpcs as the contracts write them, over plain gRPC calls. */
  readonly raw: RawClient;
  /**
   * Closes the subscriptions, takes no more calls, waits for those under way up to `closeTimeout` seconds, and ends the
   * connections. A second call changes nothing.
   */
  close(): Promise<void>;
}

/**
 * A client of the nodes at these addresses: `host:port`, several with commas between them, or a list. Default
 * `localhost:9000`.
 * @throws InvalidArgumentError for what is no address, or a wrong option
 */
export function connect(addresses?: string | readonly string[], options: ClientOptions = {}): Client {
  return new GomsgClient(clientSettings(addresses, options));
}

class GomsgClient extends Services implements Client {
  readonly raw: RawClient;
  readonly #pipeline: PipelineClient;
  readonly #streams: Streams;
  readonly #closeTimeout_ms: number;
  #closing: Promise<void> | undefined;

  constructor(settings: ClientSettings) {
    const { addresses, channel, limits, maxCollected, hooks } = settings;
    const retried: StreamNetwork['retried'] = (method, error, delay_ms) =>
      told(hooks.onRetry, { method, error, delay: delay_ms / 1000 });
    const channels = new StreamChannels(channel);
    const pipeline = new PipelineClient({
      ...limits,
      addresses,
      channel,
      routing: true,
      observer: {
        connected: (address) => told(hooks.onConnect, { address }),
        disconnected: (address, error) => {
          told(hooks.onDisconnect, { address, error });
          channels.nodeLost(address, error);
        },
        retried,
      },
    });
    const calls = new Calls(pipeline, { timeout_ms: limits.timeout_ms, maxCollected, hooks });
    const network: StreamNetwork = {
      channels,
      backoff: { first_ms: limits.retryDelay_ms, longest_ms: limits.maxRetryDelay_ms },
      unreachableTimeout_ms: limits.unreachableTimeout_ms,
      addressesFor: (route) => pipeline.addressesFor(route),
      failed: (address, error, route) => pipeline.streamFailed(address, error, route),
      retried,
    };
    const streams = new Streams(calls, network, hooks);
    super(calls, streams);
    this.#pipeline = pipeline;
    this.#streams = streams;
    this.#closeTimeout_ms = settings.closeTimeout_ms;
    this.raw = connectRaw({ ...channel, addresses });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const until_ms = performance.now() + this.#closeTimeout_ms;
    const timedOut = Promise.withResolvers<void>();
    const timer = setTimeout(timedOut.resolve, this.#closeTimeout_ms);
    const streams = this.#streams.close();
    // They wait for acknowledgements, which fail in the end with all other calls.
    await Promise.race([streams, timedOut.promise]);
    clearTimeout(timer);
    await this.#pipeline.close(Math.max(0, until_ms - performance.now()));
    await streams;
    this.raw.close();
  }
}
