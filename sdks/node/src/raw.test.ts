import { create } from '@bufbuild/protobuf';
import type { CallContext } from 'nice-grpc';
import { describe, expect, test } from 'vitest';
import { keptPort } from '../../../server/src/testing/ports.ts';
import { detailFromStatusTrailer, ErrorReason, GomsgError } from './errors.ts';
import {
  KVService,
  type KVServiceGetRequest,
  type KVServiceSetRequest,
  KVServiceWatchResponseSchema,
} from './gen/gomsg/v1/kv_pb.js';
import { connect, type RawClient } from './raw.ts';
import { serviceDefinition } from './service-definition.ts';
import { failWith, serveFakeKv, statusTrailer } from './testing/fake-services.ts';

const text = new TextEncoder();

async function failure(call: Promise<unknown>): Promise<GomsgError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(GomsgError);
  return error as GomsgError;
}

function closing(client: RawClient): RawClient & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** An address that nobody listens on. */
async function deadAddress(): Promise<string> {
  return `127.0.0.1:${await keptPort()}`;
}

describe('a raw client', () => {
  test('takes message init shapes and gives messages', async () => {
    const requests: KVServiceSetRequest[] = [];
    await using fake = await serveFakeKv({
      set: async (request: KVServiceSetRequest) => {
        requests.push(request);
        return { version: 7n };
      },
    });
    using client = closing(connect({ address: fake.address }));
    const answer = await client.kv.set({ key: 'name', value: text.encode('alice') });
    expect(answer.version).toBe(7n);
    expect(requests[0]).toMatchObject({ key: 'name', value: text.encode('alice') });
  });

  test('fails a call whose token cannot be had as any other', async () => {
    using client = closing(
      connect({ address: '127.0.0.1:1', token: () => Promise.reject(new Error('the vault is closed')) }),
    );
    await expect(client.kv.get({ key: 'k' })).rejects.toMatchObject({
      name: 'UnavailableError',
      message: expect.stringContaining('the vault is closed'),
    });
  });

  test('sends its token with every call', async () => {
    const seen: unknown[] = [];
    await using fake = await serveFakeKv({
      get: async (_: unknown, context: CallContext) => {
        seen.push(context.metadata.get('authorization'));
        return { version: 1n };
      },
    });
    let asked = 0;
    const token = () => `secret ${asked++}`;
    using client = closing(connect({ address: fake.address, token }));
    await client.kv.get({ key: 'a' });
    await client.kv.get({ key: 'a' });
    expect(seen).toEqual(['Bearer secret 0', 'Bearer secret 1']);
  });

  test('gives values that do not pin the receive buffer', async () => {
    await using fake = await serveFakeKv({ get: async () => ({ value: text.encode('v'), version: 1n }) });
    using client = closing(connect({ address: fake.address }));
    const { value } = await client.kv.get({ key: 'k' });
    expect(value).not.toBeInstanceOf(Buffer);
    expect(value.buffer.byteLength).toBeLessThan(32);
  });

  test('streams messages until the server ends', async () => {
    await using fake = await serveFakeKv({
      watch: async function* () {
        for (let revision = 1n; revision <= 3n; revision += 1n) {
          yield create(KVServiceWatchResponseSchema, { revision });
        }
      },
    });
    using client = closing(connect({ address: fake.address }));
    const revisions = [];
    for await (const message of client.kv.watch({})) revisions.push(message.revision);
    expect(revisions).toEqual([1n, 2n, 3n]);
  });
});

describe('a failed call', () => {
  test('throws the typed detail with the catalogue’s advice', async () => {
    await using fake = await serveFakeKv({
      get: async (request: KVServiceGetRequest, context: CallContext) =>
        failWith(context, 5, 'no key "a"', { reason: ErrorReason.KEY_NOT_FOUND, subject: request.key }),
      set: async (_: unknown, context: CallContext) =>
        failWith(context, 14, 'not the leader', {
          reason: ErrorReason.NOT_LEADER,
          leader: { nodeId: 'node2', address: '10.0.0.2:9000' },
          topologyEpoch: 4n,
          retryAfter: { seconds: 1n, nanos: 500_000_000 },
        }),
    });
    using client = closing(connect({ address: fake.address }));
    expect(await failure(client.kv.get({ key: 'a' }))).toMatchObject({
      reason: ErrorReason.KEY_NOT_FOUND,
      reasonName: 'KEY_NOT_FOUND',
      code: 5,
      message: 'no key "a"',
      subject: 'a',
      retryable: false,
      action: expect.stringContaining('Set the key first'),
    });
    expect(await failure(client.kv.set({ key: 'a' }))).toMatchObject({
      reasonName: 'NOT_LEADER',
      leader: { nodeId: 'node2', address: '10.0.0.2:9000' },
      topologyEpoch: 4n,
      retryAfter_ms: 1500,
      retryable: true,
    });
  });

  test('throws the detail from a stream too, after the messages that came before', async () => {
    await using fake = await serveFakeKv({
      watch: async function* (_: unknown, context: CallContext) {
        yield create(KVServiceWatchResponseSchema, { revision: 1n });
        failWith(context, 11, 'gone', {
          reason: ErrorReason.COMPACTED,
          oldestAvailable: 90n,
          newestAvailable: 120n,
        });
      },
    });
    using client = closing(connect({ address: fake.address }));
    const seen: bigint[] = [];
    const error = await failure(
      (async () => {
        for await (const message of client.kv.watch({})) seen.push(message.revision);
      })(),
    );
    expect(seen).toEqual([1n]);
    expect(error).toMatchObject({ reasonName: 'COMPACTED', oldestAvailable: 90n, newestAvailable: 120n });
  });

  test('that took too long says that a write may still be applied, and tells the server to stop', async () => {
    const aborted = Promise.withResolvers<void>();
    await using fake = await serveFakeKv({
      get: async () => ({ version: 1n }),
      set: (_: unknown, { signal }: CallContext) => {
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted.resolve();
            reject(signal.reason);
          });
        });
      },
    });
    using client = closing(connect({ address: fake.address }));
    // With a connection that stands it goes out at once, long before it is late.
    await client.kv.get({ key: 'a' });
    const error = await failure(client.kv.set({ key: 'a' }, { timeout_ms: 200 }));
    expect(error.reason).toBe(ErrorReason.DEADLINE_EXCEEDED);
    expect(error.message).toContain('may still be applied');
    await aborted.promise;
  });

  test('that the caller canceled says so', async () => {
    const started = Promise.withResolvers<void>();
    await using fake = await serveFakeKv({
      set: () => {
        started.resolve();
        return new Promise(() => {});
      },
    });
    using client = closing(connect({ address: fake.address }));
    const controller = new AbortController();
    const call = failure(client.kv.set({ key: 'a' }, { signal: controller.signal }));
    await started.promise;
    controller.abort();
    expect((await call).reason).toBe(ErrorReason.CANCELED);
  });

  test('names the node that cannot be reached', async () => {
    const address = await deadAddress();
    using client = closing(connect({ address }));
    const error = await failure(client.kv.get({ key: 'a' }));
    expect(error).toMatchObject({ reason: ErrorReason.UNSPECIFIED, code: 14, retryable: true });
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('on a closed client sends nothing', async () => {
    const client = connect();
    client.close();
    expect((await failure(client.kv.get({ key: 'a' }))).reason).toBe(ErrorReason.CANCELED);
  });
});

describe('with several addresses', () => {
  test('a call that may be repeated goes on to the next node', async () => {
    await using fake = await serveFakeKv({ get: async () => ({ version: 3n }) });
    const dead = await deadAddress();
    using client = closing(connect({ addresses: [dead, fake.address] }));
    expect(client.address).toBe(dead);
    expect((await client.kv.get({ key: 'a' })).version).toBe(3n);
    expect(client.address).toBe(fake.address);
  });

  test('a call that may not be repeated fails, and the next one goes to the next node', async () => {
    await using fake = await serveFakeKv({ increment: async () => ({ value: 1n }) });
    using client = closing(connect({ addresses: [await deadAddress(), fake.address] }));
    expect((await failure(client.kv.increment({ key: 'a', delta: 1n }))).code).toBe(14);
    expect((await client.kv.increment({ key: 'a', delta: 1n })).value).toBe(1n);
  });

  test('a node that is shutting down is left', async () => {
    await using draining = await serveFakeKv({
      get: async (_: unknown, context: CallContext) =>
        failWith(context, 14, 'shutting down', { reason: ErrorReason.DRAINING }),
    });
    await using fake = await serveFakeKv({ get: async () => ({ version: 9n }) });
    using client = closing(connect({ addresses: [draining.address, fake.address] }));
    expect((await client.kv.get({ key: 'a' })).version).toBe(9n);
  });

  test('all of them out of reach is the last one’s error, after one try each', async () => {
    using client = closing(connect({ addresses: [await deadAddress(), await deadAddress()] }));
    expect((await failure(client.kv.get({ key: 'a' }))).code).toBe(14);
  });

  test('none, or more than a cluster has, is refused', () => {
    expect(() => connect({ addresses: [] })).toThrow(TypeError);
    expect(() => connect({ addresses: Array(65).fill('a:1') })).toThrow(TypeError);
  });

  test.each(['', 'host', 'host:', ':9000', 'host:0', 'host:65536', 'http://host:9000', '::1:9000'])(
    'what is no address is refused: %j',
    (address) => {
      expect(() => connect({ address })).toThrow(TypeError);
    },
  );

  test.each(['localhost:9000', '10.0.0.1:1', '[::1]:65535', 'gomsg-0.gomsg.svc:9000'])(
    '%s is one',
    (address) => {
      connect({ address }).close();
    },
  );
});

test('a definition keeps how often a call may be sent', () => {
  const { methods } = serviceDefinition(KVService);
  expect(methods.get?.options).toEqual({ idempotencyLevel: 'NO_SIDE_EFFECTS' });
  expect(methods.set?.options).toEqual({ idempotencyLevel: 'IDEMPOTENT' });
  expect(methods.increment?.options).toEqual({});
});

test('a status trailer that does not parse has no detail', () => {
  const whole = statusTrailer(5, 'no', { reason: ErrorReason.KEY_NOT_FOUND });
  expect(detailFromStatusTrailer(whole)?.reason).toBe(ErrorReason.KEY_NOT_FOUND);
  expect(detailFromStatusTrailer(whole.subarray(0, whole.length - 2))).toBeUndefined();
  expect(detailFromStatusTrailer(new Uint8Array())).toBeUndefined();
});
