import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { StreamServicePublishResponse } from '../../gen/gomsg/v1/stream_pb.js';
import { rowBound } from './layout.ts';
import {
  MAX_COMMITTED_OFFSETS,
  MAX_MEMBERS,
  MAX_MESSAGE_BYTES,
  MAX_PARTITIONS,
  MAX_PARTITIONS_PER_TOPIC,
  MAX_ROW_BYTES,
  MAX_TOPICS,
} from './limits.ts';
import type { StreamListener } from './listener.ts';
import { commands, TestMachine } from './testing/commands.ts';

const latest = { position: { case: 'latest' as const, value: true } };

function rowsOf(test: TestMachine, topic: string, partition = 0) {
  const { rows } = test.machine.topic(topic)!.partitions[partition]!;
  return [...test.store.range({ from: rows, to: rowBound(rows, Number.MAX_SAFE_INTEGER) })];
}

describe('publishing', () => {
  it('counts offsets per partition, over the commands of an entry and over entries', () => {
    const test = new TestMachine();
    test.do(commands.create({ topic: 't', settings: { partitions: 2 } }));
    const answers = test.entry(
      commands.publish({ topic: 't', partition: 1, expectedOffset: 0n }),
      commands.publish({ topic: 't', partition: 1, expectedOffset: 1n }),
      commands.publish({ topic: 't', partition: 1, expectedOffset: 1n }),
      commands.publish({ topic: 't', partition: 0, expectedOffset: 0n }),
    );
    expect(answers).toMatchObject([
      { messageId: 't#1.0' },
      { messageId: 't#1.1' },
      { reason: ErrorReason.CONDITION_FAILED, newestAvailable: 2 },
      { messageId: 't#0.0' },
    ]);
    expect(test.do(commands.publish({ topic: 't', partition: 1 })).offset).toBe(2n);
  });

  it('stores the messages of an entry and partition as one row', () => {
    const test = new TestMachine();
    test.entry(...new Array(50).fill(commands.publish({ topic: 't', payload: new Uint8Array(100) })));
    test.entry(commands.publish({ topic: 't' }));
    expect(rowsOf(test, 't')).toHaveLength(2);
    expect(test.messages('t')).toHaveLength(51);
  });

  it('splits what does not fit into a row, and gives a larger message a row of its own', () => {
    const test = new TestMachine();
    const sized = (bytes: number) => commands.publish({ topic: 't', payload: new Uint8Array(bytes) });
    test.entry(...new Array(5).fill(sized(60_000)), sized(2 * MAX_ROW_BYTES), sized(1), sized(1));
    const rows = rowsOf(test, 't');
    expect(rows.map(({ value }) => value.length <= MAX_ROW_BYTES)).toEqual([true, true, true, false, true]);
    expect(test.messages('t').map(({ payload }) => payload.length)).toEqual([
      ...new Array<number>(5).fill(60_000),
      2 * MAX_ROW_BYTES,
      1,
      1,
    ]);
  });

  it('refuses a message that no row can hold, and all of a batch with one', () => {
    const test = new TestMachine();
    const payload = new Uint8Array(MAX_MESSAGE_BYTES + 1);
    expect(test.fail(commands.publish({ topic: 't', payload })).reason).toBe(ErrorReason.VALUE_TOO_LARGE);
    expect(test.fail(commands.publishBatch({ topic: 't', messages: [{}, { payload }] })).reason).toBe(
      ErrorReason.VALUE_TOO_LARGE,
    );
    expect(test.machine.topic('t')).toBeUndefined();
  });

  it('takes an expected offset only where it is plain which partition is meant', () => {
    const test = new TestMachine();
    test.do(commands.create({ topic: 't', settings: { partitions: 2 } }));
    expect(test.fail(commands.publish({ topic: 't', expectedOffset: 0n })).reason).toBe(
      ErrorReason.INVALID_REQUEST,
    );
    test.do(commands.publish({ topic: 't', key: 'k', expectedOffset: 0n }));
    test.do(commands.publish({ topic: 'single', expectedOffset: 0n }));
  });

  it('goes on with the turn of keyless messages after a restart', () => {
    const test = new TestMachine();
    test.do(commands.create({ topic: 't', settings: { partitions: 3 } }));
    const turn = () => test.do(commands.publish({ topic: 't' })).partition;
    expect([turn(), turn()]).toEqual([0, 1]);
    test.restart();
    expect([turn(), turn()]).toEqual([2, 0]);
  });

  it('writes nothing of what the same entry deletes again', () => {
    const test = new TestMachine();
    test.entry(
      commands.publish({ topic: 't', payload: new Uint8Array(10) }),
      commands.delete({ topic: 't' }),
      commands.publish({ topic: 't' }),
    );
    expect(test.messages('t')).toMatchObject([{ offset: 0n, payload: new Uint8Array() }]);
    test.entry(commands.delete({ topic: 't' }));
    test.machine.save();
    // Only the counter of topic ids is left.
    expect(test.store.dump()).toHaveLength(1);
  });

  it('never gives the rows of a deleted topic to a new one, across restarts', () => {
    const test = new TestMachine();
    test.do(commands.publish({ topic: 't' }));
    const { id } = test.machine.topic('t')!;
    test.restart();
    test.do(commands.delete({ topic: 't' }));
    test.restart();
    test.do(commands.publish({ topic: 't' }));
    expect(test.machine.topic('t')!.id).toBeGreaterThan(id);
    expect(test.messages('t')).toHaveLength(1);
  });

  it('keeps groups apart in one store', () => {
    const one = new TestMachine({ group: 1 });
    one.do(commands.publish({ topic: 't' }));
    one.machine.save();
    const prefix = Buffer.from('\0\x01', 'latin1').toString('hex');
    expect(one.store.dump().every(([key]) => key.startsWith(prefix))).toBe(true);
  });
});

describe('consumers', () => {
  it('start where the join says, only in partitions that have no committed offset', () => {
    const test = new TestMachine();
    test.do(commands.create({ topic: 't', settings: { partitions: 2 } }));
    test.do(commands.publishBatch({ topic: 't', partition: 0, messages: [{}, {}] }));
    test.do(commands.publishBatch({ topic: 't', partition: 1, messages: [{}, {}] }));
    test.do(commands.seek({ topic: 't', consumer: 'c', partition: 1, position: latest }));
    test.do(commands.join({ topic: 't', consumer: 'c', memberId: 'm' }));
    expect(test.machine.topic('t')!.consumers.get('c')).toMatchObject({
      offsets: [0, 2],
      owners: ['m', 'm'],
    });
  });

  it('see what the same entry published before a seek to the end or by time', () => {
    const test = new TestMachine();
    test.do(commands.publish({ topic: 't' }));
    test.now_ms += 10;
    const seconds = BigInt(Math.floor(test.now_ms / 1000));
    const value = { seconds, nanos: (test.now_ms % 1000) * 1_000_000 };
    const answers = test.entry(
      commands.publish({ topic: 't' }),
      commands.seek({ topic: 't', consumer: 'a', position: latest }),
      commands.seek({ topic: 't', consumer: 'b', position: { position: { case: 'time', value } } }),
      commands.publish({ topic: 't' }),
    );
    expect(answers[1]).toMatchObject({ positions: [{ offset: 2n }] });
    expect(answers[2]).toMatchObject({ positions: [{ offset: 1n }] });
  });

  it('become a group, or a consumer again, only while nobody is subscribed', () => {
    const test = new TestMachine();
    const join = (memberId: string, group: boolean) =>
      commands.join({ topic: 't', consumer: 'c', memberId, group });
    test.do(join('m1', true));
    expect(test.fail(join('m2', false)).reason).toBe(ErrorReason.INVALID_SETTINGS);
    test.do(commands.leave({ topic: 't', consumer: 'c', memberId: 'm1' }));
    test.do(join('m2', false));
    expect(test.machine.topic('t')!.consumers.get('c')!.group).toBe(false);
  });

  it('read the partitions that a topic gets from their first message on', () => {
    const test = new TestMachine();
    test.do(commands.create({ topic: 't', settings: { partitions: 2 } }));
    test.do(commands.join({ topic: 't', consumer: 'all', memberId: 'a' }));
    test.do(commands.join({ topic: 't', consumer: 'group', memberId: 'g', group: true }));
    test.do(commands.join({ topic: 't', consumer: 'chosen', memberId: 'c', partitions: [1] }));
    test.do(commands.configure({ topic: 't', settings: { partitions: 3 } }));
    const { consumers } = test.machine.topic('t')!;
    expect(consumers.get('all')).toMatchObject({
      generation: 2,
      offsets: [0, 0, 0],
      owners: ['a', 'a', 'a'],
    });
    expect(consumers.get('group')).toMatchObject({ generation: 2, owners: ['g', 'g', 'g'] });
    expect(consumers.get('chosen')).toMatchObject({
      offsets: [-1, 0, -1],
      owners: [undefined, 'c', undefined],
    });
  });

  it('are told about as they change, after what the entry appended can be read', () => {
    const test = new TestMachine();
    const told: string[] = [];
    const listener: StreamListener = {
      appended: (topic, partition) => {
        const view = test.machine.topicById(topic)!;
        told.push(`appended ${partition} up to ${view.partitions[partition]!.endOffset}`);
        expect(test.messages(view.name, partition)).toHaveLength(view.partitions[partition]!.endOffset);
      },
      topicChanged: (topic) => told.push(`changed ${test.machine.topicById(topic) ? 'grown' : 'gone'}`),
      assigned: (_, consumer) => told.push(`assigned ${consumer}`),
      committed: (_, consumer, partition) => told.push(`committed ${consumer} ${partition}`),
      moved: (_, consumer, partition) => told.push(`moved ${consumer} ${partition}`),
      reloaded: () => told.push('reloaded'),
    };
    test.machine.listener = listener;
    test.entry(
      commands.publish({ topic: 't' }),
      commands.publish({ topic: 't' }),
      commands.join({ topic: 't', consumer: 'c', memberId: 'm' }),
      commands.ack({ topic: 't', consumer: 'c', offset: 1n }),
      commands.ack({ topic: 't', consumer: 'c', offset: 0n }),
    );
    test.entry(
      commands.seek({ topic: 't', consumer: 'c', position: latest }),
      commands.leave({ topic: 't', consumer: 'c', memberId: 'm' }),
      commands.leave({ topic: 't', consumer: 'c', memberId: 'm' }),
      commands.configure({ topic: 't', settings: { partitions: 2 } }),
      commands.publish({ topic: 't' }),
      commands.delete({ topic: 't' }),
    );
    test.machine.load();
    expect(told).toEqual([
      'assigned c',
      'committed c 0',
      'appended 0 up to 2',
      'moved c 0',
      'assigned c',
      'changed grown',
      'changed gone',
      'reloaded',
    ]);
  });
});

describe('bounds', () => {
  it('hold for topics, their partitions, committed offsets and members', () => {
    const test = new TestMachine();
    const wide = { partitions: MAX_PARTITIONS_PER_TOPIC };
    const topics = Math.floor(MAX_PARTITIONS / MAX_PARTITIONS_PER_TOPIC);
    test.entry(
      ...Array.from({ length: topics }, (_, i) => commands.create({ topic: `w${i}`, settings: wide })),
    );
    expect(test.fail(commands.create({ topic: 'x', settings: wide })).reason).toBe(
      ErrorReason.INVALID_SETTINGS,
    );
    const consumers = Math.floor(MAX_COMMITTED_OFFSETS / MAX_PARTITIONS_PER_TOPIC);
    const seek = (i: number) => commands.seek({ topic: 'w0', consumer: `c${i}`, position: latest });
    test.entry(...Array.from({ length: consumers }, (_, i) => seek(i)));
    expect(test.fail(seek(consumers)).reason).toBe(ErrorReason.INVALID_SETTINGS);
    test.do(commands.delete({ topic: 'w0' }));
    test.do(commands.create({ topic: 'x', settings: wide }));
    test.do(commands.seek({ topic: 'x', consumer: 'c', position: latest }));

    const join = (i: number) => commands.join({ topic: 't', consumer: 'g', memberId: `m${i}`, group: true });
    test.entry(...Array.from({ length: MAX_MEMBERS }, (_, i) => join(i)));
    expect(test.fail(join(MAX_MEMBERS)).reason).toBe(ErrorReason.OVERLOADED);
    expect(test.do(join(0)).$typeName).toBe('gomsg.v1.StreamAssignment');
  });

  it('hold for the number of topics, whichever command brings one up', () => {
    const test = new TestMachine();
    test.entry(...Array.from({ length: MAX_TOPICS }, (_, i) => commands.publish({ topic: `t${i}` })));
    const answers = test.entry(
      commands.publish({ topic: 'x' }),
      commands.publishBatch({ topic: 'x', messages: [{}] }),
      commands.seek({ topic: 'x', consumer: 'c', position: latest }),
      commands.join({ topic: 'x', consumer: 'c', memberId: 'm' }),
      commands.publish({ topic: 't0' }),
    );
    expect(answers.slice(0, 4)).toMatchObject(new Array(4).fill({ reason: ErrorReason.INVALID_SETTINGS }));
    expect((answers[4] as StreamServicePublishResponse).offset).toBe(1n);
  });
});
