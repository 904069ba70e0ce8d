import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StateRange, StateStore } from '../machine.ts';
import { MessageChunks, PartitionReader } from './partition-reader.ts';
import { offsetAtTime } from './rows.ts';
import { commands, decodeMessages, TestMachine } from './testing/commands.ts';

/** A machine with one partition that holds rows of the given numbers of messages, one millisecond apart. */
function withRows(...counts: number[]): TestMachine {
  const test = new TestMachine();
  test.entry(commands.create({ topic: 't' }));
  for (const count of counts) {
    test.now_ms++;
    test.entry(
      commands.publishBatch({
        topic: 't',
        messages: Array.from({ length: count }, () => ({ payload: new Uint8Array(20) })),
      }),
    );
  }
  return test;
}

function partitionOf(test: TestMachine) {
  return test.machine.topic('t')!.partitions[0]!;
}

/** Counts the rows whose values and whose keys alone a store is asked for. */
function counting(store: StateStore): { store: StateStore; values: () => number; keys: () => number } {
  let values = 0;
  let keys = 0;
  return {
    store: Object.assign(Object.create(store) as StateStore, {
      *range(options: StateRange) {
        for (const row of store.range(options)) {
          if (options.keysOnly) keys++;
          else values++;
          yield row;
        }
      },
    }),
    values: () => values,
    keys: () => keys,
  };
}

describe('reading a partition', () => {
  it('gives the messages from any offset on, up to any number, bytes or end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
        fc.array(
          fc.record({
            offset: fc.nat(40),
            messages: fc.integer({ min: 1, max: 12 }),
            bytes: fc.integer({ min: 1, max: 400 }),
          }),
          { maxLength: 10 },
        ),
        (counts, reads) => {
          const test = withRows(...counts);
          const partition = partitionOf(test);
          const all = test.messages('t');
          const reader = test.machine.reader();
          for (const { offset: wanted, messages, bytes } of reads) {
            const offset = wanted % (partition.endOffset + 1);
            const into = new MessageChunks(messages, bytes);
            const next = reader.read(partition, offset, into);
            expect(decodeMessages(into.joined())).toEqual(all.slice(offset, next));
            expect(into.messages).toBe(next - offset);
            expect(into.joined()).toHaveLength(into.bytes);
            expect(into.messages).toBeLessThanOrEqual(messages);
            if (into.messages > 1) expect(into.bytes).toBeLessThanOrEqual(bytes);
            const atEnd = next === partition.endOffset;
            const size = into.messages === 0 ? 0 : into.bytes / into.messages;
            expect(atEnd || into.messages === messages || into.bytes + 0.5 * size > bytes - size).toBe(true);
          }
        },
      ),
    );
  });

  it('stops before the given end', () => {
    const test = withRows(5, 5);
    const into = new MessageChunks(100, 100_000);
    expect(test.machine.reader().read(partitionOf(test), 3, into, 7)).toBe(7);
    expect(into.messages).toBe(4);
  });

  it('hands a whole row out without a copy', () => {
    const test = withRows(5);
    const into = new MessageChunks(5, 100_000);
    test.machine.reader().read(partitionOf(test), 0, into);
    expect(into.joined()).toBe(into.chunks[0]);
  });

  it('does not fetch a row again to read on in it', () => {
    const test = withRows(100, 100);
    const counted = counting(test.store);
    const reader = new PartitionReader(counted.store);
    for (let offset = 0; offset < 100; offset += 10) {
      expect(reader.read(partitionOf(test), offset, new MessageChunks(10, 100_000))).toBe(offset + 10);
    }
    expect(counted.values()).toBe(1);
    reader.read(partitionOf(test), 100, new MessageChunks(10, 100_000));
    expect(reader.openRows).toBeDefined();
    reader.forget();
    expect(reader.openRows).toBeUndefined();
    reader.read(partitionOf(test), 110, new MessageChunks(10, 100_000));
    // The row around the offset is found backwards; there is none behind it.
    expect(counted.values()).toBe(3);
  });
});

describe('finding an offset by time', () => {
  it('looks at few keys and at no message, however many rows there are', () => {
    const test = withRows(...new Array<number>(500).fill(2));
    const partition = partitionOf(test);
    const first_ms = partition.firstStamp_ms;
    for (let row = 0; row < 500; row += 7) {
      const counted = counting(test.store);
      expect(offsetAtTime(counted.store, partition, first_ms + row)).toBe(row * 2);
      expect(counted.keys()).toBeLessThanOrEqual(20);
      expect(counted.values()).toBe(0);
    }
    expect(offsetAtTime(test.store, partition, 0)).toBe(0);
    expect(offsetAtTime(test.store, partition, first_ms + 500)).toBe(1000);
  });
});
