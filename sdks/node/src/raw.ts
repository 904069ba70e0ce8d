/**
 * The rpcs as the protos write them: one client per service, message init shapes in, messages out, over plain gRPC
 * calls. For subscriptions, for tools, and for what the friendly faces do not cover; many unary calls are far
 * cheaper through `PipelineClient`.
 */
import type { DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import type { Channel } from '@grpc/grpc-js';
import { type CallOptions, createClientFactory, Metadata } from 'nice-grpc';
import { checkAddresses, DEFAULT_ADDRESS } from './addresses.ts';
import { callErrors, type TimeoutOption } from './call-errors.ts';
import { type ChannelSettings, callMetadata, openChannel, type Token } from './channel.ts';
import { ErrorReason, GomsgError, GrpcCode, gomsgError } from './errors.ts';
import { ClusterService } from './gen/gomsg/v1/cluster_pb.js';
import { KVService } from './gen/gomsg/v1/kv_pb.js';
import { PipelineService } from './gen/gomsg/v1/pipeline_pb.js';
import { QueueService } from './gen/gomsg/v1/queue_pb.js';
import { StreamService } from './gen/gomsg/v1/stream_pb.js';
import { serviceDefinition } from './service-definition.ts';
import { noToken } from './service-error.ts';

export { DEFAULT_ADDRESS, Metadata };

/** Options of one call: `signal` cancels it, `timeout_ms` bounds it, `metadata` are its headers. */
export type RawCallOptions = CallOptions & TimeoutOption;

/** An rpc as a function, by its kind. */
export type RawMethod<M extends Pick<DescMethod, 'methodKind' | 'input' | 'output'>> = {
  unary: (
    request: MessageInitShape<M['input']>,
    options?: RawCallOptions,
  ) => Promise<MessageShape<M['output']>>;
  server_streaming: (
    request: MessageInitShape<M['input']>,
    options?: RawCallOptions,
  ) => AsyncIterable<MessageShape<M['output']>>;
  client_streaming: (
    requests: AsyncIterable<MessageInitShape<M['input']>>,
    options?: RawCallOptions,
  ) => Promise<MessageShape<M['output']>>;
  bidi_streaming: (
    requests: AsyncIterable<MessageInitShape<M['input']>>,
    options?: RawCallOptions,
  ) => AsyncIterable<MessageShape<M['output']>>;
}[M['methodKind']];

/** All rpcs of a service, by their lower-camel names. Every failure is a `GomsgError`. */
export type RawServiceClient<S extends { readonly method: DescService['method'] }> = {
  readonly [M in keyof S['method']]: RawMethod<S['method'][M]>;
};

export interface ConnectOptions extends ChannelSettings {
  /** `host:port` of a node. Default `127.0.0.1:9000`. */
  readonly address?: string;
  /** Several nodes of one cluster: calls go to the first that answers. Overrides `address`. */
  readonly addresses?: readonly string[];
}

export interface RawClient {
  readonly kv: RawServiceClient<typeof KVService>;
  readonly queue: RawServiceClient<typeof QueueService>;
  readonly stream: RawServiceClient<typeof StreamService>;
  readonly cluster: RawServiceClient<typeof ClusterService>;
  readonly pipeline: RawServiceClient<typeof PipelineService>;
  /** Address of the node that the next call goes to. */
  readonly address: string;
  /** Closes the connections; calls in flight fail. */
  close(): void;
}

/**
 * A client of a node or a cluster. Connects with the first call. Throws a TypeError for what is no address.
 *
 * Calls go to one node. When it cannot be reached, or is shutting down, the next call goes to the next of `addresses`;
 * the failed call itself is repeated there only if its rpc may be (`idempotency_level`), otherwise it fails.
 */
export function connect(options: ConnectOptions = {}): RawClient {
  const nodes = new Nodes(options.addresses ?? [options.address ?? DEFAULT_ADDRESS], options);
  return {
    kv: rawService(KVService, nodes),
    queue: rawService(QueueService, nodes),
    stream: rawService(StreamService, nodes),
    cluster: rawService(ClusterService, nodes),
    pipeline: rawService(PipelineService, nodes),
    get address() {
      return nodes.address;
    },
    close: () => nodes.close(),
  };
}

type UnaryCall = (request: unknown, options?: RawCallOptions) => Promise<unknown>;
type StreamingCall = (request: unknown, options?: RawCallOptions) => AsyncIterable<unknown>;
type Calls = Record<string, UnaryCall | StreamingCall>;

/** Clients whose calls carry the token of the settings, and fail with `GomsgError`s. */
function clientFactory({ token }: ChannelSettings) {
  const factory = createClientFactory().use(callErrors);
  if (token === undefined) return factory;
  return factory.use(async function* authorized(call, options) {
    const metadata = Metadata(options.metadata);
    for (const [name, value] of Object.entries((await authorization(token, call.method.path)).getMap()))
      metadata.set(name, value);
    return yield* call.next(call.request, { ...options, metadata });
  });
}

async function authorization(token: Token, path: string) {
  try {
    return await callMetadata(token);
  } catch (cause) {
    throw noToken(cause, path);
  }
}

/** The nodes of `addresses`, one of them current; a connection to each that was needed so far. */
class Nodes {
  readonly #addresses: readonly string[];
  readonly #settings: ChannelSettings;
  readonly #clients: ReturnType<typeof clientFactory>;
  readonly #channels = new Map<string, Channel>();
  readonly #calls = new Map<string, Calls>();
  #current = 0;
  #closed = false;

  constructor(addresses: readonly string[], settings: ChannelSettings) {
    this.#addresses = checkAddresses(addresses);
    this.#settings = settings;
    this.#clients = clientFactory(settings);
  }

  get count(): number {
    return this.#addresses.length;
  }

  get address(): string {
    return this.#addresses[this.#current]!;
  }

  /** The rpcs of a service at the current node. */
  calls(service: DescService): Calls {
    const key = `${this.address} ${service.typeName}`;
    let calls = this.#calls.get(key);
    if (calls === undefined) {
      calls = this.#clients.create(
        serviceDefinition(service),
        this.#channel(this.address),
      ) as unknown as Calls;
      this.#calls.set(key, calls);
    }
    return calls;
  }

  /** Turns to the next node, unless another call has turned away from that one already. */
  leave(address: string): void {
    if (this.address === address) this.#current = (this.#current + 1) % this.#addresses.length;
  }

  close(): void {
    this.#closed = true;
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
    this.#calls.clear();
  }

  #channel(address: string): Channel {
    if (this.#closed) {
      throw gomsgError({
        reason: ErrorReason.CANCELED,
        message: 'the client is closed: no call was sent',
      });
    }
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = openChannel(address, this.#settings);
      this.#channels.set(address, channel);
    }
    return channel;
  }
}

function rawService<S extends { readonly method: DescService['method'] }>(
  service: S,
  nodes: Nodes,
): RawServiceClient<S> {
  const description = service as unknown as DescService;
  const client: Record<string, unknown> = {};
  for (const method of description.methods) {
    client[method.localName] = answersOnce(method)
      ? unary(description, method, nodes)
      : streaming(description, method, nodes);
  }
  return client as RawServiceClient<S>;
}

function answersOnce({ methodKind }: DescMethod): boolean {
  return methodKind === 'unary' || methodKind === 'client_streaming';
}

function unary(service: DescService, method: DescMethod, nodes: Nodes): UnaryCall {
  const tries =
    method.methodKind === 'unary' && method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN
      ? nodes.count
      : 1;
  return async (request, options) => {
    for (let left = tries; ; left -= 1) {
      const { address } = nodes;
      try {
        return await (nodes.calls(service)[method.localName] as UnaryCall)(request, options);
      } catch (error) {
        if (!isLostNode(error)) throw error;
        nodes.leave(address);
        if (left === 1) throw error;
      }
    }
  };
}

function streaming(service: DescService, method: DescMethod, nodes: Nodes): StreamingCall {
  return async function* (request, options) {
    const { address } = nodes;
    try {
      yield* (nodes.calls(service)[method.localName] as StreamingCall)(request, options);
    } catch (error) {
      if (isLostNode(error)) nodes.leave(address);
      throw error;
    }
  };
}

/** The node cannot be reached or is shutting down: another one may answer. */
function isLostNode(error: unknown): boolean {
  return (
    error instanceof GomsgError &&
    ((error.reason === ErrorReason.UNSPECIFIED && error.code === GrpcCode.UNAVAILABLE) ||
      error.reason === ErrorReason.DRAINING)
  );
}
