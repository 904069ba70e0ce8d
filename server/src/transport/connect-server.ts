/** Connect, gRPC-Web and JSON by connect-es, over whatever HTTP version the request came in. */
import { createRegistry, type DescFile } from '@bufbuild/protobuf';
import { type ConnectRouter, createConnectRouter, createContextValues } from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import type { Method } from '../services/method.ts';
import { connectBidi, connectServerStream, connectUnary } from './connect-calls.ts';
import { peerKey } from './connect-context.ts';
import type { StreamOptions } from './grpc-server-stream.ts';
import { type HttpRequest, type HttpResponse, sendPage, textPage } from './http-server.ts';

export interface ConnectServerOptions extends StreamOptions {
  readonly maxFrameBytes: number;
}

/** Serves the request if its path is a method's; says whether it was. */
export type ConnectServer = (path: string, request: HttpRequest, response: HttpResponse) => boolean;

/** @param files describe the types that may appear in a `google.protobuf.Any` in JSON. */
export function createConnectServer(
  methods: readonly Method[],
  files: readonly DescFile[],
  options: ConnectServerOptions,
): ConnectServer {
  const router = createConnectRouter({
    // gRPC needs HTTP/2 trailers and is grpc-js's.
    grpc: false,
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: options.maxFrameBytes,
    writeMaxBytes: options.maxFrameBytes,
    // A misspelt field must not be dropped in silence: `ifVersion` is the difference between a safe write and none.
    jsonOptions: { registry: createRegistry(...files), ignoreUnknownFields: false },
  });
  for (const method of methods) mount(router, method, options);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return (path, request, response) => {
    const handle = handlers.get(path);
    if (handle === undefined) return false;
    // Whoever left while this server was loaded would not be heard leaving: a watch would go on for nobody.
    if (isGone(response)) return true;
    const values = createContextValues().set(peerKey, peerOf(request));
    let universal: ReturnType<typeof universalRequestFromNodeRequest>;
    try {
      universal = universalRequestFromNodeRequest(request, response, undefined, values);
    } catch {
      // No Host header, or one that is no host.
      response.setHeader('connection', 'close');
      sendPage(request, response, textPage(400, 'the request has no valid host'));
      return true;
    }
    handle(universal)
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        // What is left here is a connection that broke while the answer was written.
        if (!universal.signal.aborted && !isGone(response)) options.report(error, path);
        response.destroy();
      });
    return true;
  };
}

function mount(router: ConnectRouter, method: Method, options: StreamOptions): void {
  switch (method.kind) {
    case 'unary':
      router.rpc(method.desc, connectUnary(method, options.report));
      return;
    case 'server_streaming':
      router.rpc(method.desc, connectServerStream(method, options));
      return;
    case 'bidi_streaming':
      router.rpc(method.desc, connectBidi(method, options));
      return;
  }
}

/** Whether the connection, or the stream of one, is no more. */
function isGone(response: HttpResponse): boolean {
  return 'stream' in response ? response.stream.destroyed : response.destroyed;
}

function peerOf(request: HttpRequest): string {
  const { remoteAddress, remotePort } = request.socket;
  return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
}
