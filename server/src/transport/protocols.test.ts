/** Every protocol, by the client that people use for it, against one port. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { createChannel, createClient as createNiceClient } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ErrorDetailSchema } from '../gen/gomsg/v1/common_pb.js';
import { KVService, KVServiceGetRequestSchema, KVServiceGetResponseSchema } from '../gen/gomsg/v1/kv_pb.js';
import { PipelineService, PipelineServiceExecuteRequestSchema } from '../gen/gomsg/v1/pipeline_pb.js';
import { ErrorReason } from '../services/errors.ts';
import { TEST_CERTIFICATE, TEST_KEY } from './testing/certificate.ts';
import { collect, openToyPort, type ToyPort, textOf } from './testing/toy-port.ts';

let plain: ToyPort;
let secure: ToyPort;
beforeAll(async () => {
  plain = await openToyPort();
  secure = await openToyPort({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
});
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
});

const nodeOptions = { rejectUnauthorized: false };
const transports: [string, boolean, () => Transport][] = [
  ['gRPC', true, () => createGrpcTransport({ baseUrl: plain.url })],
  ['gRPC over TLS', true, () => createGrpcTransport({ baseUrl: secure.url, nodeOptions })],
  ['gRPC-Web', false, () => createGrpcWebTransport({ baseUrl: plain.url, httpVersion: '1.1' })],
  ['gRPC-Web over HTTP/2', true, () => createGrpcWebTransport({ baseUrl: plain.url, httpVersion: '2' })],
  ['Connect', false, () => createConnectTransport({ baseUrl: plain.url, httpVersion: '1.1' })],
  [
    'Connect in JSON',
    false,
    () => createConnectTransport({ baseUrl: plain.url, httpVersion: '1.1', useBinaryFormat: false }),
  ],
  [
    'Connect with GET',
    false,
    () => createConnectTransport({ baseUrl: plain.url, httpVersion: '1.1', useHttpGet: true }),
  ],
  ['Connect over HTTP/2', true, () => createConnectTransport({ baseUrl: plain.url, httpVersion: '2' })],
  [
    'Connect over TLS and HTTP/1.1',
    false,
    () => createConnectTransport({ baseUrl: secure.url, httpVersion: '1.1', nodeOptions }),
  ],
  [
    'Connect over TLS and HTTP/2',
    true,
    () => createConnectTransport({ baseUrl: secure.url, httpVersion: '2', nodeOptions }),
  ],
];

describe.each(transports)('%s', (_name, _isHttp2, transport) => {
  test('answers a unary call', async () => {
    expect(textOf(await createClient(KVService, transport()).get({ key: 'name' }))).toBe('name');
  });

  test('gives a failure its code, message and typed detail', async () => {
    const error = await createClient(KVService, transport())
      .get({ key: 'missing' })
      .then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.NotFound);
    expect(error?.rawMessage).toBe('no key missing — nowhere');
    const [detail] = error?.findDetails(ErrorDetailSchema) ?? [];
    expect(detail?.reason).toBe(ErrorReason.KEY_NOT_FOUND);
    expect(detail?.subject).toBe('missing');
  });

  test('says when to retry', async () => {
    const error = await createClient(KVService, transport())
      .get({ key: 'busy' })
      .then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.ResourceExhausted);
    expect(error?.findDetails(ErrorDetailSchema)[0]?.retryAfter).toMatchObject({ seconds: 1n, nanos: 5e8 });
  });

  test('streams from the server to its end', async () => {
    const messages = await collect(createClient(KVService, transport()).watch({}));
    expect(messages).toHaveLength(3);
  });

  test('gives a stream that fails its status', async () => {
    const call = collect(
      createClient(KVService, transport()).watch({ target: { case: 'prefix', value: 'refused' } }),
    );
    await expect(call).rejects.toMatchObject({ code: Code.OutOfRange });
  });

  test('keeps to the deadline of the caller', async () => {
    const call = createClient(KVService, transport()).get({ key: 'hang' }, { timeoutMs: 50 });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  });

  test('names the method that was meant', async () => {
    const call = createClient(KVService, transport()).tTL({ key: 'x' });
    await expect(call).rejects.toMatchObject({
      code: Code.Unimplemented,
      rawMessage: expect.stringContaining('KVService has no method TTL'),
    });
  });
});

describe.each(transports.filter(([, isHttp2]) => isHttp2))('%s', (_name, _isHttp2, transport) => {
  test('streams both ways', async () => {
    const request = create(PipelineServiceExecuteRequestSchema, { calls: [{ callId: 7 }] });
    const answers = createClient(PipelineService, transport()).execute(
      (async function* () {
        yield request;
        yield request;
      })(),
    );
    expect(await collect(answers)).toHaveLength(2);
  });
});

test('a handler with a bug answers INTERNAL in every protocol, and the bug is reported', async () => {
  for (const [, , transport] of transports.slice(0, 5)) {
    await expect(createClient(KVService, transport()).get({ key: 'bug' })).rejects.toMatchObject({
      code: Code.Internal,
      rawMessage: expect.not.stringContaining('a bug in the handler'),
    });
  }
  expect(plain.bugs).toContain('/gomsg.v1.KVService/Get: a bug in the handler');
});

test('nice-grpc calls and streams', async () => {
  const codec = {
    requestStream: false,
    requestSerialize: ({ key }: { key: string }) =>
      toBinary(KVServiceGetRequestSchema, create(KVServiceGetRequestSchema, { key })),
    requestDeserialize: () => ({ key: '' }),
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: (bytes: Uint8Array) => textOf(fromBinary(KVServiceGetResponseSchema, bytes)),
    options: {},
  } as const;
  const definition = {
    get: { ...codec, path: '/gomsg.v1.KVService/Get', responseStream: false },
    watch: { ...codec, path: '/gomsg.v1.KVService/Watch', responseStream: true },
  } as const;
  const channel = createChannel(plain.address);
  try {
    const client = createNiceClient(definition, channel);
    expect(await client.get({ key: 'name' })).toBe('name');
    expect(await collect(client.watch({ key: '' }))).toHaveLength(3);
    await expect(client.get({ key: 'missing' })).rejects.toMatchObject({ code: Code.NotFound });
  } finally {
    channel.close();
  }
});

describe('plain HTTP', () => {
  const post = (path: string, body: string, type = 'application/json') =>
    fetch(`${plain.url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });

  test('JSON in, JSON out', async () => {
    const response = await post('/gomsg.v1.KVService/Get', '{"key":"name"}');
    expect([response.status, await response.json()]).toEqual([200, { value: 'bmFtZQ==' }]);
  });

  test.each([
    ['{"key":', 'Unexpected end of JSON input'],
    ['{"kee":"name"}', 'key "kee" is unknown'],
    ['{"key":5}', 'cannot decode field gomsg.v1.KVServiceGetRequest.key'],
  ])('malformed JSON %s is told what is wrong with it', async (body, why) => {
    const response = await post('/gomsg.v1.KVService/Get', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(why),
    });
  });

  test('an unknown method is 404 with a typed detail that names the nearest', async () => {
    const response = await post('/gomsg.v1.KVService/Gett', '{}');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'unimplemented',
      message: expect.stringContaining('did you mean Get?'),
      details: [{ type: 'gomsg.v1.ErrorDetail', debug: { reason: 'ERROR_REASON_METHOD_NOT_FOUND' } }],
    });
  });

  test('a wait before a retry is a header too', async () => {
    const response = await post('/gomsg.v1.KVService/Get', '{"key":"busy"}');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2']);
  });

  test('a content type that is no protocol is 415', async () => {
    expect((await post('/gomsg.v1.KVService/Get', 'key=name', 'text/plain')).status).toBe(415);
  });

  test('the root says what the port speaks', async () => {
    expect(await (await fetch(plain.url)).text()).toContain('gRPC, Connect, gRPC-Web and JSON');
  });

  test('other paths are 404, other verbs 405', async () => {
    expect((await fetch(`${plain.url}/favicon.ico`)).status).toBe(404);
    expect((await fetch(`${plain.url}/__proto__`)).status).toBe(404);
    expect((await post('/metrics', '')).status).toBe(405);
    expect((await fetch(`${plain.url}/gomsg.v1.KVService/Get`, { method: 'DELETE' })).status).toBe(405);
  });
});

describe('buf curl', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const run = async (...args: string[]) =>
    (await promisify(execFile)(`${root}node_modules/.bin/buf`, ['curl', ...args], { cwd: root })).stdout;
  const get = ['-d', '{"key":"name"}'];

  test.each([
    ['Connect', ['--schema', 'proto']],
    ['Connect, schema by reflection', []],
    ['gRPC, schema by reflection', ['--protocol', 'grpc', '--http2-prior-knowledge']],
    ['gRPC-Web, schema by v1alpha', ['--protocol', 'grpcweb', '--reflect-protocol', 'grpc-v1alpha']],
  ])('calls a method by %s', async (_name, args) => {
    const answer = await run(...args, ...get, `${plain.url}/gomsg.v1.KVService/Get`);
    expect(JSON.parse(answer)).toEqual({ value: 'bmFtZQ==' });
  });

  test('lists what is served, over TLS', async () => {
    const methods = await run('--insecure', '--list-methods', secure.url);
    expect(methods.split('\n')).toEqual(
      expect.arrayContaining(['gomsg.v1.KVService/Get', 'grpc.health.v1.Health/Check']),
    );
  });
});
