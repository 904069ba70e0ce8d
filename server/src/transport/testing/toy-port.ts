/** A port on a free number that serves the toy methods, and the clients that tests call it with. */
import { connect as connectSocket, type Socket } from 'node:net';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { Client, credentials, type Metadata, type ServiceError } from '@grpc/grpc-js';
import { KVServiceGetRequestSchema, KVServiceGetResponseSchema } from '../../gen/gomsg/v1/kv_pb.js';
import { Health } from '../../observe/health.ts';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import type { Method } from '../../services/method.ts';
import { healthMethods, probePages } from '../health.ts';
import { openPort, type Port, type PortLimits, type TlsOptions } from '../port.ts';
import { reflectionMethods } from '../reflection.ts';
import { type ToyLog, toyMethods } from './toy-methods.ts';

export interface ToyPort extends AsyncDisposable {
  readonly port: Port;
  readonly log: ToyLog;
  readonly health: Health;
  readonly metrics: NodeMetrics;
  /** What was reported as a bug, as `where: message`. */
  readonly bugs: string[];
  /** `host:port`. */
  readonly address: string;
  /** `http://host:port`. */
  readonly url: string;
}

export interface ToyPortOptions {
  readonly limits?: Partial<PortLimits>;
  readonly tls?: TlsOptions;
  readonly wrap?: (methods: Method[], metrics: NodeMetrics) => readonly Method[];
}

/** Opens the port; disposing of it closes it at once. */
export async function openToyPort(options: ToyPortOptions = {}): Promise<ToyPort> {
  const { methods, log } = toyMethods();
  const health = new Health();
  health.serving();
  const metrics = new NodeMetrics();
  const bugs: string[] = [];
  const services = new Set(methods.map((method) => method.desc.parent.typeName));
  const own = [...methods, ...healthMethods(health, services)];
  const all = [...own, ...reflectionMethods(own)];
  const port = await openPort({
    host: '127.0.0.1',
    port: 0,
    methods: options.wrap?.(all, metrics) ?? all,
    pages: probePages(health, metrics.exposition),
    meters: metrics.transport,
    reportBug: (error, where) => bugs.push(`${where}: ${error instanceof Error ? error.message : error}`),
    ...(options.tls && { tls: options.tls }),
    ...(options.limits && { limits: options.limits }),
  });
  const address = `127.0.0.1:${port.port}`;
  return {
    port,
    log,
    health,
    metrics,
    bugs,
    address,
    url: `${options.tls ? 'https' : 'http'}://${address}`,
    [Symbol.asyncDispose]: () => port.drain(0),
  };
}

/** A grpc-js client that sends and receives bytes. */
export class RawClient extends Client {
  constructor(address: string, channel = credentials.createInsecure()) {
    // Every client its own connection, or tests would share one.
    super(address, channel, { 'grpc.use_local_subchannel_pool': 1 });
  }

  /** A unary call. Rejects with grpc-js's ServiceError. */
  unary(path: string, request: Uint8Array, metadata: Metadata, deadline_ms?: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Buffer) =>
        error === null ? resolve(response!) : reject(error);
      const options = deadline_ms === undefined ? {} : { deadline: deadline_ms };
      this.makeUnaryRequest(path, passBytes, passBytes, Buffer.from(request), metadata, options, done);
    });
  }
}

export const passBytes = (bytes: Buffer): Buffer => bytes;

export function encode<D extends DescMessage>(desc: D, message: MessageInitShape<D>): Buffer {
  return Buffer.from(toBinary(desc, create(desc, message)));
}

/** The request of Get for a key. */
export function getRequest(key: string): Buffer {
  return encode(KVServiceGetRequestSchema, { key });
}

/** The value in a response of Get, as text. */
export function textOf(response: Uint8Array | MessageShape<typeof KVServiceGetResponseSchema>): string {
  const message =
    response instanceof Uint8Array ? fromBinary(KVServiceGetResponseSchema, response) : response;
  return new TextDecoder().decode(message.value);
}

/** Opens a plain TCP connection to the port, once it is established. */
export async function openSocket(port: Port): Promise<Socket> {
  const socket = connectSocket(port.port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Everything that comes on a connection until the other side closes it. */
export function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => resolve(Buffer.concat(chunks)));
  });
}

/** All items, once the last has come. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
