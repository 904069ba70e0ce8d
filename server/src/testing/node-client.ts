/** A plain gRPC client of a node: every rpc by its descriptor, nothing retried. */
import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type CallError, fromServiceError } from './call-error.ts';

/** Larger than every answer of a node. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

export const passBytes = (bytes: Buffer): Buffer => bytes;

export interface UnaryOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the caller waits. Default: for ever. */
  readonly timeout_ms?: number;
}

export class NodeClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = rawClient(address);
  }

  /** @throws CallError */
  unary<I extends DescMessage, O extends DescMessage>(
    desc: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: UnaryOptions = {},
  ): Promise<MessageShape<O>> {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
    const deadline = options.timeout_ms === undefined ? {} : { deadline: Date.now() + options.timeout_ms };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(desc),
        passBytes,
        passBytes,
        encode(desc.input, request),
        metadata,
        deadline,
        (error: ServiceError | null, response?: Buffer) => {
          if (error === null) resolve(fromBinary(desc.output, response!));
          else reject(fromServiceError(error));
        },
      );
    });
  }

  /** Opens a server stream. It takes no more from its connection than it is asked for. */
  stream<I extends DescMessage, O extends DescMessage>(
    desc: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): MessageStream<MessageShape<O>> {
    const call = this.#client.makeServerStreamRequest(
      pathOf(desc),
      passBytes,
      passBytes,
      encode(desc.input, request),
    );
    return new MessageStream(call, (bytes) => fromBinary(desc.output, bytes));
  }

  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The messages of a server stream, pulled one at a time. */
export class MessageStream<T> implements AsyncIterableIterator<T> {
  readonly #call: ClientReadableStream<Buffer>;
  readonly #decode: (bytes: Uint8Array) => T;
  #ended = false;
  #error: CallError | undefined;
  #wake: (() => void) | undefined;

  constructor(call: ClientReadableStream<Buffer>, decode: (bytes: Uint8Array) => T) {
    this.#call = call;
    this.#decode = decode;
    const wake = () => this.#wake?.();
    call.on('readable', wake);
    call.on('end', () => {
      this.#ended = true;
      wake();
    });
    call.on('error', (error: ServiceError) => {
      this.#error = fromServiceError(error);
      wake();
    });
  }

  /** @throws CallError what ended the stream */
  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      const bytes: Buffer | null = this.#call.read();
      if (bytes !== null) return { done: false, value: this.#decode(bytes) };
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next message of a stream that must have one. */
  async take(): Promise<T> {
    const next = await this.next();
    if (next.done) throw new Error('the stream ended');
    return next.value;
  }

  cancel(): void {
    this.#call.cancel();
  }

  async return(): Promise<IteratorResult<T>> {
    this.cancel();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** A grpc-js client with a connection of its own. */
export function rawClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.service_config_disable_resolution': 1,
  });
}

export function pathOf(desc: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string {
  return `/${desc.parent.typeName}/${desc.name}`;
}

export function encode<D extends DescMessage>(desc: D, message: MessageInitShape<D>): Buffer {
  return Buffer.from(toBinary(desc, create(desc, message)));
}
