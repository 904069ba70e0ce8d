import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  StreamAssignment,
  StreamMessage,
  StreamServiceCreateResponse,
  StreamServicePublishResponse,
} from '../../gen/gomsg/v1/stream_pb.js';
import { durationToMs } from '../durations.ts';
import type { Failure } from '../failure.ts';
import { type ConsumerView, NO_OFFSET, partitionsOf } from './consumer.ts';
import { MAX_ROW_BYTES } from './limits.ts';
import { type Answer, TestMachine } from './testing/commands.ts';
import { FIRST_MS, happening, type Step } from './testing/steps.ts';
import {
  MODEL_ROW_BYTES,
  type ModelConsumer,
  type ModelOutcome,
  StreamModel,
} from './testing/stream-model.ts';

describe('the stream machine', () => {
  it('does what the model does, on the leader, on a replica and across restarts', () => {
    expect(MODEL_ROW_BYTES).toBe(MAX_ROW_BYTES);
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 30 }), (history) => {
        const leader = new TestMachine({ now_ms: FIRST_MS });
        const replica = new TestMachine({ now_ms: FIRST_MS, asReplica: true });
        const model = new StreamModel();
        model.now_ms = FIRST_MS;
        for (const event of history) {
          if (event.kind === 'restart') leader.restart();
          if (event.kind === 'entry') runEntry(event.steps, leader, replica, model);
          if (event.kind === 'advance') {
            leader.advance(event.ms);
            replica.advance(event.ms);
            model.now_ms += event.ms;
            model.expire();
          }
          expectSameState(leader, model);
        }
        leader.restart();
        expectSameState(leader, model);
        replica.machine.save();
        expect(replica.store.dump()).toEqual(leader.store.dump());
      }),
      { numRuns: 300 },
    );
  });
});

function runEntry(
  steps: readonly Step[],
  leader: TestMachine,
  replica: TestMachine,
  model: StreamModel,
): void {
  const tests = steps.map(({ test }) => test);
  const expected: ModelOutcome[] = [];
  const answers = leader.watchedEntry(tests, (i) => {
    const ownerOf = (topic: string, consumer: string, partition: number) =>
      leader.machine.topic(topic)?.consumers.get(consumer)?.owners[partition];
    expected.push(steps[i]!.onModel(model, ownerOf));
  });
  model.endEntry();
  for (const [i, { name }] of tests.entries()) expectOutcome(name, answers[i], expected[i]!);
  expect(replica.entry(...tests)).toEqual(answers);
}

function expectOutcome(name: string, answer: Answer, expected: ModelOutcome): void {
  if ('reason' in expected) {
    expect(answer, name).toMatchObject({ reason: expected.reason });
    return;
  }
  expect((answer as Failure | undefined)?.reason, name).toBeUndefined();
  if (name === 'Join') {
    expect(Number((answer as StreamAssignment).generation)).toBe(expected.ok);
  } else if (name === 'Create' || name === 'Configure') {
    const { settings } = answer as StreamServiceCreateResponse;
    expect({
      partitions: settings?.partitions,
      age_ms: settings?.retentionAge && durationToMs(settings.retentionAge),
      bytes: Number(settings?.retentionBytes),
      messages: Number(settings?.retentionMessages),
    }).toEqual(expected.ok);
  } else if (expected.ok === undefined) {
    expect(answer, name).toBeUndefined();
  } else {
    expect(answer as StreamServicePublishResponse, name).toMatchObject(expected.ok as object);
  }
}

function expectSameState(test: TestMachine, model: StreamModel): void {
  const { machine } = test;
  expect(machine.nextDue_ms()).toBe(model.nextDue_ms());
  expect(machine.topicNames()).toEqual([...model.topics.keys()].sort());
  let messages = 0;
  for (const [name, expected] of model.topics) {
    const topic = machine.topic(name)!;
    expect(machine.topicById(topic.id)).toBe(topic);
    expect(topic.partitions.length).toBe(expected.partitions.length);
    for (const [number, { start, end, rows }] of expected.partitions.entries()) {
      const partition = topic.partitions[number]!;
      expect([partition.startOffset, partition.endOffset]).toEqual([start, end]);
      expect(partition.bytes).toBe(rows.reduce((sum, row) => sum + row.bytes, 0));
      expect(test.messages(name, number).map(withShortPayload)).toEqual(
        model.messages(name, number).map(withShortPayload),
      );
      messages += end - start;
    }
    expect([...topic.consumers.keys()].sort()).toEqual([...expected.consumers.keys()].sort());
    for (const [consumer, wanted] of expected.consumers) {
      expectSameConsumer(topic.consumers.get(consumer)!, wanted);
    }
  }
  expect(machine.totals()).toMatchObject({ topics: model.topics.size, messages });
}

/** Comparing large arrays element by element would take nearly all of the time. */
function withShortPayload(message: StreamMessage) {
  return { ...message, payload: Buffer.from(message.payload).toString('latin1') };
}

function expectSameConsumer(consumer: ConsumerView, expected: ModelConsumer): void {
  expect(consumer.group).toBe(expected.group);
  expect(consumer.generation).toBe(expected.generation);
  expect(consumer.members.map(({ id }) => id)).toEqual(expected.members.map(({ id }) => id));
  expect(consumer.offsets.map((offset) => (offset === NO_OFFSET ? undefined : offset))).toEqual(
    expected.offsets,
  );
  const [first] = expected.members;
  if (first === undefined) {
    expect(consumer.owners.every((owner) => owner === undefined)).toBe(true);
  } else if (expected.group) {
    const counts = expected.members.map(({ id }) => partitionsOf(consumer, id).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(consumer.owners.length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  } else {
    const all = [...consumer.owners.keys()];
    const asked = first.partitions ?? all;
    expect(partitionsOf(consumer, first.id)).toEqual(all.filter((partition) => asked.includes(partition)));
  }
  for (const [partition, owner] of consumer.owners.entries()) {
    if (owner !== undefined) expect(consumer.offsets[partition]).not.toBe(NO_OFFSET);
  }
}
