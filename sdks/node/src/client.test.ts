/** The client against a real node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { NodeProcess } from '../../../server/src/testing/node-process.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../../../server/src/transport/testing/certificate.ts';
import {
  CanceledError,
  type Client,
  type ClientOptions,
  connect,
  ErrorReason,
  FailedPreconditionError,
  GomsgError,
  InvalidArgumentError,
  NotFoundError,
  OutOfRangeError,
  UnavailableError,
} from './index.ts';

let node: NodeProcess;
let address: string;
let client: Client;
let names = 0;

beforeAll(async () => {
  node = NodeProcess.start({ flags: [] });
  address = await node.ready;
  client = connect(address);
});

afterAll(async () => {
  await client?.close();
  await node?.kill();
});

/** How long tests wait for what must come. */
const PATIENCE = { timeout: 20_000 };

/** A name that no other test has. */
function fresh(): string {
  names += 1;
  return `n${names}`;
}

function clientWith(options: ClientOptions): Client {
  return connect(address, options);
}

async function failure(call: Promise<unknown>): Promise<GomsgError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(GomsgError);
  return error as GomsgError;
}

const NOT_UTF8 = new Uint8Array([0xff, 0xfe, 0x00]);

describe('values', () => {
  test('are text or bytes in, and text or bytes out', async () => {
    const key = fresh();
    await client.kv.set(key, 'grün');
    expect(await client.kv.get(key)).toBe('grün');
    expect(await client.kv.getBytes(key)).toEqual(new Uint8Array(Buffer.from('grün')));
    await client.kv.set(key, NOT_UTF8);
    expect(await client.kv.getBytes(key)).toEqual(NOT_UTF8);
    expect(await client.kv.mgetBytes([key, 'missing'])).toEqual([NOT_UTF8, null]);
  });

  test('that are not UTF-8 fail as text, with the way out', async () => {
    const key = fresh();
    await client.kv.set(key, NOT_UTF8);
    const error = await failure(client.kv.get(key));
    expect(error).toBeInstanceOf(FailedPreconditionError);
    expect(error).toMatchObject({ reason: ErrorReason.NOT_TEXT, method: 'kv.get' });
    expect(error.message).toContain('get_bytes');
    const entry = await client.kv.getEntry(key);
    expect(entry.valueBytes).toEqual(NOT_UTF8);
    expect(() => entry.value).toThrow(/not UTF-8/);
  });

  test('that are kept do not keep the answer that brought them', async () => {
    const keys = [fresh(), fresh()];
    await client.kv.set(keys[0]!, 'small');
    await client.kv.set(keys[1]!, new Uint8Array(100_000));
    const [small] = await client.kv.mgetBytes(keys);
    expect(small!.buffer.byteLength).toBeLessThan(1_000);
  });

  test('have times in seconds and dates', async () => {
    const key = fresh();
    await client.kv.setTTL(key, 'v', 3600);
    const ttl = (await client.kv.ttl(key))!;
    expect(ttl).toBeGreaterThan(3590);
    expect(ttl).toBeLessThanOrEqual(3600);
    const { expiresAt } = await client.kv.getEntry(key);
    expect(Math.abs(expiresAt!.getTime() - Date.now() - 3_600_000)).toBeLessThan(10_000);
    await client.kv.persist(key);
    expect(await client.kv.ttl(key)).toBeNull();
  });

  test('beyond the exact integers of a number are refused in both directions', async () => {
    const key = fresh();
    expect((await failure(client.kv.incrBy(key, 2 ** 60))).reason).toBe(ErrorReason.INVALID_REQUEST);
    const error = await failure(client.kv.incrBy(key, 2n ** 60n));
    expect(error).toBeInstanceOf(OutOfRangeError);
    expect(error.reason).toBe(ErrorReason.UNSAFE_INTEGER);
    expect(await client.kv.get(key)).toBe(String(2n ** 60n));
  });
});

describe('a wrong argument', () => {
  const wrong: [string, string, (c: Client) => Promise<unknown>][] = [
    ['a number as key', 'kv.set: key must be a string', (c) => c.kv.set(5 as never, 'v')],
    [
      'a missing value',
      'kv.set: value must be a string or a Uint8Array, not undefined',
      (c) => c.kv.set('k', undefined as never),
    ],
    ['NaN as ttl', 'kv.setTTL: ttl must be a number of seconds', (c) => c.kv.setTTL('k', 'v', Number.NaN)],
    ['half an integer', 'kv.incrBy: delta must be an integer', (c) => c.kv.incrBy('k', 1.5)],
    ['a negative count', 'queue.popBatch: maxMessages must be from 0', (c) => c.queue.popBatch('q', -1)],
    [
      'a hole in a list',
      'queue.pushBatch: messages[0] must be',
      (c) => c.queue.pushBatch('q', Array<string>(2) as never),
    ],
    ['text for a list', 'kv.mget: keys must be an array', (c) => c.kv.mget('k' as never)],
    ['a list for a map', 'kv.mset: values must be an object', (c) => c.kv.mset(['a'] as never)],
    [
      'an unknown word',
      'queue.peek: state must be one of ready',
      (c) => c.queue.peek('q', { state: 'asleep' as never }),
    ],
    [
      'an unknown option',
      'kv.set: options has no "ifAbsant"',
      (c) => c.kv.set('k', 'v', { ifAbsant: true } as never),
    ],
    [
      'two conditions',
      'kv.set: ifVersion cannot be given together',
      (c) => c.kv.set('k', 'v', { ifAbsent: true, ifVersion: 3 }),
    ],
    ['half a surrogate pair', 'kv.set: key has half a surrogate', (c) => c.kv.set('\ud800', 'v')],
    ['no timeout', 'kv.get: timeout must be more than 0', (c) => c.kv.get('k', { timeout: 0 })],
    [
      'an invalid date',
      'stream.readFrom: time must be a valid Date',
      (c) => c.stream.readFrom('t', new Date('never')),
    ],
    [
      'a start without a place',
      'stream.seekTo: position must have an offset or a time',
      (c) => c.stream.seekTo('t', 'c', {} as never),
    ],
    [
      'a field of a message',
      'queue.pushMessages: messages[1].priority must be',
      (c) => c.queue.pushMessages('q', [{}, { priority: 'high' as never }]),
    ],
  ];

  test.each(wrong)('(%s) is refused by name', async (_, message, call) => {
    const error = await failure(call(client));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.reason).toBe(ErrorReason.INVALID_REQUEST);
    expect(error.message).toContain(message);
  });

  test('of connect or a stream is refused at once', () => {
    expect(() => connect('nowhere')).toThrow(InvalidArgumentError);
    expect(() => connect(['localhost:99999'])).toThrow(/host:port/);
    expect(() => connect(address, { timeout: -1 })).toThrow(/timeout must be/);
    expect(() => connect(address, { retries: 3 } as never)).toThrow(/no "retries"/);
    expect(() => client.stream.subscribe('t', null as never)).toThrow(/handler must be a function/);
    expect(() => client.queue.consume(7 as never)).toThrow(InvalidArgumentError);
  });
});

describe('TLS', () => {
  test('reaches a node by its IP address, which its certificate must name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gomsg-tls-'));
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(cert, TEST_CERTIFICATE);
    writeFileSync(key, TEST_KEY);
    const secure = NodeProcess.start({ flags: [`--tls-cert=${cert}`, `--tls-key=${key}`] });
    try {
      const secured = await secure.ready;
      await using trusting = connect(secured, { tls: { ca: TEST_CERTIFICATE } });
      await trusting.kv.set('k', 'v');
      await using watch = trusting.kv.watch('k');
      await watch.ready;
      await using byName = connect(secured, { tls: { ca: cert, serverName: 'localhost' } });
      expect(await byName.kv.get('k')).toBe('v');
      for (const serverName of ['127.0.0.2', 'elsewhere.test']) {
        const tls = { ca: TEST_CERTIFICATE, serverName };
        await using distrusting = connect(secured, { tls, unreachableTimeout: 1 });
        expect((await failure(distrusting.kv.get('k'))).message).toContain(serverName);
      }
    } finally {
      await secure.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each([
    ['a file that is not there', { ca: '/nowhere/ca.pem' }],
    ['what is no certificate', { ca: '-----BEGIN nothing' }],
    ['a certificate without its key', { cert: TEST_CERTIFICATE }],
    ['an option that there is not', { caFile: 'ca.pem' } as object],
  ])('with %s is refused at once', (_, tls) => {
    expect(() => clientWith({ tls })).toThrow(InvalidArgumentError);
  });
});

describe('a failed call', () => {
  test('says which, why and what to do, by its own class', async () => {
    const error = await failure(client.kv.get('nobody'));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({
      reasonName: 'KEY_NOT_FOUND',
      code: 5,
      method: 'kv.get',
      subject: 'nobody',
    });
    expect(error.message).toMatch(/^kv\.get: .*nobody.*\. Set the key first/);
  });

  test('on a condition brings the version to go on with', async () => {
    const key = fresh();
    const version = await client.kv.setVersion(key, 'a');
    await client.kv.set(key, 'b');
    const error = await failure(client.kv.set(key, 'c', { ifVersion: version }));
    await client.kv.set(key, 'd', { ifVersion: error.currentVersion! });
    expect(await client.kv.get(key)).toBe('d');
  });

  test('that took too long does not say that nothing was written', async () => {
    const error = await failure(client.queue.popTimeout(fresh(), 30, { signal: AbortSignal.timeout(100) }));
    expect(error).toBeInstanceOf(CanceledError);
    expect(error.message).toContain('may still be applied');
  });

  test('has the time that the server was asked to wait on top of its own', async () => {
    expect(await client.queue.popTimeout(fresh(), 2.1, { timeout: 2 })).toBeNull();
  });
});

describe('pages', () => {
  test('are collected, or come one by one', async () => {
    const prefix = fresh();
    const keys = Array.from({ length: 2_500 }, (_, i) => `${prefix}:${String(i).padStart(4, '0')}`);
    await client.kv.mset(Object.fromEntries(keys.map((key) => [key, 'v'])));
    expect(await client.kv.keys(`${prefix}:*`)).toEqual(keys);
    const some: string[] = [];
    for await (const key of client.kv.keysIter(`${prefix}:*`)) {
      some.push(key);
      if (some.length === 1_200) break;
    }
    expect(some).toEqual(keys.slice(0, 1_200));
    await using small = clientWith({ maxCollected: 2_000 });
    const error = await failure(small.kv.keys(`${prefix}:*`));
    expect(error.reason).toBe(ErrorReason.RESULT_TOO_LARGE);
  });
});

describe('queues', () => {
  test('hand out messages that can be settled by themselves or by id', async () => {
    const queue = fresh();
    const id = await client.queue.push(queue, NOT_UTF8, { headers: { a: 'b' }, priority: 3 });
    const first = (await client.queue.pop(queue))!;
    expect(first).toMatchObject({
      messageId: id,
      dataBytes: NOT_UTF8,
      headers: { a: 'b' },
      priority: 3,
      attempt: 1,
    });
    expect(() => first.data).toThrow(/not UTF-8/);
    const until = await first.extend(60);
    expect(first.leaseExpiresAt).toEqual(until);
    await first.nack({ delay: 0 });
    const second = (await client.queue.pop(queue))!;
    expect(second.attempt).toBe(2);
    await client.queue.ack(second.id);
    expect((await failure(second.ack())).reason).toBe(ErrorReason.DELIVERY_NOT_FOUND);
  });

  test('give a message back when its handler fails, and tell the error handler', async () => {
    const queue = fresh();
    await client.queue.create(queue, { maxDeliveries: 1 });
    const told = Promise.withResolvers<GomsgError>();
    await using consumer = client.queue.consume(
      queue,
      () => {
        throw new Error(`${'ä'.repeat(600)} and more`);
      },
      { onError: told.resolve },
    );
    await consumer.ready;
    await client.queue.push(queue, 'x');
    const error = await told.promise;
    expect(error.reason).toBe(ErrorReason.HANDLER_FAILED);
    expect((error.cause as Error).message).toContain('and more');
    await vi.waitUntil(async () => (await client.queue.peek(queue, { state: 'dead' })) !== null, PATIENCE);
    expect((await client.queue.peek(queue, { state: 'dead' }))!.error).toBe('ä'.repeat(512));
  });

  test.each([
    ['half a surrogate pair', () => new Error('\ud800')],
    ['nothing that has a text', () => Object.create(null) as unknown],
  ])('go on when a handler throws %s', async (_, thrown) => {
    const queue = fresh();
    await client.queue.push(queue, 'job');
    const attempts: number[] = [];
    const again = Promise.withResolvers<void>();
    await using consumer = client.queue.consume(queue, async (message) => {
      attempts.push(message.attempt);
      if (message.attempt === 1) throw thrown();
      await message.ack();
      again.resolve();
    });
    await Promise.race([again.promise, consumer.closed]);
    expect(attempts).toEqual([1, 2]);
  });

  test('tell a failed acknowledgement that nobody waits for', async () => {
    const queue = fresh();
    const told = Promise.withResolvers<GomsgError>();
    await using _consumer = client.queue.consume(
      queue,
      async (message) => {
        await message.ack();
        message.ack();
      },
      { onError: told.resolve },
    );
    await client.queue.push(queue, 'x');
    expect((await told.promise).reason).toBe(ErrorReason.DELIVERY_NOT_FOUND);
  });
});

describe('subscriptions', () => {
  test('give messages to a handler in order, and commit what it acknowledges without waiting', async () => {
    const topic = fresh();
    await client.stream.publishBatch(
      topic,
      Array.from({ length: 500 }, (_, i) => String(i)),
    );
    const seen: string[] = [];
    const all = Promise.withResolvers<void>();
    const subscription = client.stream.subscribe(
      topic,
      (message) => {
        seen.push(message.data);
        message.ack();
        if (seen.length === 500) all.resolve();
      },
      { consumer: 'c' },
    );
    await all.promise;
    await subscription.close();
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
    expect(await subscription.closed).toBeUndefined();
    expect(await client.stream.getOffset(topic, 'c')).toBe(500);
  });

  test('end with the error of a handler, unless somebody handles it', async () => {
    const topic = fresh();
    const cause = new Error('broken');
    const failing = client.stream.subscribe(topic, () => Promise.reject(cause));
    await failing.ready;
    const told: GomsgError[] = [];
    const seen: string[] = [];
    const both = Promise.withResolvers<void>();
    await using handled = client.stream.subscribe(
      topic,
      ({ data }) => {
        seen.push(data);
        if (seen.length === 2) both.resolve();
        throw cause;
      },
      { onError: (error) => told.push(error) },
    );
    await handled.ready;
    await client.stream.publish(topic, 'a');
    await client.stream.publish(topic, 'b');
    expect(await failing.closed).toMatchObject({ reason: ErrorReason.HANDLER_FAILED, cause });
    await both.promise;
    expect(seen).toEqual(['a', 'b']);
    expect(told[0]).toMatchObject({ reason: ErrorReason.HANDLER_FAILED, cause });
  });

  test('can be iterated, and are closed by leaving the loop', async () => {
    const topic = fresh();
    await client.stream.publishBatch(topic, ['a', 'b', 'c']);
    const subscription = client.stream.subscribeGroup(topic, 'g', { start: 'earliest' });
    for await (const message of subscription) {
      await message.ack();
      if (message.data === 'b') break;
    }
    expect(await subscription.closed).toBeUndefined();
    expect(await subscription.next()).toEqual({ done: true, value: undefined });
    const rest = client.stream.subscribeGroup(topic, 'g');
    expect((await rest.next()).value!.data).toBe('c');
    await rest.close();
  });

  test('are closed by a signal, also in the middle of waiting', async () => {
    const controller = new AbortController();
    const subscription = client.kv.watch(fresh(), { signal: controller.signal });
    await subscription.ready;
    const next = subscription.next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test('tell why they could not be opened', async () => {
    const subscription = client.stream.subscribe('bad name', () => {});
    await expect(subscription.ready).rejects.toMatchObject({
      reason: ErrorReason.INVALID_NAME,
      method: 'stream.subscribe',
    });
    await expect(client.stream.subscribe('bad name').next()).rejects.toThrow(InvalidArgumentError);
  });

  test('tell of every change of a watched key', async () => {
    const prefix = fresh();
    const watch = client.kv.watchPrefix(prefix);
    await watch.ready;
    await client.kv.set(`${prefix}:a`, '1');
    await client.kv.del(`${prefix}:a`);
    const events = [(await watch.next()).value!, (await watch.next()).value!];
    expect(events.map(({ type, key, value }) => [type, key, value])).toEqual([
      ['set', `${prefix}:a`, '1'],
      ['delete', `${prefix}:a`, ''],
    ]);
    await watch.close();
  });
});

describe('hooks', () => {
  test('are told of calls and connections, and cannot break them', async () => {
    const calls: unknown[] = [];
    const connected = vi.fn(() => {
      throw new Error('ignored');
    });
    await using hooked = clientWith({
      hooks: {
        onConnect: connected,
        onCall: ({ method, target }) => {
          return ({ error, duration }) => {
            calls.push([method, target, error?.reasonName]);
            expect(duration).toBeGreaterThan(0);
            throw new Error('ignored');
          };
        },
      },
    });
    const key = fresh();
    await hooked.kv.set(key, 'v');
    await failure(hooked.kv.get('nobody'));
    expect(calls).toEqual([
      ['kv.set', key, undefined],
      ['kv.get', 'nobody', 'KEY_NOT_FOUND'],
    ]);
    expect(connected).toHaveBeenCalledWith({ address });
  });

  test('that are async and fail break nothing either', async () => {
    // An unhandled rejection would fail this run.
    const broken = async () => {
      throw new Error('ignored');
    };
    await using hooked = clientWith({ hooks: { onConnect: broken, onCall: broken as never } });
    await hooked.kv.set(fresh(), 'v');
  });
});

describe('a token', () => {
  test('that cannot be had fails the call with the reason', async () => {
    await using guarded = clientWith({
      unreachableTimeout: 0.2,
      token: () => Promise.reject(new Error('the vault is closed')),
    });
    const error = await failure(guarded.kv.get('k'));
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error.message).toContain('the vault is closed');
  });

  test('that no header can carry is refused at once', () => {
    expect(() => clientWith({ token: 'from a file\n' })).toThrow(/token must be of printable/);
  });

  test('that a function gives and no header can carry fails the call with the reason', async () => {
    await using guarded = clientWith({ unreachableTimeout: 0.2, token: () => 'two\nlines' });
    expect((await failure(guarded.kv.get('k'))).message).toContain('no token');
  });

  test('that never comes does not keep the client from closing', async () => {
    const waiting = clientWith({ closeTimeout: 0.1, token: () => new Promise<string>(() => {}) });
    const subscription = waiting.stream.subscribe(fresh());
    const call = failure(waiting.kv.get('k'));
    await waiting.close();
    expect(await subscription.closed).toBeUndefined();
    expect((await call).reason).toBe(ErrorReason.CLIENT_CLOSED);
  });

  test('is asked for anew with each connection', async () => {
    const token = vi.fn(() => 'secret');
    await using guarded = clientWith({ token });
    await guarded.kv.set(fresh(), 'v');
    expect(token).toHaveBeenCalled();
  });
});

describe('a closed client', () => {
  test('takes no more calls, ends what is open, and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const closing = clientWith({});
    const subscription = closing.stream.subscribe(fresh());
    await subscription.ready;
    const call = closing.kv.incr(fresh());
    await closing.close();
    await closing.close();
    expect(await call).toBe(1);
    expect(await subscription.closed).toBeUndefined();
    const error = await failure(closing.kv.get('k'));
    expect(error).toMatchObject({ reason: ErrorReason.CLIENT_CLOSED, method: 'kv.get' });
    expect(() => closing.queue.consume('q')).toThrow(/closed/);
    await vi.waitUntil(
      () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length <= before,
      PATIENCE,
    );
  });

  test('does not wait longer than it may for acknowledgements', async () => {
    const doomed = NodeProcess.start({ flags: [] });
    const closing = connect(await doomed.ready, { closeTimeout: 0.1, timeout: 20, unreachableTimeout: 20 });
    const queue = fresh();
    await closing.queue.push(queue, 'job');
    const settled = Promise.withResolvers<GomsgError>();
    closing.queue.consume(queue, async (message) => {
      await doomed.kill();
      settled.resolve(await failure(message.ack()));
    });
    await vi.waitUntil(() => doomed.exit !== undefined, PATIENCE);
    await closing.close();
    expect((await settled.promise).reason).toBe(ErrorReason.CLIENT_CLOSED);
  });

  test('that never reached a node fails its calls and subscriptions in time', async () => {
    const nowhere = connect('127.0.0.1:1', { unreachableTimeout: 0.2 });
    const [call, subscription] = [nowhere.kv.get('k'), nowhere.stream.subscribe('t')];
    expect(await failure(call)).toMatchObject({ reason: ErrorReason.UNREACHABLE, method: 'kv.get' });
    await expect(subscription.ready).rejects.toMatchObject({ reason: ErrorReason.UNREACHABLE });
    await nowhere.close();
  });
});
