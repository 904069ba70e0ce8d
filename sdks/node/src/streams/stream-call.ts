/** One server-streaming call to one node, read at the pace of its reader. */
import {
  type Channel,
  ChannelCredentials,
  Client,
  type ClientReadableStream,
  connectivityState,
  type ServiceError,
} from '@grpc/grpc-js';
import { type ChannelSettings, callMetadata, openChannel } from '../channel.ts';
import { GomsgError } from '../errors.ts';
import { noToken, serviceError } from '../service-error.ts';

const identity = (bytes: Buffer): Buffer => bytes;

interface Connection {
  readonly channel: Channel;
  readonly client: Client;
  readonly calls: Set<ClientReadableStream<Buffer>>;
  users: number;
}

/** The connections of streams: one to each node that has any, made with the first and closed with the last. */
export class StreamChannels {
  readonly #settings: ChannelSettings;
  readonly #open = new Map<string, Connection>();

  constructor(settings: ChannelSettings) {
    this.#settings = settings;
  }

  /** Connections that stand or are being made. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Reads the responses of a call; ends with an error unless the server ends it. `signal` gives it up. `onLost` is
   * told that the connection is gone when it is, which a slow reader would see later.
   */
  async *read(
    address: string,
    path: string,
    request: Buffer,
    signal: AbortSignal,
    onLost: (error: GomsgError) => void,
  ): AsyncGenerator<Uint8Array, undefined, undefined> {
    const { client, calls } = this.#acquire(address);
    let call: ClientReadableStream<Buffer> | undefined;
    const cancel = () => call?.cancel();
    try {
      const metadata = await unlessAborted(this.#metadata(address), signal);
      if (metadata === undefined) return;
      call = client.makeServerStreamRequest(path, identity, identity, request, metadata);
      calls.add(call);
      call.once('error', (error: Error) => onLost(gomsgErrorOf(error, address)));
      // What follows from giving it up is of no interest, and must not be an unhandled event.
      call.on('error', () => {});
      signal.addEventListener('abort', cancel, { once: true });
      yield* call as AsyncIterable<Buffer>;
    } catch (error) {
      if (signal.aborted) return;
      throw isServiceError(error) ? serviceError(error, address) : error;
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
      if (call !== undefined) calls.delete(call);
      this.#release(address);
    }
  }

  /** Calls to a node were lost: streams that still wait for a connection to it need not find that out themselves. */
  nodeLost(address: string, error: GomsgError): void {
    const connection = this.#open.get(address);
    if (connection?.channel.getConnectivityState(false) === connectivityState.READY) return;
    for (const call of connection?.calls ?? []) call.destroy(error);
  }

  async #metadata(address: string) {
    try {
      return await callMetadata(this.#settings.token);
    } catch (cause) {
      throw noToken(cause, address);
    }
  }

  #acquire(address: string): Connection {
    let entry = this.#open.get(address);
    if (entry === undefined) {
      const channel = openChannel(address, this.#settings);
      const client = new Client(address, ChannelCredentials.createInsecure(), { channelOverride: channel });
      entry = { channel, client, calls: new Set(), users: 0 };
      this.#open.set(address, entry);
    }
    entry.users += 1;
    return entry;
  }

  #release(address: string): void {
    const entry = this.#open.get(address)!;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#open.delete(address);
    entry.channel.close();
  }
}

/** Undefined once the signal is aborted: a function that gives tokens may never answer. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const abort = () => aborted.resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function gomsgErrorOf(error: Error, address: string): GomsgError {
  return error instanceof GomsgError ? error : serviceError(error as ServiceError, address);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
