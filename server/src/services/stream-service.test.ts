import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamService } from '../gen/gomsg/v1/stream_pb.js';
import { durationToMs, msToDuration, msToTimestamp } from '../state/durations.ts';
import { MAX_BATCH_MESSAGES } from '../state/stream/limits.ts';
import { StreamMachine } from '../state/stream/stream-machine.ts';
import { defaultTopicSettings } from '../state/stream/topic.ts';
import { ModelStore } from '../state/testing/model-store.ts';
import { ErrorReason } from './errors.ts';
import type { UnaryMethod } from './method.ts';
import { StreamNode } from './stream/testing/stream-node.ts';
import { streamServer } from './stream-service.ts';
import { call, callContext } from './testing/call.ts';
import { firstStamp_ms, InstantGroup, InstantRouter } from './testing/instant-group.ts';

const rpc = StreamService.method;
const text = (payload: Uint8Array) => Buffer.from(payload).toString();
const bytes = (payload: string) => Buffer.from(payload);

function failing(reason: ErrorReason) {
  return expect.objectContaining({ reason });
}

describe('the methods of StreamService', () => {
  it('are all there', () => {
    const { server } = new StreamNode();
    expect(server.methods.map(({ desc }) => desc.name).sort()).toEqual(
      StreamService.methods.map(({ name }) => name).sort(),
    );
  });
});

describe('Publish', () => {
  it('creates the topic, answers where the message went, and keeps all of it', async () => {
    const { server } = new StreamNode();
    const request = { topic: 'events', payload: bytes('hi'), key: 'käse', headers: { a: '1', ключ: '' } };
    expect(await call(server.methods, rpc.publish, request)).toMatchObject({
      messageId: 'events#0.0',
      partition: 0,
      offset: 0n,
    });
    const { messages } = await call(server.methods, rpc.read, { topic: 'events' });
    expect(messages).toEqual([
      expect.objectContaining({
        topic: '',
        offset: 0n,
        key: 'käse',
        headers: { a: '1', ключ: '' },
        publishedAt: msToTimestamp(firstStamp_ms),
      }),
    ]);
    expect(text(messages[0]!.payload)).toBe('hi');
  });

  it('gives a message without payload, key and headers back as it is', async () => {
    const { server } = new StreamNode();
    await call(server.methods, rpc.publish, { topic: 't' });
    const { messages } = await call(server.methods, rpc.read, { topic: 't' });
    expect(messages).toMatchObject([{ payload: new Uint8Array(), key: '', headers: {} }]);
  });

  it('uses the defaults of the node for a topic that appears', async () => {
    const topicDefaults = { partitions: 2, retentionAge_ms: 60_000, retentionBytes: 5, retentionMessages: 7 };
    const { server } = new StreamNode({ topicDefaults });
    await call(server.methods, rpc.publish, { topic: 'a' });
    await call(server.methods, rpc.seek, {
      topic: 'b',
      consumer: 'c',
      position: { position: { case: 'latest', value: true } },
    });
    await call(server.methods, rpc.create, { topic: 'c', settings: { retentionMessages: 0n } });
    for (const [topic, kept] of [
      ['a', 7n],
      ['b', 7n],
      ['c', 0n],
    ] as const) {
      const { info } = await call(server.methods, rpc.info, { topic });
      expect(info?.settings).toMatchObject({ partitions: 2, retentionBytes: 5n, retentionMessages: kept });
      expect(durationToMs(info!.settings!.retentionAge!)).toBe(60_000);
    }
  });

  it.each([
    ['an empty name', { topic: '' }, ErrorReason.INVALID_NAME],
    ['a malformed name', { topic: 'a b' }, ErrorReason.INVALID_NAME],
    ['a long key', { topic: 't', key: 'k'.repeat(1025) }, ErrorReason.INVALID_KEY],
    ['a large message', { topic: 't', payload: new Uint8Array(1025) }, ErrorReason.VALUE_TOO_LARGE],
    [
      'large headers',
      { topic: 't', payload: new Uint8Array(1000), headers: { header: 'value'.repeat(5) } },
      ErrorReason.VALUE_TOO_LARGE,
    ],
    ['a missing partition', { topic: 't', partition: 1 }, ErrorReason.PARTITION_NOT_FOUND],
    ['an unexpected offset', { topic: 't', expectedOffset: 1n }, ErrorReason.CONDITION_FAILED],
  ])('refuses %s and writes nothing', async (_, request, reason) => {
    const { server } = new StreamNode({ maxMessageBytes: 1024 });
    await expect(call(server.methods, rpc.publish, request)).rejects.toEqual(failing(reason));
    expect((await call(server.methods, rpc.list, {})).topics).toEqual([]);
  });

  it('refuses bytes that are no request', async () => {
    const { server } = new StreamNode();
    const method = server.methods.find(({ desc }) => desc === rpc.publish) as UnaryMethod;
    for (const garbage of [
      [10],
      [10, 5, 97],
      [18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [10, 1, 97, 26, 1, 0xff],
      [11, 12],
    ]) {
      const reason = await new Promise((resolve) =>
        method.handle(Uint8Array.from(garbage), callContext(), {
          ok: () => resolve(undefined),
          fail: (failure) => resolve(failure.reason),
        }),
      );
      expect(reason).toBe(ErrorReason.INVALID_REQUEST);
    }
  });
});

describe('PublishBatch', () => {
  it('spreads messages without a key in turn and keeps those of a key together', async () => {
    const { server } = new StreamNode();
    await call(server.methods, rpc.create, { topic: 't', settings: { partitions: 3 } });
    const { positions } = await call(server.methods, rpc.publishBatch, {
      topic: 't',
      messages: ['', '', '123456789', '', '123456789'].map((key) => ({ key })),
    });
    // CRC16 of that key is 0x31c3, which is 1 modulo 3.
    expect(positions.map(({ partition }) => partition)).toEqual([0, 1, 1, 2, 1]);
    expect(positions.map(({ offset }) => offset)).toEqual([0n, 0n, 1n, 0n, 2n]);
  });

  it('takes from one message up to the limit', async () => {
    const { server } = new StreamNode();
    const batch = (count: number) =>
      call(server.methods, rpc.publishBatch, {
        topic: 't',
        messages: Array.from({ length: count }, () => ({})),
      });
    await expect(batch(0)).rejects.toEqual(failing(ErrorReason.INVALID_REQUEST));
    await expect(batch(MAX_BATCH_MESSAGES + 1)).rejects.toEqual(failing(ErrorReason.BATCH_TOO_LARGE));
    expect((await batch(MAX_BATCH_MESSAGES)).positions.at(-1)?.offset).toBe(9999n);
  });
});

describe('Read', () => {
  it('pages through a partition by messages and by bytes', async () => {
    const node = new StreamNode();
    await node.publish('t', ['a', 'b', 'c']);
    await node.publish('t', ['d'.repeat(500), 'e']);
    const read = (request: object) => call(node.server.methods, rpc.read, { topic: 't', ...request });
    const page = await read({ offset: 1n, limit: 3 });
    expect(page.messages.map(({ offset }) => offset)).toEqual([1n, 2n, 3n]);
    expect(page).toMatchObject({ nextOffset: 4n, startOffset: 0n, endOffset: 5n });
    // At least one message, whatever its size.
    expect((await read({ offset: 3n, maxBytes: 10 })).nextOffset).toBe(4n);
    expect((await read({ offset: 2n, maxBytes: 100 })).nextOffset).toBe(3n);
    expect((await read({ offset: 5n })).messages).toEqual([]);
  });

  it('answers with no more than a frame can carry, whatever is asked for', async () => {
    const maxFrameBytes = 64 * 1024;
    const node = new StreamNode({ maxFrameBytes });
    for (let i = 0; i < 20; i++) await node.publish('t', ['x'.repeat(10_000)]);
    const messages: Uint8Array[] = [];
    while (messages.length < 20) {
      const offset = BigInt(messages.length);
      const page = await call(node.server.methods, rpc.read, { topic: 't', offset, maxBytes: 1024 * 1024 });
      expect(toBinary(rpc.read.output, page).length).toBeLessThan(maxFrameBytes);
      messages.push(...page.messages.map(({ payload }) => payload));
    }
    const byTime = await call(node.server.methods, rpc.readFrom, { topic: 't' });
    expect(toBinary(rpc.readFrom.output, byTime).length).toBeLessThan(maxFrameBytes);
  });

  it('says which offsets there are when the asked one is not', async () => {
    const node = new StreamNode();
    await node.publish('t', ['a', 'b', 'c']);
    await call(node.server.methods, rpc.purge, { topic: 't', beforeOffset: 1n });
    for (const offset of [0n, 4n]) {
      await expect(call(node.server.methods, rpc.read, { topic: 't', offset })).rejects.toMatchObject({
        reason: ErrorReason.OFFSET_OUT_OF_RANGE,
        oldestAvailable: 1,
        newestAvailable: 3,
      });
    }
  });

  it.each([
    [{ topic: 'none' }, ErrorReason.TOPIC_NOT_FOUND],
    [{ topic: 't', partition: 1 }, ErrorReason.PARTITION_NOT_FOUND],
    [{ topic: 't', limit: 10_001 }, ErrorReason.INVALID_REQUEST],
    [{ topic: 't', maxBytes: 8 * 1024 * 1024 + 1 }, ErrorReason.INVALID_REQUEST],
  ])('refuses %j', async (request, reason) => {
    const node = new StreamNode();
    await node.publish('t', ['a']);
    await expect(call(node.server.methods, rpc.read, request)).rejects.toEqual(failing(reason));
  });
});

describe('ReadFrom', () => {
  it('gives every message once, by time, partition and offset, whatever the page size and what is published between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ partition: fc.nat(2), wait_ms: fc.nat(2), count: fc.integer({ min: 1, max: 4 }) }),
          {
            maxLength: 12,
          },
        ),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(8),
        async (entries, limit, after_ms) => {
          const node = new StreamNode();
          const { methods } = node.server;
          await call(methods, rpc.create, { topic: 't', settings: { partitions: 3 } });
          const expected: { ms: number; partition: number; offset: number }[] = [];
          const ends = [0, 0, 0];
          for (const { partition, wait_ms, count } of entries) {
            node.group.now_ms += wait_ms;
            await node.publish('t', new Array<string>(count).fill('x'), partition);
            for (let i = 0; i < count; i++) {
              expected.push({ ms: node.group.now_ms, partition, offset: ends[partition]!++ });
            }
          }
          const from_ms = firstStamp_ms + after_ms;
          const pages = [];
          let cursor: Uint8Array = new Uint8Array();
          do {
            const page = await call(methods, rpc.readFrom, {
              topic: 't',
              time: msToTimestamp(from_ms),
              limit,
              cursor,
            });
            expect(page.messages.length).toBeLessThanOrEqual(limit);
            pages.push(
              ...page.messages.map(({ partition, offset }) => ({ partition, offset: Number(offset) })),
            );
            cursor = page.nextCursor;
          } while (cursor.length > 0);
          expect(pages).toEqual(
            expected
              .filter(({ ms }) => ms >= from_ms)
              .sort((a, b) => a.ms - b.ms || a.partition - b.partition || a.offset - b.offset)
              .map(({ partition, offset }) => ({ partition, offset })),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  it('neither loses nor repeats what is published in the same millisecond between two pages', async () => {
    const node = new StreamNode();
    const { methods } = node.server;
    await call(methods, rpc.create, { topic: 't', settings: { partitions: 2 } });
    await node.publish('t', ['a', 'b'], 1);
    const first = await call(methods, rpc.readFrom, { topic: 't', limit: 1 });
    await node.publish('t', ['c'], 0);
    const second = await call(methods, rpc.readFrom, { topic: 't', cursor: first.nextCursor });
    expect(second.messages.map(({ payload }) => text(payload)).sort()).toEqual(['b', 'c']);
    expect(second.nextCursor).toHaveLength(0);
  });

  it('refuses a cursor of other arguments, or of a topic that was deleted since', async () => {
    const node = new StreamNode();
    const { methods } = node.server;
    await node.publish('t', ['a', 'b']);
    const { nextCursor: cursor } = await call(methods, rpc.readFrom, { topic: 't', limit: 1 });
    await expect(call(methods, rpc.readFrom, { topic: 't', partition: 0, cursor })).rejects.toEqual(
      failing(ErrorReason.INVALID_CURSOR),
    );
    await call(methods, rpc.delete, { topic: 't' });
    await node.publish('t', ['c', 'd', 'e']);
    await expect(call(methods, rpc.readFrom, { topic: 't', cursor })).rejects.toEqual(
      failing(ErrorReason.INVALID_CURSOR),
    );
  });
});

describe('Create, Configure and Delete', () => {
  it('refuse settings that cannot be', async () => {
    const { server } = new StreamNode();
    const create = (settings: object) => call(server.methods, rpc.create, { topic: 't', settings });
    for (const partitions of [0, 1025]) {
      await expect(create({ partitions })).rejects.toEqual(failing(ErrorReason.INVALID_SETTINGS));
    }
    await expect(create({ retentionAge: msToDuration(-1) })).rejects.toEqual(
      failing(ErrorReason.INVALID_DURATION),
    );
    const { settings } = await create({ partitions: 1024, retentionAge: msToDuration(0) });
    expect(settings).toMatchObject({ partitions: 1024, retentionBytes: 0n });
    await expect(create({})).rejects.toEqual(failing(ErrorReason.ALREADY_EXISTS));
    await expect(
      call(server.methods, rpc.configure, { topic: 't', settings: { partitions: 1023 } }),
    ).rejects.toEqual(failing(ErrorReason.INVALID_SETTINGS));
    await expect(call(server.methods, rpc.configure, { topic: 'none' })).rejects.toEqual(
      failing(ErrorReason.TOPIC_NOT_FOUND),
    );
  });

  it('a topic that is deleted and published to again is new', async () => {
    const node = new StreamNode();
    const { methods } = node.server;
    await node.publish('t', ['old', 'older']);
    await call(methods, rpc.seek, {
      topic: 't',
      consumer: 'c',
      position: { position: { case: 'latest', value: true } },
    });
    expect(await call(methods, rpc.delete, { topic: 't' })).toMatchObject({ deleted: true });
    expect(await call(methods, rpc.delete, { topic: 't' })).toMatchObject({ deleted: false });
    await node.publish('t', ['new']);
    const { messages, endOffset } = await call(methods, rpc.read, { topic: 't' });
    expect(messages.map(({ payload }) => text(payload))).toEqual(['new']);
    expect(endOffset).toBe(1n);
    await expect(call(methods, rpc.getOffset, { topic: 't', consumer: 'c' })).rejects.toEqual(
      failing(ErrorReason.CONSUMER_NOT_FOUND),
    );
  });
});

describe('Info', () => {
  it('tells settings, partitions, consumers, and how far those are behind in messages and in time', async () => {
    const node = new StreamNode({ nodeId: 'n7' });
    const { methods } = node.server;
    await call(methods, rpc.create, { topic: 't', settings: { partitions: 2 } });
    await node.publish('t', ['a', 'b'], 0);
    node.group.now_ms += 5000;
    await node.publish('t', ['c'], 1);
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ messages }) => messages.length === 3);
    await node.ack('t', 'g', 0, 0);
    node.group.now_ms += 1500;
    const { info } = await call(methods, rpc.info, { topic: 't' });
    expect(info).toMatchObject({
      topic: 't',
      createdAt: msToTimestamp(firstStamp_ms),
      messages: 3n,
      partitions: [
        { partition: 0, startOffset: 0n, endOffset: 2n, leaderNodeId: 'n7' },
        { partition: 1, startOffset: 0n, endOffset: 1n, leaderNodeId: 'n7' },
      ],
      consumers: [
        {
          name: 'g',
          group: true,
          members: [{ memberId: reader.memberId, partitions: [0, 1] }],
          offsets: [
            { partition: 0, offset: 1n, lag: 1n },
            { partition: 1, offset: 0n, lag: 1n },
          ],
          lag: 2n,
          lagTime: msToDuration(6500),
        },
      ],
    });
    expect(info?.bytes).toBe(info!.partitions[0]!.bytes + info!.partitions[1]!.bytes);
    await node.ack('t', 'g', 0, 1);
    await node.ack('t', 'g', 1, 0);
    const after = await call(methods, rpc.info, { topic: 't' });
    expect(after.info?.consumers[0]).toMatchObject({ lag: 0n });
    expect(after.info?.consumers[0]?.lagTime).toBeUndefined();
    await reader.leave();
  });
});

describe('Ack, Seek and GetOffset', () => {
  it('commits move forwards only, and a seek moves anywhere', async () => {
    const node = new StreamNode();
    const { methods } = node.server;
    const offset = async () => (await call(methods, rpc.getOffset, { topic: 't', consumer: 'c' })).offset;
    await node.publish('t', ['a', 'b', 'c', 'd']);
    await expect(node.ack('t', 'c', 0, 0)).rejects.toEqual(failing(ErrorReason.CONSUMER_NOT_FOUND));
    const seek = (position: bigint) =>
      call(methods, rpc.seek, {
        topic: 't',
        consumer: 'c',
        position: { position: { case: 'offset', value: position } },
      });
    expect((await seek(1n)).positions).toMatchObject([{ partition: 0, offset: 1n }]);
    expect((await node.ack('t', 'c', 0, 2)).committedOffset).toBe(3n);
    expect((await node.ack('t', 'c', 0, 0)).committedOffset).toBe(3n);
    await expect(node.ack('t', 'c', 0, 4)).rejects.toMatchObject({
      reason: ErrorReason.OFFSET_OUT_OF_RANGE,
      newestAvailable: 4,
    });
    await seek(0n);
    expect(await offset()).toBe(0n);
    await expect(seek(5n)).rejects.toEqual(failing(ErrorReason.OFFSET_OUT_OF_RANGE));
    await call(methods, rpc.purge, { topic: 't', beforeOffset: 2n });
    expect(await call(methods, rpc.getOffset, { topic: 't', consumer: 'c' })).toMatchObject({
      offset: 2n,
      lag: 2n,
    });
  });

  it('refuse what does not exist', async () => {
    const node = new StreamNode();
    const { methods } = node.server;
    await node.publish('t', ['a']);
    const position = { position: { case: 'latest' as const, value: true } };
    const cases: [Promise<unknown>, ErrorReason][] = [
      [node.ack('none', 'c', 0, 0), ErrorReason.TOPIC_NOT_FOUND],
      [node.ack('t', 'c', 1, 0), ErrorReason.PARTITION_NOT_FOUND],
      [node.ack('t', '', 0, 0), ErrorReason.INVALID_NAME],
      [call(methods, rpc.seek, { topic: 't', consumer: 'c' }), ErrorReason.INVALID_REQUEST],
      [
        call(methods, rpc.seek, { topic: 't', consumer: 'c', partition: 1, position }),
        ErrorReason.PARTITION_NOT_FOUND,
      ],
      [call(methods, rpc.getOffset, { topic: 'none', consumer: 'c' }), ErrorReason.TOPIC_NOT_FOUND],
      [
        call(methods, rpc.getOffset, { topic: 't', consumer: 'c', partition: 1 }),
        ErrorReason.PARTITION_NOT_FOUND,
      ],
      [call(methods, rpc.getOffset, { topic: 't', consumer: 'c' }), ErrorReason.CONSUMER_NOT_FOUND],
      [call(methods, rpc.purge, { topic: 'none' }), ErrorReason.TOPIC_NOT_FOUND],
      [call(methods, rpc.info, { topic: 'none' }), ErrorReason.TOPIC_NOT_FOUND],
    ];
    for (const [failed, reason] of cases) await expect(failed).rejects.toEqual(failing(reason));
  });
});

describe('List', () => {
  it('pages through the topics of all groups by name', async () => {
    const groups = [0, 1, 2].map(
      (id) => new InstantGroup({ stream: new StreamMachine(new ModelStore(), id) }, id),
    );
    const { methods, close } = streamServer({
      router: new InstantRouter(groups, (name) => name.charCodeAt(name.length - 1) % groups.length),
      limits: { maxMessageBytes: 1024, maxFrameBytes: 64 * 1024 },
      topicDefaults: defaultTopicSettings,
      nodes: { self: 'n1', leaderOf: (group) => `leader-${group}` },
    });
    const names = Array.from({ length: 25 }, (_, i) => `topic-${String.fromCharCode(97 + i)}`);
    for (const topic of [...names, 'other', 'a']) await call(methods, rpc.publish, { topic });
    const listed: string[] = [];
    let cursor: Uint8Array = new Uint8Array();
    do {
      const page = await call(methods, rpc.list, { prefix: 'topic-', limit: 4, cursor });
      listed.push(...page.topics.map(({ topic }) => topic));
      expect(page.topics.length).toBeLessThanOrEqual(4);
      expect(page.topics.every(({ partitions }) => partitions[0]!.leaderNodeId.startsWith('leader-'))).toBe(
        true,
      );
      cursor = page.nextCursor;
    } while (cursor.length > 0);
    expect(listed).toEqual(names);
    await expect(
      call(methods, rpc.list, { prefix: 'other', cursor: Uint8Array.of(1, 2, 3, 4, 5, 6) }),
    ).rejects.toEqual(failing(ErrorReason.INVALID_CURSOR));
    close();
  });

  it('keeps a page of many partitions small', async () => {
    const { server } = new StreamNode();
    for (let i = 0; i < 25; i++) {
      await call(server.methods, rpc.create, { topic: `wide-${i + 10}`, settings: { partitions: 1024 } });
    }
    const first = await call(server.methods, rpc.list, {});
    expect(first.topics).toHaveLength(19);
    const second = await call(server.methods, rpc.list, { cursor: first.nextCursor });
    expect(second.topics).toHaveLength(6);
    expect(second.nextCursor).toHaveLength(0);
  });
});
