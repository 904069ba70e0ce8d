import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, test, vi } from 'vitest';
import { KVService } from '../../gen/gomsg/v1/kv_pb.js';
import { createLogger } from '../../observe/logger.ts';
import { NodeMetrics } from '../../observe/node-metrics.ts';
import { ErrorReason } from '../../services/errors.ts';
import type { Method, Reply, UnaryMethod } from '../../services/method.ts';
import { callContext } from '../../services/testing/call.ts';
import type { Failure } from '../../state/failure.ts';
import { WAIT } from '../../testing/wait.ts';
import { toyMethods } from '../testing/toy-methods.ts';
import { collect, getRequest, openToyPort, passBytes, RawClient } from '../testing/toy-port.ts';
import { CALL_OVERHEAD_BYTES, InFlight, inFlightLimit } from './in-flight.ts';
import { intercept } from './intercept.ts';
import { logging } from './logging.ts';
import { metering } from './metering.ts';

const GET = '/gomsg.v1.KVService/Get';

/** Get of the toy methods, wrapped, as a function of key and client. */
function getter(wrap: (method: Method) => Method) {
  const get = wrap(toyMethods().methods[0]!) as UnaryMethod;
  return (key: string, peer = 'a:1') => {
    const outcome = vi.fn<(failure: Failure | undefined) => void>();
    const leave = new AbortController();
    const reply: Reply = { ok: () => outcome(undefined), fail: outcome };
    get.handle(getRequest(key), callContext({ peer, signal: leave.signal }), reply);
    return { outcome, leave };
  };
}

describe('metering', () => {
  test('counts and times calls of all kinds by their outcome', async () => {
    await using toy = await openToyPort({
      wrap: (methods, metrics) => intercept(methods, [metering(metrics.rpc)]),
    });
    const client = createClient(KVService, createGrpcTransport({ baseUrl: toy.url }));
    await client.get({ key: 'a' });
    await client.get({ key: 'missing' }).catch(() => {});
    await client.get({ key: 'bug' }).catch(() => {});
    await collect(client.watch({}));
    const leave = new AbortController();
    const idle = client.watch({ target: { case: 'prefix', value: 'idle' } }, { signal: leave.signal });
    const left = collect(idle).catch(() => {});
    await vi.waitFor(() => expect(toy.log.pulled).toBeGreaterThan(4), WAIT);
    leave.abort();
    await left;

    const get = toy.metrics.rpc.method('gomsg.v1.KVService', 'Get');
    expect(get.started.value).toBe(3);
    const counted = (code: number) => get.handled[code]?.snapshot().counts.reduce((a, b) => a + b, 0);
    expect([counted(status.OK), counted(status.NOT_FOUND), counted(status.INTERNAL)]).toEqual([1, 1, 1]);
    const watch = toy.metrics.rpc.method('gomsg.v1.KVService', 'Watch');
    await vi.waitFor(() => expect(watch.handledTotal).toBe(2), WAIT);
    expect(watch.handled[status.CANCELLED]).toBeDefined();
  });

  test('counts a bidirectional call when it ends', async () => {
    await using toy = await openToyPort({
      wrap: (methods, metrics) => intercept(methods, [metering(metrics.rpc)]),
    });
    const client = new RawClient(toy.address);
    const call = client.makeBidiStreamRequest('/gomsg.v1.PipelineService/Execute', passBytes, passBytes);
    call.on('data', () => {});
    call.end(Buffer.from('x'));
    const meter = toy.metrics.rpc.method('gomsg.v1.PipelineService', 'Execute');
    await vi.waitFor(() => expect(meter.handled[status.OK]).toBeDefined(), WAIT);
    client.close();
  });
});

describe('logging', () => {
  function logged(level: 'debug' | 'info') {
    const lines: Record<string, unknown>[] = [];
    const output = { write: (line: string) => void lines.push(JSON.parse(line)) };
    return { lines, get: getter(logging(createLogger({ level, format: 'json', output }))) };
  }

  test('says every call at level debug, without its payload', () => {
    const { lines, get } = logged('debug');
    get('secret');
    get('missing');
    expect(lines).toMatchObject([
      { level: 'debug', method: GET, protocol: 'grpc', peer: 'a:1', duration_ms: expect.any(Number) },
      { level: 'debug', method: GET, reason: 'KEY_NOT_FOUND' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  test('warns of failures inside the server and is silent of the rest otherwise', () => {
    const { lines, get } = logged('info');
    get('fine');
    get('missing');
    expect(() => get('bug')).toThrow(TypeError);
    expect(lines).toMatchObject([{ level: 'warn', method: GET, reason: 'INTERNAL' }]);
  });
});

describe('the limit of bytes in flight', () => {
  const callBytes = getRequest('hang').length + CALL_OVERHEAD_BYTES;
  function limited(options: { maxBytesPerClient: number; maxBytes: number }) {
    const meters = new NodeMetrics().transport;
    const inFlight = new InFlight(options, meters);
    return { inFlight, meters, get: getter(inFlightLimit(inFlight)) };
  }
  const refused = expect.objectContaining({
    reason: ErrorReason.OVERLOADED,
    retryAfter_ms: expect.any(Number),
  });

  test('holds for each client apart', () => {
    const { get, meters } = limited({ maxBytesPerClient: 2 * callBytes, maxBytes: 100 * callBytes });
    const first = get('hang', 'a:1');
    get('hang', 'a:1');
    expect(get('hang', 'a:1').outcome).toHaveBeenCalledWith(refused);
    expect(meters.callsShed.value).toBe(1);
    expect(get('hang', 'b:1').outcome).not.toHaveBeenCalled();
    first.leave.abort();
    expect(get('hang', 'a:1').outcome).not.toHaveBeenCalled();
  });

  test('holds for the node as a whole', () => {
    const { get, inFlight, meters } = limited({ maxBytesPerClient: 9 * callBytes, maxBytes: 2 * callBytes });
    const calls = [get('hang', 'a:1'), get('hang', 'b:1')];
    expect(get('hang', 'c:1').outcome).toHaveBeenCalledWith(refused);
    expect(meters.inFlightBytes.value).toBe(2 * callBytes);
    for (const call of calls) call.leave.abort();
    expect(inFlight.totalBytes).toBe(0);
    expect(meters.inFlightBytes.value).toBe(0);
  });

  test('lets a call larger than the share of its client through when it is alone', () => {
    const { get } = limited({ maxBytesPerClient: 10, maxBytes: 100 * callBytes });
    expect(get('hang').outcome).not.toHaveBeenCalled();
    expect(get('hang').outcome).toHaveBeenCalledWith(refused);
  });

  test('gives back what answered, failed and broken calls held', () => {
    const { get, inFlight } = limited({ maxBytesPerClient: 1e6, maxBytes: 1e6 });
    get('fine');
    get('missing');
    expect(() => get('bug')).toThrow(TypeError);
    expect(inFlight.totalBytes).toBe(0);
  });

  test('gives back what calls of a broken connection held', async () => {
    const inFlight = new InFlight({ maxBytesPerClient: 1e6, maxBytes: 1e6 }, new NodeMetrics().transport);
    await using toy = await openToyPort({ wrap: (methods) => intercept(methods, [inFlightLimit(inFlight)]) });
    const client = new RawClient(toy.address);
    const failed = expect(client.unary(GET, getRequest('hang'), new Metadata())).rejects.toThrow();
    await vi.waitFor(() => expect(inFlight.totalBytes).toBe(callBytes), WAIT);
    client.close();
    await toy.port.drain(0);
    await failed;
    await vi.waitFor(() => expect(inFlight.totalBytes).toBe(0), WAIT);
  });
});

test('the first interceptor is the outermost', () => {
  const order: string[] = [];
  const noting = (name: string) => (method: Method) =>
    method.kind !== 'unary'
      ? method
      : {
          ...method,
          handle: (...args: Parameters<UnaryMethod['handle']>) => {
            order.push(name);
            method.handle(...args);
          },
        };
  const [get] = intercept(toyMethods().methods, [noting('first'), noting('second')]);
  const reply = { ok: () => {}, fail: () => {} };
  (get as UnaryMethod).handle(getRequest('x'), callContext(), reply);
  expect(order).toEqual(['first', 'second']);
});
