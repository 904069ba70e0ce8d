/**
 * One stream of `PipelineService/Execute` to one node, from the first try to connect to its end.
 *
 * Straight on grpc-js with serialisers that pass bytes on. Through nice-grpc every frame would take an async
 * generator, two promises and one more copy each way.
 */
import {
  type Channel,
  ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type ChannelSettings, callMetadata, openChannel } from '../channel.ts';
import type { GomsgError } from '../errors.ts';
import { PipelineService } from '../gen/gomsg/v1/pipeline_pb.js';
import { noToken, serviceError } from '../service-error.ts';

const EXECUTE_PATH = `/${PipelineService.typeName}/${PipelineService.method.execute.name}`;

const identity = (bytes: Buffer): Buffer => bytes;

export interface LinkListener {
  /** The connection stands; `onWritable` follows. */
  onConnected(): void;
  /** The node is connected, or took what was written before: `write` may be called. */
  onWritable(): void;
  onFrame(frame: Buffer): void;
  /** The link is over; nothing follows. Not called after `destroy`. */
  onEnd(error: GomsgError | undefined): void;
}

export class Link {
  readonly address: string;
  readonly #listener: LinkListener;
  readonly #settings: ChannelSettings;
  readonly #channel: Channel;
  readonly #client: Client;
  #stream: ClientDuplexStream<Buffer, Buffer> | undefined;
  #writable = false;
  #ended = false;

  constructor(address: string, settings: ChannelSettings, listener: LinkListener) {
    this.address = address;
    this.#listener = listener;
    this.#settings = settings;
    this.#channel = openChannel(address, settings);
    this.#client = new Client(address, ChannelCredentials.createInsecure(), {
      channelOverride: this.#channel,
    });
    this.#connect();
  }

  /** True when the connection stands and takes another frame. */
  get writable(): boolean {
    return this.#writable;
  }

  /** The connection stands, as far as is known. */
  get connected(): boolean {
    return !this.#ended && this.#channel.getConnectivityState(false) === connectivityState.READY;
  }

  /** Sends a frame. Only while writable. */
  write(frame: Buffer): void {
    this.#writable = this.#stream!.write(frame);
  }

  /** Half-closes: the node answers what it took and ends the link. */
  end(): void {
    this.#writable = false;
    if (this.#stream === undefined) this.#finish(undefined);
    else this.#stream.end();
  }

  /** Ends the link at once. */
  destroy(): void {
    this.#ended = true;
    this.#writable = false;
    this.#stream?.cancel();
    this.#channel.close();
  }

  /** Opens the stream when the connection stands, so that a frame that was never sent is never taken for sent. */
  #connect(): void {
    if (this.#ended) return;
    const state = this.#channel.getConnectivityState(true);
    if (state === connectivityState.READY) {
      const metadata = callMetadata(this.#settings.token);
      if (metadata instanceof Metadata) this.#begin(metadata);
      else {
        metadata.then(
          (ready) => this.#begin(ready),
          (error: unknown) => this.#finish(noToken(error, this.address)),
        );
      }
    } else if (state === connectivityState.TRANSIENT_FAILURE) {
      // Fails at once, with the reason that the channel does not tell otherwise.
      this.#open(new Metadata());
    } else {
      this.#channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#connect());
    }
  }

  #begin(metadata: Metadata): void {
    if (this.#ended) return;
    this.#open(metadata);
    this.#writable = true;
    this.#listener.onConnected();
    this.#listener.onWritable();
  }

  #open(metadata: Metadata): void {
    const stream = this.#client.makeBidiStreamRequest(EXECUTE_PATH, identity, identity, metadata);
    this.#stream = stream;
    stream.on('data', (frame: Buffer) => {
      if (!this.#ended) this.#listener.onFrame(frame);
    });
    stream.on('drain', () => {
      if (this.#ended) return;
      this.#writable = true;
      this.#listener.onWritable();
    });
    stream.on('error', (error: ServiceError) => this.#finish(serviceError(error, this.address)));
    stream.on('end', () => this.#finish(undefined));
  }

  #finish(error: GomsgError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#writable = false;
    this.#channel.close();
    this.#listener.onEnd(error);
  }
}
