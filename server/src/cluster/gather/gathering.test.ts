import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Consistency, ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import { KVService, type KVServiceWatchResponse } from '../../gen/gomsg/v1/kv_pb.js';
import { QueueService } from '../../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import type { Method } from '../../services/method.ts';
import { call, callContext, open } from '../../services/testing/call.ts';
import { SimulatedNodes } from './testing/simulated-nodes.ts';

const kv = KVService.method;
const bytes = (text: string): Uint8Array => Buffer.from(text);

const made: SimulatedNodes[] = [];
afterEach(() => {
  for (const nodes of made.splice(0)) nodes.close();
});

/** A name's group is its first digit's, where it has one. */
function nodesOf(leaders: readonly number[]): SimulatedNodes {
  const nodes = new SimulatedNodes(leaders, (name) => Number(/\d/.exec(name)?.[0] ?? name.length));
  made.push(nodes);
  return nodes;
}

/** A message as its bytes, which are the same however its byte fields are held. */
function encoded<D extends DescMessage>(desc: D, message: MessageInitShape<D>): string {
  return Buffer.from(toBinary(desc, create(desc, message))).toString('latin1');
}

/** All pages of a listing, and how many there were. */
async function pages<I extends DescMessage, O extends DescMessage>(
  methods: readonly Method[],
  desc: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>[]> {
  const all: MessageShape<O>[] = [];
  let cursor = new Uint8Array();
  do {
    const page = await call(methods, desc, { ...request, cursor });
    all.push(page);
    cursor = (page as unknown as { nextCursor: Uint8Array<ArrayBuffer> }).nextCursor;
  } while (cursor.length > 0 && all.length < 500);
  return all;
}

const leaders = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 });
const key = fc
  .tuple(fc.constantFrom('a', 'b', 'ü', 'z'), fc.integer({ min: 0, max: 99 }))
  .map(([letter, n]) => `${letter}${n}`);
const keysOfAll = fc.uniqueArray(key, { maxLength: 40 });

describe('gathered from any split of the groups, as from one node with all of them', () => {
  test('Keys and Scan, page by page, forwards and backwards', () =>
    fc.assert(
      fc.asyncProperty(
        leaders,
        keysOfAll,
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom('', 'a', 'ü', 'b1'),
        fc.boolean(),
        async (leaders, names, limit, prefix, reverse) => {
          const nodes = nodesOf(leaders);
          for (const name of names)
            await call(nodes.whole, kv.set, { key: name, value: bytes(`of ${name}`) });
          const scan = { prefix, limit, reverse };
          const found = await pages(nodes.gathered, kv.scan, scan);
          const expected = await pages(nodes.whole, kv.scan, scan);
          const entriesOf = (pages: typeof found) =>
            encoded(kv.scan.output, { entries: pages.flatMap(({ entries }) => entries) });
          expect(entriesOf(found)).toBe(entriesOf(expected));
          for (const page of found) {
            expect(page.entries.length).toBeLessThanOrEqual(limit);
            expect(Buffer.compare(page.resumeToken, expected[0]!.resumeToken)).toBe(0);
            expect(page.revision).toBe(expected[0]!.revision);
          }
          const pattern = { pattern: `${prefix}*`, limit };
          const listed = await pages(nodes.gathered, kv.keys, pattern);
          expect(listed.flatMap(({ keys }) => keys)).toEqual(
            (await pages(nodes.whole, kv.keys, pattern)).flatMap(({ keys }) => keys),
          );
          nodes.close();
        },
      ),
      { numRuns: 60 },
    ));

  test('GetMany, in the order asked, with keys that are missing or asked for twice', () =>
    fc.assert(
      fc.asyncProperty(
        leaders,
        keysOfAll,
        fc.array(key, { maxLength: 30 }),
        async (leaders, names, asked) => {
          const nodes = nodesOf(leaders);
          for (const name of names)
            await call(nodes.whole, kv.set, { key: name, value: bytes(`of ${name}`) });
          const found = await call(nodes.gathered, kv.getMany, { keys: asked });
          const expected = await call(nodes.whole, kv.getMany, { keys: asked });
          expect(encoded(kv.getMany.output, found)).toBe(encoded(kv.getMany.output, expected));
          nodes.close();
        },
      ),
      { numRuns: 60 },
    ));

  test('DeletePattern, to the number of removed keys', () =>
    fc.assert(
      fc.asyncProperty(
        leaders,
        keysOfAll,
        fc.constantFrom('a*', '*1*', '*', 'b7'),
        async (leaders, names, pattern) => {
          const nodes = nodesOf(leaders);
          const other = nodesOf(leaders);
          for (const name of names) {
            for (const { whole } of [nodes, other])
              await call(whole, kv.set, { key: name, value: bytes('v') });
          }
          expect(await call(nodes.gathered, kv.deletePattern, { pattern })).toEqual(
            await call(other.whole, kv.deletePattern, { pattern }),
          );
          expect((await call(nodes.whole, kv.keys, {})).keys).toEqual(
            (await call(other.whole, kv.keys, {})).keys,
          );
          nodes.close();
          other.close();
        },
      ),
      { numRuns: 40 },
    ));

  test('lists of queues and topics', () =>
    fc.assert(
      fc.asyncProperty(
        leaders,
        fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 15 }),
        fc.integer({ min: 1, max: 5 }),
        async (leaders, numbers, limit) => {
          const nodes = nodesOf(leaders);
          for (const number of numbers) {
            await call(nodes.whole, QueueService.method.push, { queue: `q${number}`, payload: bytes('m') });
            await call(nodes.whole, StreamService.method.create, { topic: `t${number}` });
          }
          const queues = (methods: readonly Method[]) =>
            pages(methods, QueueService.method.list, { prefix: 'q', limit });
          expect((await queues(nodes.gathered)).flatMap((page) => page.queues)).toEqual(
            (await queues(nodes.whole)).flatMap((page) => page.queues),
          );
          const topics = (methods: readonly Method[]) =>
            pages(methods, StreamService.method.list, { prefix: 't', limit });
          expect((await topics(nodes.gathered)).flatMap((page) => page.topics)).toEqual(
            (await topics(nodes.whole)).flatMap((page) => page.topics),
          );
          nodes.close();
        },
      ),
      { numRuns: 40 },
    ));

  test.each([
    ['a bad pattern', () => [kv.keys, { pattern: '[' }] as const, ErrorReason.INVALID_PATTERN],
    ['a page that is too large', () => [kv.keys, { limit: 10_001 }] as const, ErrorReason.INVALID_REQUEST],
    [
      'another call’s cursor',
      () => [kv.keys, { cursor: bytes('nonsense') }] as const,
      ErrorReason.INVALID_CURSOR,
    ],
    ['an empty key', () => [kv.getMany, { keys: ['a1', ''] }] as const, ErrorReason.INVALID_KEY],
    ['no pattern', () => [kv.deletePattern, {}] as const, ErrorReason.INVALID_REQUEST],
  ])('refusals: %s', async (_what, make, reason) => {
    const nodes = nodesOf([1, 2, 3]);
    const [desc, request] = make();
    const method = desc as DescMethodUnary;
    await expect(call(nodes.gathered, method, request)).rejects.toMatchObject({ reason });
    await expect(call(nodes.whole, method, request)).rejects.toMatchObject({ reason });
  });
});

describe('a gathered call', () => {
  test('asks every node once, for all that it leads', async () => {
    const nodes = nodesOf([2, 1, 3, 2]);
    await call(nodes.gathered, kv.keys, {});
    expect(nodes.passedOn).toEqual([
      { node: 2, groups: [1, 4] },
      { node: 3, groups: [3] },
    ]);
  });

  test('reads the replicas that are here when that is good enough', async () => {
    const nodes = nodesOf([2, 3, 2]);
    nodes.replicas.add(1).add(2);
    await call(nodes.gathered, kv.keys, { consistency: Consistency.STALE });
    expect(nodes.passedOn).toEqual([{ node: 2, groups: [3] }]);
  });

  test('asks again, for what is missing, whoever leads then', async () => {
    const nodes = nodesOf([2, 1, 3]);
    await call(nodes.whole, kv.set, { key: 'a0' });
    await call(nodes.whole, kv.set, { key: 'a2' });
    nodes.move(1, 3, false);
    const keys = call(nodes.gathered, kv.keys, {});
    nodes.hear(1, 3);
    expect((await keys).keys).toEqual(['a0', 'a2']);
    expect(nodes.passedOn).toEqual([
      { node: 2, groups: [1] },
      { node: 3, groups: [3] },
      { node: 3, groups: [1] },
    ]);
    expect(nodes.listening).toBe(0);
  });

  test('waits for leaders as long as its caller does, and says which is missing', async () => {
    const nodes = nodesOf([1, 2]);
    nodes.hear(2, undefined);
    const context = callContext({ deadline_ms: Date.now() + 30 });
    await expect(call(nodes.gathered, kv.keys, {}, context)).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
      message: 'nobody leads group 2',
    });
    expect(nodes.listening).toBe(0);
  });

  test('is refused when its values together do not fit into an answer', async () => {
    const nodes = nodesOf([1, 2, 3]);
    const keys = ['a0', 'a1', 'a2'];
    for (const key of keys) await call(nodes.whole, kv.set, { key, value: new Uint8Array(3000) });
    await expect(call(nodes.gathered, kv.getMany, { keys })).rejects.toMatchObject({
      reason: ErrorReason.BATCH_TOO_LARGE,
    });
  });
});

describe('a watch of a prefix', () => {
  type Watch = AsyncGenerator<KVServiceWatchResponse, void, undefined>;

  function watch(
    { gathered }: SimulatedNodes,
    resumeToken = new Uint8Array(),
    context = callContext(),
  ): Watch {
    return open(gathered, kv.watch, { target: { case: 'prefix', value: 'a' }, resumeToken }, context);
  }

  async function take(stream: Watch): Promise<KVServiceWatchResponse> {
    const next = await stream.next();
    if (next.done) throw new Error('the watch ended');
    return next.value;
  }

  test('is in place on all nodes before it says so, and tells what happens on any', async () => {
    const nodes = nodesOf([1, 2, 3]);
    const stream = watch(nodes);
    expect(await take(stream)).toMatchObject({ subscribed: true, events: [], revision: 0n });
    const names = ['a0', 'a1', 'a2', 'a10', 'a20'];
    for (const key of names) await call(nodes.whole, kv.set, { key, value: bytes('v') });
    const told: string[] = [];
    while (told.length < names.length) told.push(...(await take(stream)).events.map(({ key }) => key));
    expect(told.sort()).toEqual(names.sort());
    await stream.return();
    expect(nodes.listening).toBe(0);
  });

  test('that is opened again with any token, at any split, misses nothing and repeats nothing', () =>
    fc.assert(
      fc.asyncProperty(
        leaders.filter(({ length }) => length > 1),
        fc.array(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 6 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        async (leaders, rounds, other) => {
          const nodes = nodesOf(leaders);
          const expected: string[] = [];
          const told: string[] = [];
          let stream = watch(nodes);
          let { resumeToken } = await take(stream);
          for (const numbers of rounds) {
            for (const number of numbers) {
              const { version } = await call(nodes.whole, kv.set, { key: `a${number}` });
              expected.push(`a${number}@${version}`);
            }
            // Some of it is told before the watch ends, the rest to the next.
            if (numbers.length > 2) {
              const message = await take(stream);
              told.push(...message.events.map(({ key, revision }) => `${key}@${revision}`));
              resumeToken = message.resumeToken;
            }
            await stream.return();
            nodes.move(1, other);
            stream = watch(nodes, resumeToken as Uint8Array<ArrayBuffer>);
            ({ resumeToken } = await take(stream));
          }
          while (told.length < expected.length) {
            told.push(...(await take(stream)).events.map(({ key, revision }) => `${key}@${revision}`));
          }
          expect(told.sort()).toEqual(expected.sort());
          await stream.return();
          nodes.close();
        },
      ),
      { numRuns: 40 },
    ));

  test('ends when a leader moves, with all its listeners', async () => {
    const nodes = nodesOf([1, 2, 3]);
    const stream = watch(nodes);
    await take(stream);
    const next = stream.next();
    nodes.move(3, 2);
    await expect(next).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
    expect(nodes.listening).toBe(0);
  });

  test('ends when its caller goes away while nothing happens', async () => {
    const nodes = nodesOf([1, 2, 3]);
    const caller = new AbortController();
    const stream = watch(nodes, undefined, callContext({ signal: caller.signal }));
    await take(stream);
    const next = stream.next();
    caller.abort();
    expect((await next).done).toBe(true);
    expect(nodes.listening).toBe(0);
  });

  test('waits for leaders before it begins', async () => {
    const nodes = nodesOf([1, 2]);
    nodes.hear(2, undefined);
    const stream = watch(nodes);
    const first = take(stream);
    await expect.poll(() => nodes.listening).toBe(1);
    nodes.hear(2, 2);
    expect((await first).subscribed).toBe(true);
    await stream.return();
  });

  test('waits for the link to a leader, and leaves nothing open where it could not begin', async () => {
    const nodes = nodesOf([2, 3]);
    nodes.unlinked.add(3);
    const stream = watch(nodes);
    const first = take(stream);
    await expect.poll(() => nodes.openStreams).toBe(0);
    nodes.unlinked.delete(3);
    expect((await first).subscribed).toBe(true);
    expect(nodes.openStreams).toBe(2);
    await stream.return();
    expect({ streams: nodes.openStreams, listening: nodes.listening }).toEqual({ streams: 0, listening: 0 });
  });

  test('that is refused leaves nothing open', async () => {
    const nodes = nodesOf([1, 2]);
    await expect(take(watch(nodes, new Uint8Array([7])))).rejects.toMatchObject({
      reason: ErrorReason.INVALID_CURSOR,
    });
    expect({ streams: nodes.openStreams, listening: nodes.listening }).toEqual({ streams: 0, listening: 0 });
  });

  test('refuses a revision, which is of one group', async () => {
    const request = { target: { case: 'prefix' as const, value: 'a' }, fromRevision: 3n };
    await expect(open(nodesOf([1, 2]).gathered, kv.watch, request).next()).rejects.toMatchObject({
      reason: ErrorReason.INVALID_REQUEST,
      subject: 'from_revision',
    });
  });
});
