import { describe, expect, it } from 'vitest';
import { StreamService } from '../../gen/gomsg/v1/stream_pb.js';
import { msToTimestamp } from '../../state/durations.ts';
import { ErrorReason, GomsgError } from '../errors.ts';
import { call } from '../testing/call.ts';
import { StreamNode, settled } from './testing/stream-node.ts';

const rpc = StreamService.method;
const earliest = { position: { case: 'earliest' as const, value: true } };

function numbered(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `m${from + i}`);
}

async function nodeWithTopic(partitions: number): Promise<StreamNode> {
  const node = new StreamNode();
  await call(node.server.methods, rpc.create, { topic: 't', settings: { partitions } });
  return node;
}

describe('a subscription without a name', () => {
  it('says first that it is in place and where it reads, then gives only what is new', async () => {
    const node = new StreamNode();
    await node.publish('t', ['old']);
    const reader = node.subscribe({ topic: 't' });
    await reader.until(({ responses }) => responses.length === 1);
    expect(reader.responses[0]).toMatchObject({
      subscribed: true,
      memberId: '',
      messages: [],
      assignment: { generation: 0n, positions: [{ partition: 0, offset: 1n }] },
    });
    await node.publish('t', ['new', 'newer']);
    await reader.until(({ messages }) => messages.length === 2);
    expect(reader.texts).toEqual(['new', 'newer']);
    expect(reader.responses.slice(1).every(({ subscribed }) => !subscribed)).toBe(true);
    await reader.leave();
  });

  it('creates the topic when there is none', async () => {
    const node = new StreamNode({
      topicDefaults: { partitions: 3, retentionAge_ms: 0, retentionBytes: 0, retentionMessages: 0 },
    });
    const reader = node.subscribe({ topic: 'fresh' });
    await reader.until(({ responses }) => responses.length === 1);
    expect(reader.partitions).toEqual([0, 1, 2]);
    await reader.leave();
  });

  it('goes from history to new messages without a gap or a message twice', async () => {
    const node = new StreamNode();
    await node.publish('t', numbered(2500));
    const reader = node.subscribe({ topic: 't', start: earliest });
    for (let from = 2500; from < 5000; from += 500) {
      await node.publish('t', numbered(500, from));
    }
    await reader.until(({ messages }) => messages.length >= 5000);
    await settled();
    expect(reader.texts).toEqual(numbered(5000));
    expect(reader.messages[4999]).toMatchObject({ partition: 0, offset: 4999n, topic: '' });
    expect(Math.max(...reader.responses.map(({ messages }) => messages.length))).toBeLessThanOrEqual(1000);
    await reader.leave();
  });

  it('starts at an offset, at a time, and in the partitions that were asked for', async () => {
    const node = await nodeWithTopic(3);
    await node.publish('t', ['a0', 'a1', 'a2'], 1);
    node.group.now_ms += 1000;
    await node.publish('t', ['b0'], 1);
    await node.publish('t', ['c0'], 2);
    const byOffset = node.subscribe({
      topic: 't',
      partitions: [1],
      start: { position: { case: 'offset', value: 2n } },
    });
    const byTime = node.subscribe({
      topic: 't',
      start: { position: { case: 'time', value: msToTimestamp(node.group.now_ms) } },
    });
    await byOffset.until(({ messages }) => messages.length === 2);
    await byTime.until(({ messages }) => messages.length === 2);
    expect(byOffset.texts).toEqual(['a2', 'b0']);
    expect(byTime.texts.sort()).toEqual(['b0', 'c0']);
    await Promise.all([byOffset.leave(), byTime.leave()]);
  });

  it('takes in partitions that are added', async () => {
    const node = await nodeWithTopic(1);
    const reader = node.subscribe({ topic: 't' });
    const chosen = node.subscribe({ topic: 't', partitions: [0] });
    await reader.until(({ responses }) => responses.length === 1);
    await call(node.server.methods, rpc.configure, { topic: 't', settings: { partitions: 2 } });
    await node.publish('t', ['x'], 1);
    await reader.until(({ messages }) => messages.length === 1);
    expect(reader.partitions).toEqual([0, 1]);
    expect(chosen.partitions).toEqual([0]);
    expect(chosen.messages).toEqual([]);
    await Promise.all([reader.leave(), chosen.leave()]);
  });

  it('goes on at the oldest kept message when retention overtakes it', async () => {
    const node = new StreamNode();
    await node.publish('t', ['first']);
    const reader = node.subscribe({ topic: 't', start: earliest });
    await reader.until(({ messages }) => messages.length === 1);
    reader.pause();
    // The pull that is under way takes this one.
    await node.publish('t', ['second']);
    await reader.until(({ messages }) => messages.length === 2);
    await node.publish('t', numbered(10));
    await call(node.server.methods, rpc.purge, { topic: 't', beforeOffset: 7n });
    reader.resume();
    await reader.until(({ messages }) => messages.length === 7);
    expect(reader.places.slice(2)).toEqual(['0:7', '0:8', '0:9', '0:10', '0:11']);
    await reader.leave();
  });

  it.each([
    ['a partition that does not exist', { partitions: [4] }, ErrorReason.PARTITION_NOT_FOUND],
    [
      'an offset that does not exist',
      { start: { position: { case: 'offset' as const, value: 9n } } },
      ErrorReason.OFFSET_OUT_OF_RANGE,
    ],
    ['a consumer and a group', { consumer: 'c', group: 'g' }, ErrorReason.INVALID_REQUEST],
    ['partitions in a group', { group: 'g', partitions: [0] }, ErrorReason.INVALID_REQUEST],
    ['too much credit', { consumer: 'c', credit: 100_001 }, ErrorReason.INVALID_REQUEST],
    ['a malformed name', { consumer: 'c c' }, ErrorReason.INVALID_NAME],
  ])('refuses %s', async (_, request, reason) => {
    const node = await nodeWithTopic(1);
    const open = async () => {
      const reader = node.subscribe({ topic: 't', ...request });
      await reader.until(({ ended }) => ended);
      throw reader.error;
    };
    await expect(open()).rejects.toMatchObject({ reason });
  });
});

describe('a consumer', () => {
  it('begins at the oldest message, and after a reconnect where it acknowledged last', async () => {
    const node = new StreamNode();
    await node.publish('t', numbered(5));
    const first = node.subscribe({ topic: 't', consumer: 'c' });
    await first.until(({ messages }) => messages.length === 5);
    await node.ack('t', 'c', 0, 2, first.memberId);
    await first.leave();
    expect(await node.members('t', 'c')).toEqual([]);
    const second = node.subscribe({ topic: 't', consumer: 'c', start: earliest });
    await second.until(({ messages }) => messages.length === 2);
    expect(second.texts).toEqual(['m3', 'm4']);
    await second.leave();
  });

  it('misses nothing that was published before its first acknowledgement, when it started at the end', async () => {
    const node = new StreamNode();
    await node.publish('t', ['before']);
    const latest = { position: { case: 'latest' as const, value: true } };
    const first = node.subscribe({ topic: 't', consumer: 'c', start: latest });
    await first.until(({ responses }) => responses.length === 1);
    await first.leave();
    await node.publish('t', ['after']);
    const second = node.subscribe({ topic: 't', consumer: 'c', start: latest });
    await second.until(({ messages }) => messages.length === 1);
    expect(second.texts).toEqual(['after']);
    await second.leave();
  });

  it('is sent no more than its credit, and goes on as it acknowledges', async () => {
    const node = await nodeWithTopic(2);
    await node.publish('t', numbered(50), 0);
    await node.publish('t', numbered(50), 1);
    const reader = node.subscribe({ topic: 't', consumer: 'c', credit: 10 });
    await reader.until(({ messages }) => messages.length === 10);
    await settled();
    expect(reader.messages.length).toBe(10);
    const { partition, offset } = reader.messages[3]!;
    await node.ack('t', 'c', partition, Number(offset));
    await reader.until(({ messages }) => messages.length === 14);
    await settled();
    expect(reader.messages.length).toBe(14);
    while (reader.messages.length < 100) {
      const seen = reader.messages.length;
      for (const last of [0, 1].map((p) => reader.messages.findLast((message) => message.partition === p))) {
        if (last) await node.ack('t', 'c', last.partition, Number(last.offset));
      }
      await reader.until(({ messages }) => messages.length > seen);
    }
    for (const p of [0, 1]) {
      const offsets = reader.messages
        .filter((message) => message.partition === p)
        .map(({ offset: o }) => Number(o));
      expect(offsets).toEqual([...Array(50).keys()]);
    }
    await reader.leave();
  });

  it('gives way to a new subscription of its name, and its late acknowledgements are refused', async () => {
    const node = new StreamNode();
    await node.publish('t', numbered(3));
    const old = node.subscribe({ topic: 't', consumer: 'c' });
    await old.until(({ messages }) => messages.length === 3);
    const next = node.subscribe({ topic: 't', consumer: 'c' });
    await next.until(({ messages }) => messages.length === 3);
    await old.until(({ ended }) => ended);
    expect(old.error?.reason).toBe(ErrorReason.MEMBER_FENCED);
    await expect(node.ack('t', 'c', 0, 1, old.memberId)).rejects.toMatchObject({
      reason: ErrorReason.MEMBER_FENCED,
    });
    await node.ack('t', 'c', 0, 1, next.memberId);
    expect((await node.members('t', 'c')).map(({ memberId }) => memberId)).toEqual([next.memberId]);
    await next.leave();
  });

  it('continues from where a seek moves it, back and forth', async () => {
    const node = new StreamNode();
    await node.publish('t', numbered(6));
    const reader = node.subscribe({ topic: 't', consumer: 'c' });
    await reader.until(({ messages }) => messages.length === 6);
    await node.ack('t', 'c', 0, 5);
    const seek = (offset: bigint) =>
      call(node.server.methods, rpc.seek, {
        topic: 't',
        consumer: 'c',
        position: { position: { case: 'offset', value: offset } },
      });
    await seek(4n);
    await reader.until(({ messages }) => messages.length === 8);
    await seek(6n);
    await node.publish('t', ['last']);
    await reader.until(({ messages }) => messages.length === 9);
    expect(reader.texts.slice(6)).toEqual(['m4', 'm5', 'last']);
    await reader.leave();
  });

  it('frees the credit of messages that retention removed', async () => {
    const node = new StreamNode();
    await node.publish('t', numbered(10));
    const reader = node.subscribe({ topic: 't', consumer: 'c', credit: 4 });
    await reader.until(({ messages }) => messages.length === 4);
    await call(node.server.methods, rpc.purge, { topic: 't', beforeOffset: 8n });
    await node.publish('t', ['more']);
    await reader.until(({ messages }) => messages.length === 7);
    expect(reader.places.slice(4)).toEqual(['0:8', '0:9', '0:10']);
    await reader.leave();
  });
});

describe('a group', () => {
  it('shares the partitions out anew as members come and go, and continues from the committed offsets', async () => {
    const node = await nodeWithTopic(4);
    for (const p of [0, 1, 2, 3]) await node.publish('t', numbered(3), p);
    const a = node.subscribe({ topic: 't', group: 'g' });
    await a.until(({ messages }) => messages.length === 12);
    await node.ack('t', 'g', 3, 0, a.memberId);
    const b = node.subscribe({ topic: 't', group: 'g' });
    await b.until(({ messages }) => messages.length === 5);
    await a.until(({ assignment }) => assignment?.generation === 2n);
    expect(a.partitions).toEqual([0, 1]);
    expect(b.partitions).toEqual([2, 3]);
    expect(a.assignment?.positions.map(({ offset }) => offset)).toEqual([3n, 3n]);
    expect(b.assignment?.positions.map(({ offset }) => offset)).toEqual([0n, 1n]);
    expect(b.places.sort()).toEqual(['2:0', '2:1', '2:2', '3:1', '3:2']);
    await expect(node.ack('t', 'g', 3, 2, a.memberId)).rejects.toMatchObject({
      reason: ErrorReason.MEMBER_FENCED,
    });

    await a.leave();
    await b.until(({ messages }) => messages.length === 11);
    expect(b.partitions).toEqual([0, 1, 2, 3]);
    await b.leave();
  });

  it('has members without a partition when there are more members than partitions', async () => {
    const node = await nodeWithTopic(1);
    const [a, b] = [node.subscribe({ topic: 't', group: 'g' }), node.subscribe({ topic: 't', group: 'g' })];
    await b.until(({ responses }) => responses.length === 1);
    expect(b.partitions).toEqual([]);
    await node.publish('t', ['x']);
    await a.until(({ messages }) => messages.length === 1);
    await a.leave();
    await b.until(({ messages }) => messages.length === 1);
    await b.leave();
  });
});

describe('the end of a subscription', () => {
  it('comes with TOPIC_NOT_FOUND when the topic is deleted, also when one of its name is created at once', async () => {
    const node = await nodeWithTopic(1);
    const readers = [
      node.subscribe({ topic: 't' }),
      node.subscribe({ topic: 't', consumer: 'c' }),
      node.subscribe({ topic: 't', group: 'g' }),
    ];
    for (const reader of readers) await reader.until(({ responses }) => responses.length > 0);
    await call(node.server.methods, rpc.delete, { topic: 't' });
    await node.publish('t', ['of another topic']);
    for (const reader of readers) {
      await reader.until(({ ended }) => ended);
      expect(reader.error?.reason).toBe(ErrorReason.TOPIC_NOT_FOUND);
      expect(reader.messages).toEqual([]);
    }
  });

  it('comes at once when the caller goes away while it waits, and frees its place', async () => {
    const node = await nodeWithTopic(1);
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ responses }) => responses.length === 1);
    expect(await node.members('t', 'g')).toHaveLength(1);
    await reader.leave();
    await reader.until(({ ended }) => ended);
    expect(reader.error).toBeUndefined();
    expect(await node.members('t', 'g')).toEqual([]);
  });

  it('comes when its call is aborted, with the reason of a drain', async () => {
    const node = await nodeWithTopic(1);
    const [canceled, drained] = [new AbortController(), new AbortController()];
    const a = node.subscribe({ topic: 't', consumer: 'a' }, canceled.signal);
    const b = node.subscribe({ topic: 't', consumer: 'b' }, drained.signal);
    await b.until(({ responses }) => responses.length === 1);
    canceled.abort();
    drained.abort(new GomsgError({ reason: ErrorReason.DRAINING, message: 'draining' }));
    await a.until(({ ended }) => ended);
    await b.until(({ ended }) => ended);
    expect(a.error).toBeUndefined();
    expect(b.error?.reason).toBe(ErrorReason.DRAINING);
    expect(await node.members('t', 'a')).toEqual([]);
    expect(await node.members('t', 'b')).toEqual([]);
  });

  it('comes with the failure of the group when that refuses it', async () => {
    const node = new StreamNode();
    node.group.refusal = { reason: ErrorReason.NOT_LEADER, message: 'not here' };
    for (const request of [{ topic: 't' }, { topic: 't', group: 'g' }]) {
      const reader = node.subscribe(request);
      await reader.until(({ ended }) => ended);
      expect(reader.error?.reason).toBe(ErrorReason.NOT_LEADER);
    }
  });
});
