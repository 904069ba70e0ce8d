/** gRPC over HTTP/2 by grpc-js, with every other HTTP/2 request passed on to the HTTP side. */
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Method } from '../services/method.ts';
import { grpcBidi } from './grpc-bidi.ts';
import { grpcServerStream, type StreamOptions } from './grpc-server-stream.ts';
import { toGrpcStatus } from './grpc-status.ts';
import { grpcUnary } from './grpc-unary.ts';
import type { HttpListener } from './http-server.ts';
import { ReceiveWindows } from './receive-windows.ts';
import { RequestTimeouts } from './request-timeouts.ts';
import { type MethodNames, methodPath } from './unknown-method.ts';

export interface GrpcServerOptions extends StreamOptions {
  readonly maxFrameBytes: number;
  readonly maxStreamsPerConnection: number;
  readonly receiveWindowBytes: number;
  readonly keepaliveInterval_ms: number;
  readonly keepaliveTimeout_ms: number;
  /** 0 = never. */
  readonly idleTimeout_ms: number;
  readonly requestTimeout_ms: number;
}

export interface GrpcServer {
  /** Takes over a connection that opens with the HTTP/2 preface, which may lie unread in its buffer. */
  accept(connection: Duplex): void;
  /** HTTP/2 streams open now, of any protocol. */
  readonly openStreams: number;
  /** Asks all connections to close (GOAWAY) once their calls are done. */
  drain(timeout_ms: number): void;
  close(): void;
}

const identity = (bytes: Buffer): Buffer => bytes;
const ignore = (): void => {};

/** As grpc-js names the kinds when a method is registered. */
const GRPC_JS_KINDS = { unary: 'unary', server_streaming: 'serverStream', bidi_streaming: 'bidi' } as const;

/** Never asked to close for being idle: the largest value that grpc-js takes for "no limit". */
const NEVER_IDLE_MS = 2 ** 31 - 1;

/** How grpc-js is given a stream. Not part of its typed face; `grpc-server.test.ts` fails if it ever changes. */
interface StreamEntry {
  _streamHandler(
    interceptors: unknown[],
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    rawHeaders: string[],
  ): void;
}

export function createGrpcServer(
  methods: readonly Method[],
  names: MethodNames,
  otherRequests: HttpListener,
  options: GrpcServerOptions,
): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxFrameBytes,
    'grpc.max_send_message_length': options.maxFrameBytes,
    'grpc.max_concurrent_streams': options.maxStreamsPerConnection,
    'grpc.keepalive_time_ms': options.keepaliveInterval_ms,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeout_ms,
    'grpc.max_connection_idle_ms': options.idleTimeout_ms === 0 ? NEVER_IDLE_MS : options.idleTimeout_ms,
    // Channelz keeps a record per connection and counts every message: the metrics count already.
    'grpc.enable_channelz': 0,
  });
  const byPath = new Map<string, Method>();
  for (const method of methods) {
    byPath.set(methodPath(method), method);
    server.register(
      methodPath(method),
      handler(method, options),
      identity,
      identity,
      GRPC_JS_KINDS[method.kind],
    );
  }

  // A browser over TLS speaks Connect or gRPC-Web in HTTP/2, on a connection that grpc-js has; its own answer would
  // be 415. A second server that never listens turns such a stream into the request and response of `node:http`.
  const http = createServer();
  http.on('request', otherRequests);
  const timeouts = new RequestTimeouts(options.requestTimeout_ms);
  const windows = new ReceiveWindows(options.receiveWindowBytes);

  const entry = server as unknown as StreamEntry;
  const toGrpc = entry._streamHandler;
  entry._streamHandler = function (interceptors, stream, headers, flags, rawHeaders) {
    // A stream fails with its connection; there is nobody left to answer, and unheard the error would end the process.
    stream.on('error', ignore);
    // Streams are announced a tick after they came; their connection may have broken since. Answering one that is gone
    // throws, here and in grpc-js.
    if (stream.destroyed || stream.closed) return;
    const method = byPath.get(headers[':path'] ?? '');
    const isBidi = method?.kind === 'bidi_streaming';
    timeouts.opened(stream, !isBidi);
    windows.opened(stream, isBidi ? method.receiveWindowBytes : undefined);
    if (!isGrpc(headers['content-type'])) http.emit('stream', stream, headers, flags, rawHeaders);
    else if (method === undefined) refuse(stream, names, headers[':path'] ?? '');
    else toGrpc.call(this, interceptors, stream, headers, flags, rawHeaders);
  };
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());

  return {
    accept: (connection) => injector.injectConnection(connection),
    get openStreams() {
      return timeouts.openStreams;
    },
    drain: (timeout_ms) => injector.drain(timeout_ms),
    close: () => {
      timeouts.close();
      injector.destroy();
      server.forceShutdown();
    },
  };
}

function handler(method: Method, options: GrpcServerOptions) {
  switch (method.kind) {
    case 'unary':
      return grpcUnary(method, options.report);
    case 'server_streaming':
      return grpcServerStream(method, options);
    case 'bidi_streaming':
      return grpcBidi(method, options);
  }
}

function isGrpc(contentType: string | undefined): boolean {
  return (
    contentType?.startsWith('application/grpc') === true && !contentType.startsWith('application/grpc-web')
  );
}

/** The answer to a gRPC call of an unknown method: a response of trailers alone. */
function refuse(stream: ServerHttp2Stream, names: MethodNames, path: string): void {
  const status = toGrpcStatus(names.notFound(path));
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc+proto',
      'grpc-status': status.code,
      'grpc-message': encodeURI(status.details),
      ...status.metadata.toHttp2Headers(),
    },
    { endStream: true },
  );
  // What the caller still sends is read and dropped, or the connection's flow-control window would shrink for good.
  stream.resume();
}
