/** The HTTP side of the port: Connect and its kin, and a few plain pages for people, probes and Prometheus. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { toJson } from '@bufbuild/protobuf';
import { ErrorDetailSchema } from '../gen/gomsg/v1/common_pb.js';
import { errorDetail, errorDetailBytes } from '../services/errors.ts';
import type { ConnectServer } from './connect-server.ts';
import { grpcCode, wireMessage } from './grpc-status.ts';
import type { MethodNames } from './unknown-method.ts';

// An import would evaluate every export of the module, its WebSocket among them, and with that load an HTTP client that
// takes 16 MB.
const { createServer } = process.getBuiltinModule('node:http');

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** The part of a response that HTTP/1 and HTTP/2 share in their types. */
interface PlainResponse {
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  statusCode: number;
  setHeader(name: string, value: string | readonly string[]): unknown;
  end(body: Buffer): unknown;
}

export type HttpListener = (request: HttpRequest, response: HttpResponse) => void;

/** A page: what `GET path` gives. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Pages by path, such as `/metrics`. A page that rejects is answered with 500. */
export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

/** Answers one HTTP request of any version. */
export function createHttpListener(
  connect: ConnectServer,
  pages: Pages,
  names: MethodNames,
  report: (error: unknown, where: string) => void,
): HttpListener {
  return (request, response) => {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    if (connect(path, request, response)) return;
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      if (path.split('/').length === 3) answerUnknownMethod(names, path, request, response);
      else sendPage(request, response, textPage(404, `nothing at ${path.slice(0, 200)}; see /`));
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      sendPage(request, response, textPage(405, `${path} is read with GET`));
      return;
    }
    answer(page).then(
      (found) => sendPage(request, response, found),
      (error: unknown) => {
        report(error, path);
        sendPage(request, response, textPage(500, `${path} failed; the server's log says why`));
      },
    );
  };
}

/** So that a page that throws and one that rejects are the same. */
async function answer(page: () => Page | Promise<Page>): Promise<Page> {
  return page();
}

/** A page of one line of text. */
export function textPage(status: number, line: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n` };
}

export function sendPage(request: HttpRequest, response: PlainResponse, page: Page): void {
  if (response.writableEnded || response.destroyed) return;
  const body = Buffer.from(page.body);
  response.statusCode = page.status;
  response.setHeader('content-type', page.contentType);
  response.setHeader('content-length', String(body.length));
  response.end(request.method === 'HEAD' ? Buffer.alloc(0) : body);
}

/** In the error format of the caller's protocol: gRPC-Web has its status in headers, everything else gets Connect's JSON. */
function answerUnknownMethod(
  names: MethodNames,
  path: string,
  request: HttpRequest,
  response: PlainResponse,
): void {
  const failure = names.notFound(path);
  if (request.headers['content-type']?.startsWith('application/grpc-web')) {
    response.setHeader('content-type', 'application/grpc-web+proto');
    response.setHeader('grpc-status', String(grpcCode(failure)));
    response.setHeader('grpc-message', encodeURI(wireMessage(failure)));
    response.end(Buffer.alloc(0));
    return;
  }
  const detail = {
    type: ErrorDetailSchema.typeName,
    value: Buffer.from(errorDetailBytes(failure)).toString('base64').replace(/=+$/, ''),
    debug: toJson(ErrorDetailSchema, errorDetail(failure)),
  };
  const error = { code: 'unimplemented', message: wireMessage(failure), details: [detail] };
  sendPage(request, response, { status: 404, contentType: 'application/json', body: JSON.stringify(error) });
}

export interface HttpServerOptions {
  /** A request whose headers take longer is answered 408 and its connection closed. */
  readonly headersTimeout_ms: number;
  /** The same for the whole request. */
  readonly requestTimeout_ms: number;
  /** How long a connection may wait for its next request. */
  readonly keepAliveTimeout_ms: number;
  readonly maxHeaderBytes: number;
}

export interface Http1Server {
  /** Takes over a connection, whose first bytes may lie unread in its buffer. */
  accept(connection: Duplex): void;
  /** Closes idle connections now, the others after the response that they wait for. */
  drain(): void;
  close(): void;
}

/** HTTP/1.1 on connections that are given to it. */
export function createHttp1Server(listener: HttpListener, options: HttpServerOptions): Http1Server {
  const unanswered = new Set<ServerResponse>();
  let draining = false;
  const server = createServer({
    headersTimeout: Math.min(options.headersTimeout_ms, options.requestTimeout_ms),
    requestTimeout: options.requestTimeout_ms,
    keepAliveTimeout: options.keepAliveTimeout_ms,
    connectionsCheckingInterval: Math.min(options.headersTimeout_ms, options.keepAliveTimeout_ms) / 2,
    maxHeaderSize: options.maxHeaderBytes,
  });
  server.on('request', (request, response) => {
    if (draining) response.shouldKeepAlive = false;
    unanswered.add(response);
    response.once('close', () => unanswered.delete(response));
    listener(request, response);
  });
  // It never listens itself, and this event is what starts its watch over header and request timeouts.
  server.emit('listening');
  return {
    accept: (connection) => void server.emit('connection', connection),
    drain: () => {
      draining = true;
      for (const response of unanswered) response.shouldKeepAlive = false;
      server.closeIdleConnections();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
