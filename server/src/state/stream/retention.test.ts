import { describe, expect, it } from 'vitest';
import { msToDuration } from '../durations.ts';
import { MAX_EXPIRIES_PER_RUN } from './limits.ts';
import { commands, TestMachine } from './testing/commands.ts';

/** A topic `t`, and how to append a row of messages to it. */
function topicWith(settings: object) {
  const test = new TestMachine();
  test.do(commands.create({ topic: 't', settings }));
  const append = (count: number, bytes = 10) =>
    test.do(
      commands.publishBatch({
        topic: 't',
        messages: Array.from({ length: count }, () => ({ payload: new Uint8Array(bytes) })),
      }),
    );
  const kept = () => {
    const { startOffset, endOffset } = test.machine.topic('t')!.partitions[0]!;
    return [startOffset, endOffset];
  };
  return { test, append, kept, partition: () => test.machine.topic('t')!.partitions[0]! };
}

describe('retention by messages', () => {
  it('removes the oldest batch once the others are enough, and not before', () => {
    const { append, kept } = topicWith({ retentionMessages: 5n });
    append(3);
    append(3);
    expect(kept()).toEqual([0, 6]);
    append(1);
    expect(kept()).toEqual([0, 7]);
    append(1);
    expect(kept()).toEqual([3, 8]);
  });

  it('never removes the newest batch, even if it alone is more than the limit', () => {
    const { append, kept } = topicWith({ retentionMessages: 2n });
    append(1);
    append(10);
    expect(kept()).toEqual([1, 11]);
  });
});

describe('retention by bytes', () => {
  it('keeps at least the limit, less than a batch too much, and the newest batch always', () => {
    const { append, kept, partition } = topicWith({ retentionBytes: 1000n });
    append(1, 300);
    const each = partition().bytes;
    for (let i = 0; i < 20; i++) {
      append(1, 300);
      expect(partition().bytes).toBeLessThan(1000 + 2 * each);
    }
    expect(partition().bytes).toBeGreaterThanOrEqual(1000);
    append(1, 5000);
    expect(kept()).toEqual([21, 22]);
  });

  it('takes hold at once when it is configured, over thousands of batches', () => {
    const { test, append, kept, partition } = topicWith({});
    for (let i = 0; i < 3000; i++) append(1, 100);
    const each = partition().bytes / 3000;
    test.do(commands.configure({ topic: 't', settings: { retentionBytes: BigInt(Math.ceil(each * 100)) } }));
    expect(kept()[0]).toBeGreaterThan(2890);
    expect(kept()[0]).toBeLessThanOrEqual(2900);
    expect(test.messages('t').length).toBe(3000 - kept()[0]!);
  });
});

describe('retention by age', () => {
  it('removes a batch when it is as old as the limit, the newest too, and offsets go on', () => {
    const { test, append, kept } = topicWith({ retentionAge: msToDuration(1000) });
    append(2);
    test.advance(400);
    append(2);
    expect(test.advance(599)).toBe(0);
    expect(kept()).toEqual([0, 4]);
    expect(test.advance(1)).toBe(1);
    expect(kept()).toEqual([2, 4]);
    test.advance(400);
    expect(kept()).toEqual([4, 4]);
    expect(test.machine.nextDue_ms()).toBeUndefined();
    append(1);
    expect(test.messages('t').map(({ offset }) => offset)).toEqual([4n]);
  });

  it('is 7 days by default, and never when it is 0', () => {
    const test = new TestMachine();
    test.do(commands.publish({ topic: 'default' }));
    test.do(commands.create({ topic: 'kept', settings: { retentionAge: msToDuration(0) } }));
    test.do(commands.publish({ topic: 'kept' }));
    expect(test.machine.nextDue_ms()).toBe(test.now_ms + 7 * 86_400_000);
    test.advance(100 * 365 * 86_400_000);
    expect(test.messages('default')).toEqual([]);
    expect(test.messages('kept')).toHaveLength(1);
  });

  it('follows a change of the setting in both directions', () => {
    const { test, append } = topicWith({ retentionAge: msToDuration(10_000) });
    append(1);
    const published_ms = test.now_ms;
    const configure = (ms: number) =>
      test.do(commands.configure({ topic: 't', settings: { retentionAge: msToDuration(ms) } }));
    configure(500);
    expect(test.machine.nextDue_ms()).toBe(published_ms + 500);
    configure(0);
    expect(test.machine.nextDue_ms()).toBeUndefined();
    configure(20_000);
    expect(test.machine.nextDue_ms()).toBe(published_ms + 20_000);
  });

  it('does a bounded number of partitions a run, and those that are due at one moment together', () => {
    const test = new TestMachine();
    const settings = { partitions: 800, retentionAge: msToDuration(1000) };
    for (const topic of ['a', 'b', 'c']) {
      test.do(commands.create({ topic, settings }));
      const messages = new Array<object>(800).fill({});
      test.do(commands.publishBatch({ topic, messages }));
      test.now_ms++;
    }
    const context = { index: 1000, stamp_ms: test.now_ms + 1000 };
    expect(test.machine.expireDue(context)).toBe(true);
    expect(test.machine.totals().messages).toBe(800);
    expect(2 * 800).toBeGreaterThan(MAX_EXPIRIES_PER_RUN);
    expect(test.machine.expireDue(context)).toBe(false);
    expect(test.machine.totals().messages).toBe(0);
  });
});

describe('a purge', () => {
  it('removes exactly the messages below the offset, within a batch too', () => {
    const { test, append, kept } = topicWith({});
    append(5);
    append(5);
    const purge = (beforeOffset?: bigint) =>
      test.do(commands.purge({ topic: 't', ...(beforeOffset !== undefined && { beforeOffset }) })).purged;
    expect(purge(7n)).toBe(7n);
    expect(kept()).toEqual([7, 10]);
    expect(test.messages('t').map(({ offset }) => offset)).toEqual([7n, 8n, 9n]);
    expect(purge(3n)).toBe(0n);
    expect(purge()).toBe(3n);
    expect(kept()).toEqual([10, 10]);
    expect(
      test.store.dump().filter(([key]) => key.startsWith(Buffer.from('\0\x01sm').toString('hex'))),
    ).toEqual([]);
  });

  it('includes what the same entry published before it', () => {
    const { test, append } = topicWith({});
    append(2);
    test.entry(
      commands.publish({ topic: 't' }),
      commands.purge({ topic: 't' }),
      commands.publish({ topic: 't' }),
    );
    expect(test.messages('t').map(({ offset }) => offset)).toEqual([3n]);
  });
});
