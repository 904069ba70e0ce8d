/** gRPC as a raw grpc-js client sees it, and what the handlers see of it. */
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { fromBinary } from '@bufbuild/protobuf';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ErrorDetailSchema, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVServiceWatchRequestSchema } from '../gen/gomsg/v1/kv_pb.js';
import { WAIT } from '../testing/wait.ts';
import { StatusSchema } from './gen/google/rpc/status_pb.js';
import { STREAM_WINDOWS_PER_CONNECTION } from './receive-windows.ts';
import { ENDLESS_MESSAGE_BYTES } from './testing/toy-methods.ts';
import {
  encode,
  getRequest,
  openToyPort,
  passBytes,
  RawClient,
  type ToyPort,
  textOf,
} from './testing/toy-port.ts';

const GET = '/gomsg.v1.KVService/Get';
const WATCH = '/gomsg.v1.KVService/Watch';
const EXECUTE = '/gomsg.v1.PipelineService/Execute';
const MAX_UNSENT_BYTES = 64 * 1024;
/** Unlike what HTTP/2 begins with. */
const RECEIVE_WINDOW_BYTES = 96 * 1024;

const watchRequest = (prefix: string) =>
  encode(KVServiceWatchRequestSchema, { target: { case: 'prefix', value: prefix } });

let toy: ToyPort;
let client: RawClient;
beforeAll(async () => {
  toy = await openToyPort({
    limits: {
      maxUnsentBytesPerStream: MAX_UNSENT_BYTES,
      receiveWindowBytes: RECEIVE_WINDOW_BYTES,
      maxFrameBytes: 1 << 20,
    },
  });
  client = new RawClient(toy.address);
});
afterAll(async () => {
  client.close();
  await toy[Symbol.asyncDispose]();
});
beforeEach(() => {
  toy.log.contexts.length = 0;
  toy.log.pulled = 0;
  toy.log.returned = 0;
  toy.log.closed = 0;
});

const failure = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => expect.unreachable('the call was to fail'),
    (error: ServiceError) => error,
  );

describe('a unary call', () => {
  test('carries bytes both ways', async () => {
    expect(textOf(await client.unary(GET, getRequest('name'), new Metadata()))).toBe('name');
  });

  test('that fails has google.rpc.Status with the typed detail in its trailers', async () => {
    const error = await failure(client.unary(GET, getRequest('missing'), new Metadata()));
    expect([error.code, error.details]).toEqual([status.NOT_FOUND, 'no key missing — nowhere']);
    const [bytes] = error.metadata.get('grpc-status-details-bin');
    const { code, message, details } = fromBinary(StatusSchema, bytes as Buffer);
    expect([code, message, details[0]?.typeUrl]).toEqual([
      status.NOT_FOUND,
      'no key missing — nowhere',
      'type.googleapis.com/gomsg.v1.ErrorDetail',
    ]);
    expect(fromBinary(ErrorDetailSchema, details[0]!.value)).toMatchObject({
      reason: ErrorReason.KEY_NOT_FOUND,
      subject: 'missing',
    });
  });

  test('that is to be retried says after how long', async () => {
    const error = await failure(client.unary(GET, getRequest('busy'), new Metadata()));
    expect(error.metadata.get('grpc-retry-pushback-ms')).toEqual(['1500']);
  });

  test('tells its handler the deadline, the headers, the peer and the session', async () => {
    const metadata = new Metadata();
    metadata.set('gomsg-session', '12');
    metadata.set('gomsg-sequence', '3');
    metadata.set('x-anything', 'else');
    const deadline_ms = Date.now() + 60_000;
    await client.unary(GET, getRequest('name'), metadata, deadline_ms);
    const [context] = toy.log.contexts;
    expect(context?.protocol).toBe('grpc');
    expect(Math.abs(context!.deadline_ms! - deadline_ms)).toBeLessThan(20_000);
    expect(context?.header('x-anything')).toBe('else');
    expect(context?.header('x-nothing')).toBeUndefined();
    expect(context?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(context?.session).toEqual({ sessionId: 12n, sequence: 3, answeredBelow: 0, retry: false });
  });

  test('with a malformed session header is refused before its handler runs', async () => {
    const metadata = new Metadata();
    metadata.set('gomsg-session', 'mine');
    const error = await failure(client.unary(GET, getRequest('name'), metadata));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain('gomsg-session');
    expect(toy.log.contexts).toHaveLength(0);
  });

  test('past its deadline fails, and its handler is told why', async () => {
    // Connected: what the deadline leaves is for the call alone, which its handler gets before it has passed.
    await client.unary(GET, getRequest('name'), new Metadata());
    toy.log.contexts.length = 0;
    const error = await failure(client.unary(GET, getRequest('hang'), new Metadata(), Date.now() + 500));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await vi.waitFor(() => expect(toy.log.contexts[0]?.signal.aborted).toBe(true), WAIT);
  });

  test('that its caller cancels aborts its handler', async () => {
    const call = client.makeUnaryRequest(GET, passBytes, passBytes, getRequest('hang'), () => {});
    await vi.waitFor(() => expect(toy.log.contexts).toHaveLength(1), WAIT);
    const { signal } = toy.log.contexts[0]!;
    call.cancel();
    await vi.waitFor(() => expect(signal.aborted).toBe(true), WAIT);
    expect(signal.reason).toMatchObject({ reason: ErrorReason.CANCELED });
  });

  test('of a handler that asks for its signal too late still finds it aborted', async () => {
    await client.unary(GET, getRequest('name'), new Metadata());
    await vi.waitFor(() => expect(toy.log.contexts[0]?.signal.aborted).toBe(true), WAIT);
  });

  test('over the size limit is refused', async () => {
    const error = await failure(client.unary(GET, Buffer.alloc((1 << 20) + 1), new Metadata()));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  test('of an unknown method learns which one is near', async () => {
    const error = await failure(client.unary(`${GET}t`, getRequest('x'), new Metadata()));
    expect(error.code).toBe(status.UNIMPLEMENTED);
    expect(error.details).toContain('did you mean Get?');
  });
});

/** Waits until a figure has risen and then stays the same. */
async function settled(figure: () => number): Promise<number> {
  let before = 0;
  await vi.waitFor(
    () => {
      const now = figure();
      const same = now > 0 && now === before;
      before = now;
      expect(same).toBe(true);
    },
    { ...WAIT, interval: 100 },
  );
  return before;
}

/**
 * Messages that may be under way when one side stops reading: the window of the port, the flow-control windows of
 * HTTP/2, and what Node buffers on either side of them.
 */
function mostInFlight(messageBytes: number): number {
  return (MAX_UNSENT_BYTES + RECEIVE_WINDOW_BYTES + 4 * 64 * 1024) / messageBytes + 2;
}

/** A message in gRPC's framing. */
function framed(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/**
 * A call over a bare HTTP/2 client, whose flow-control window closes while nobody reads it. The client of grpc-js
 * reads on into its memory.
 */
function bareCall(path: string, { url } = toy) {
  const session = connectHttp2(url);
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  return { stream, [Symbol.dispose]: () => session.destroy() };
}

describe('a server stream', () => {
  test('is not pulled while nobody reads, and is told to stop when the caller leaves', async () => {
    using call = bareCall(WATCH);
    call.stream.end(framed(watchRequest('endless')));
    const most = mostInFlight(ENDLESS_MESSAGE_BYTES);
    expect(await settled(() => toy.log.pulled)).toBeLessThanOrEqual(most);

    let readBytes = 0;
    call.stream.on('data', (chunk: Buffer) => {
      readBytes += chunk.length;
    });
    await vi.waitFor(() => expect(readBytes).toBeGreaterThan(2 * most * ENDLESS_MESSAGE_BYTES), WAIT);
    expect(toy.log.returned).toBe(0);
    call.stream.close(constants.NGHTTP2_CANCEL);
    await vi.waitFor(() => expect(toy.log.returned).toBe(1), WAIT);
  });

  test('whose producer waits is told to stop too', async () => {
    const call = client.makeServerStreamRequest(WATCH, passBytes, passBytes, watchRequest('idle'));
    call.on('error', () => {});
    call.resume();
    await vi.waitFor(() => expect(toy.log.pulled).toBe(1), WAIT);
    call.cancel();
    await vi.waitFor(() => expect(toy.log.returned).toBe(1), WAIT);
  });
});

describe('a bidirectional stream', () => {
  test('is not read while its answers are not, and then goes on', async () => {
    using call = bareCall(EXECUTE);
    const message = framed(Buffer.alloc(ENDLESS_MESSAGE_BYTES));
    const total = 200;
    let sent = 0;
    const send = () => {
      if (sent < total) {
        sent += 1;
        call.stream.write(message, send);
      } else {
        call.stream.end();
      }
    };
    send();
    expect(await settled(() => sent)).toBeLessThanOrEqual(mostInFlight(ENDLESS_MESSAGE_BYTES));

    let receivedBytes = 0;
    call.stream.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
    });
    await once(call.stream, 'end');
    expect(receivedBytes).toBe(total * message.length);
    await vi.waitFor(() => expect(toy.log.closed).toBe(1), WAIT);
  });

  test('closes once when its caller leaves', async () => {
    const call = client.makeBidiStreamRequest(EXECUTE, passBytes, passBytes);
    call.on('error', () => {});
    call.write(Buffer.from('x'));
    await once(call, 'data');
    call.cancel();
    await vi.waitFor(() => expect(toy.log.closed).toBe(1), WAIT);
  });
});

describe('the windows of a connection', () => {
  const windows = ({ stream }: ReturnType<typeof bareCall>) => ({
    ofStreams: stream.session?.remoteSettings.initialWindowSize,
    ofConnection: stream.session?.state.remoteWindowSize,
  });

  test('are those of the port from its first call on', async () => {
    using call = bareCall(EXECUTE);
    await vi.waitFor(
      () =>
        expect(windows(call)).toEqual({
          ofStreams: RECEIVE_WINDOW_BYTES,
          ofConnection: STREAM_WINDOWS_PER_CONNECTION * RECEIVE_WINDOW_BYTES,
        }),
      WAIT,
    );
  });

  test('are as wide as a method of it asks for', async () => {
    const wideBytes = 4 * RECEIVE_WINDOW_BYTES;
    await using wide = await openToyPort({
      limits: { receiveWindowBytes: RECEIVE_WINDOW_BYTES },
      wrap: (methods) =>
        methods.map((method) =>
          method.kind === 'bidi_streaming' ? { ...method, receiveWindowBytes: wideBytes } : method,
        ),
    });
    const session = connectHttp2(wide.url);
    // The port that closes first says so.
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    const headers = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    for (const path of [GET, EXECUTE, GET])
      session.request({ ...headers, ':path': path }).on('error', () => {});
    await vi.waitFor(() => {
      expect(session.remoteSettings.initialWindowSize).toBe(wideBytes);
      expect(session.state.remoteWindowSize).toBe(STREAM_WINDOWS_PER_CONNECTION * wideBytes);
    }, WAIT);
  });
});

test('a request that does not arrive in time is ended, and a bidirectional one may take for ever', async () => {
  await using impatient = await openToyPort({ limits: { requestTimeout_ms: 400 } });
  using bidi = bareCall(EXECUTE, impatient);
  using slow = bareCall(GET, impatient);
  slow.stream.write(Buffer.from([0, 0, 0, 0]));
  await once(slow.stream, 'close');
  expect(slow.stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  expect(bidi.stream.closed).toBe(false);
});
