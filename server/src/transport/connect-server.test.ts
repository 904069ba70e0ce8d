/** Callers of Connect who leave before their call is looked at, as while the server for it is still being loaded. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createConnectServer } from './connect-server.ts';
import type { HttpRequest, HttpResponse } from './http-server.ts';
import { toyMethods } from './testing/toy-methods.ts';
import { getRequest } from './testing/toy-port.ts';

const PATH = '/gomsg.v1.KVService/Get';
const CONTENT_TYPE = 'application/proto';

/** Serves the first request once its caller has left, and the others at once. */
function lateServer() {
  const bugs: string[] = [];
  const { methods, log } = toyMethods();
  const serve = createConnectServer(methods, [], {
    maxFrameBytes: 1 << 20,
    maxUnsentBytes: 1 << 20,
    draining: new AbortController().signal,
    report: (error, where) => bugs.push(`${where}: ${error}`),
  });
  const served = Promise.withResolvers<boolean>();
  const seen = Promise.withResolvers<void>();
  let requests = 0;
  const listener = (request: HttpRequest, response: HttpResponse): void => {
    if (requests++ > 0) {
      serve(PATH, request, response);
      return;
    }
    // Behind everything that tells of the end of the connection.
    response.once('close', () => setImmediate(() => served.resolve(serve(PATH, request, response))));
    seen.resolve();
  };
  return { listener, bugs, log, seen: seen.promise, served: served.promise };
}

describe('a caller who has left is not served, and is no bug', () => {
  test('over HTTP/1', async () => {
    const late = lateServer();
    const server = createServer(late.listener).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
    const call = (signal?: AbortSignal) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': CONTENT_TYPE, connection: 'close' },
        body: new Uint8Array(getRequest('name')),
        ...(signal && { signal }),
      });
    const leave = new AbortController();
    const left = call(leave.signal).catch(() => {});
    await late.seen;
    leave.abort();
    await left;
    expect(await late.served).toBe(true);
    expect((await call()).status).toBe(200);
    expect(late.log.contexts).toHaveLength(1);
    expect(late.bugs).toEqual([]);
  });

  test('over HTTP/2', async () => {
    const late = lateServer();
    const server = createHttp2Server(late.listener).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => session.destroy());
    const call = () => {
      const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': CONTENT_TYPE });
      stream.on('error', () => {});
      stream.end(getRequest('name'));
      return stream;
    };
    const left = call();
    await late.seen;
    left.close();
    expect(await late.served).toBe(true);
    const [headers] = await once(call(), 'response');
    expect(headers[':status']).toBe(200);
    expect(late.log.contexts).toHaveLength(1);
    expect(late.bugs).toEqual([]);
  });
});
