/** One TCP port for every protocol. */
import { setMaxListeners } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions } from 'node:tls';
import type { DescFile } from '@bufbuild/protobuf';
import type { Method } from '../services/method.ts';
import { type ConnectionMeters, Connections } from './connections.ts';
import type { ReportBug } from './failures.ts';
import { createGrpcServer } from './grpc-server.ts';
import { createHttp1Server, createHttpListener, type Pages, textPage } from './http-server.ts';
import { lazyConnectServer } from './lazy-connect.ts';
import { MethodNames } from './unknown-method.ts';

/** Bounds and times of a port. All have defaults, in `PORT_DEFAULTS`. */
export interface PortLimits {
  /** Largest request or response message on the wire. Default 16 MiB. */
  readonly maxFrameBytes: number;
  /** Connections open at once; the next is told so and closed. Default 20,000. */
  readonly maxConnections: number;
  /** Calls open at once on one HTTP/2 connection. Default 1,000. */
  readonly maxStreamsPerConnection: number;
  /** Bytes of a streaming call that may wait for its connection before its producer is held back. Default 256 KiB. */
  readonly maxUnsentBytesPerStream: number;
  /** Bytes that a stream of an HTTP/2 connection may send ahead of being read. Default 256 KiB. */
  readonly receiveWindowBytes: number;
  /** Largest header block of an HTTP/1 request. Default 16 KiB. HTTP/2 has its own limit, 64 KiB. */
  readonly maxHeaderBytes: number;
  /** A connection must have said its protocol, shaken hands and sent its HTTP/1 headers by then. Default 10 s. */
  readonly handshakeTimeout_ms: number;
  /** A request must have arrived whole by then. Default 60 s. Bidirectional streams may take for ever. */
  readonly requestTimeout_ms: number;
  /** A kept-alive HTTP/1 connection may wait this long for its next request. Default 60 s. */
  readonly keepAliveTimeout_ms: number;
  /** How often a quiet HTTP/2 connection is pinged. Default 30 s. */
  readonly keepaliveInterval_ms: number;
  /** A connection that leaves a ping unanswered this long is closed. Default 10 s. */
  readonly keepaliveTimeout_ms: number;
  /** An HTTP/2 connection without a call for this long is asked to close; 0 = never. Default 0. */
  readonly idleTimeout_ms: number;
}

export const PORT_DEFAULTS: PortLimits = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxConnections: 20_000,
  maxStreamsPerConnection: 1_000,
  maxUnsentBytesPerStream: 256 * 1024,
  receiveWindowBytes: 256 * 1024,
  maxHeaderBytes: 16 * 1024,
  handshakeTimeout_ms: 10_000,
  requestTimeout_ms: 60_000,
  keepAliveTimeout_ms: 60_000,
  keepaliveInterval_ms: 30_000,
  keepaliveTimeout_ms: 10_000,
  idleTimeout_ms: 0,
};

/** PEM certificate, key and authorities. With `ca`, clients must show a certificate that it signed. */
export type TlsOptions = Pick<SecureContextOptions, 'cert' | 'key' | 'ca'>;

export interface PortOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Everything that is served, already wrapped by its interceptors; health and reflection included. */
  readonly methods: readonly Method[];
  /** Describe the types that may appear in a `google.protobuf.Any` in JSON. Default: none. */
  readonly files?: readonly DescFile[];
  /** Pages beside `/`, such as `/metrics`. Default: none. */
  readonly pages?: Pages;
  /** Unset = no TLS. */
  readonly tls?: TlsOptions;
  readonly limits?: Partial<PortLimits>;
  readonly meters: ConnectionMeters;
  readonly reportBug: ReportBug;
}

export interface Port {
  readonly host: string;
  /** The number in use, also when 0 was asked for. */
  readonly port: number;
  /** Aborted when the drain begins. */
  readonly draining: AbortSignal;
  /** Connections and calls open now. */
  readonly openConnections: number;
  readonly openStreams: number;
  /**
   * Stops accepting, asks every connection to close, lets the calls under way finish, and after `timeout_ms` aborts
   * the rest. Resolves when the last connection is gone. Calling it again only waits, or cuts the timeout short.
   */
  drain(timeout_ms: number): Promise<void>;
}

/** The address cannot be listened on. The message says why and what to change. */
export class PortUnavailableError extends Error {
  override readonly name = 'PortUnavailableError';
}

const UNAVAILABLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it, or choose another port with --port',
  EACCES: 'this user may not listen there; choose a port above 1023 with --port',
  EADDRNOTAVAIL: 'this machine has no such address; choose one of its own with --host',
  ENOTFOUND: 'the name of the host does not resolve; choose an address with --host',
};

function unavailable(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const why = UNAVAILABLE[error.code ?? ''];
  if (why === undefined) return error;
  return new PortUnavailableError(`cannot listen on ${host}:${port}: ${why}`, { cause: error });
}

/** Opens the port. Rejects with PortUnavailableError when the address is in use or may not be bound. */
export async function openPort(options: PortOptions): Promise<Port> {
  const limits: PortLimits = { ...PORT_DEFAULTS, ...options.limits };
  const draining = new AbortController();
  // One listener for each open stream.
  setMaxListeners(0, draining.signal);

  const names = new MethodNames(options.methods);
  const streams = {
    maxUnsentBytes: limits.maxUnsentBytesPerStream,
    draining: draining.signal,
    report: options.reportBug,
  };
  const connect = lazyConnectServer(options.methods, options.files ?? [], { ...limits, ...streams });
  const pages: Pages = { '/': () => textPage(200, WELCOME), ...options.pages };
  const listener = createHttpListener(connect, pages, names, options.reportBug);
  const http1 = createHttp1Server(listener, { ...limits, headersTimeout_ms: limits.handshakeTimeout_ms });
  const grpc = createGrpcServer(options.methods, names, listener, { ...limits, ...streams });
  const connections = new Connections({ http1, http2: grpc }, limits, options.meters);

  const server = listenerFor(options.tls, connections, limits);
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) => reject(unavailable(error, options.host, options.port));
    server.once('error', refuse);
    server.listen(options.port, options.host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  // Past this point an error of the listener is one failed accept (out of files, say); it goes on listening.
  server.on('error', (error) => options.reportBug(error, 'accept'));

  return {
    host: address.address,
    port: address.port,
    draining: draining.signal,
    get openConnections() {
      return connections.size;
    },
    get openStreams() {
      return grpc.openStreams;
    },
    drain: async (timeout_ms) => {
      if (!draining.signal.aborted) {
        server.close();
        connections.destroyUndecided();
        draining.abort();
        http1.drain();
        grpc.drain(timeout_ms);
      }
      const deadline = setTimeout(() => connections.destroyAll(), timeout_ms);
      await connections.allClosed();
      clearTimeout(deadline);
      http1.close();
      grpc.close();
    },
  };
}

const WELCOME = `gomsg speaks gRPC, Connect, gRPC-Web and JSON on this port.

  buf curl http://HOST:PORT/gomsg.v1.KVService/Get -d '{"key":"name"}'
  curl http://HOST:PORT/gomsg.v1.KVService/Get -H 'content-type: application/json' -d '{"key":"name"}'

/metrics  figures for Prometheus
/healthz  200 while the process runs
/readyz   200 while calls are taken`;

function listenerFor(tls: TlsOptions | undefined, connections: Connections, limits: PortLimits): Server {
  // Kernel keepalive finds dead HTTP/1 peers; HTTP/2 connections are pinged.
  const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepaliveInterval_ms };
  if (tls === undefined) {
    return connections.guard(createTcpServer(tcp, (socket) => connections.acceptPlain(socket)));
  }
  const server = createTlsServer({
    ...tcp,
    ...tls,
    requestCert: tls.ca !== undefined,
    rejectUnauthorized: tls.ca !== undefined,
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: limits.handshakeTimeout_ms,
  });
  server.on('connection', (socket: Socket) => connections.acceptBeforeTls(socket));
  server.on('secureConnection', (socket) => connections.acceptAfterTls(socket, socket.alpnProtocol));
  return connections.guard(server);
}
