/** Random commands for the stream machine, each with what the model makes of it. */
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { JoinConsumer, LeaveConsumer } from '../../../gen/gomsg/internal/v1/commands_pb.js';
import {
  type StreamServiceAckRequest,
  type StreamServiceConfigureRequest,
  type StreamServiceCreateRequest,
  type StreamServiceDeleteRequest,
  type StreamServicePublishBatchRequest,
  type StreamServicePublishRequest,
  type StreamServicePurgeRequest,
  type StreamServiceSeekRequest,
  StreamStartSchema,
} from '../../../gen/gomsg/v1/stream_pb.js';
import { msToDuration, msToTimestamp } from '../../durations.ts';
import { commands, type TestCommand } from './commands.ts';
import type { ModelOutcome, StreamModel } from './stream-model.ts';

/** When random histories begin. */
export const FIRST_MS = 1_767_225_600_123;

/** Holder of a partition in the machine, just before the command. */
export type OwnerOf = (topic: string, consumer: string, partition: number) => string | undefined;

export interface Step {
  readonly test: TestCommand;
  readonly onModel: (model: StreamModel, ownerOf: OwnerOf) => ModelOutcome;
}

/** What happens to a machine. */
export type Happening =
  | { readonly kind: 'entry'; readonly steps: readonly Step[] }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'restart' };

const topic = fc.constantFrom('a', 'b{x}');
const consumer = fc.constantFrom('c1', 'c2');
const memberId = fc.constantFrom('m1', 'm2', 'm3', 'm4');
const partition = fc.option(fc.nat(4), { nil: undefined, freq: 3 });
const offset = fc.nat(12).map(BigInt);
const key = fc.constantFrom('', '', 'k', 'käse', 'user:42');
const payload = fc.oneof(
  { weight: 30, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(60_000, 140_000).map((size) => new Uint8Array(size)) },
);
const headers = fc.dictionary(fc.string({ maxLength: 3, unit: 'grapheme' }), fc.string({ maxLength: 40 }), {
  maxKeys: 2,
  noNullPrototype: true,
});
const settings = fc.record(
  {
    partitions: fc.nat(4),
    retentionAge: fc.constantFrom(0, 5, 20).map(msToDuration),
    retentionBytes: fc.constantFrom(0, 100, 1000).map(BigInt),
    retentionMessages: fc.constantFrom(0, 1, 5).map(BigInt),
  },
  { requiredKeys: [] },
);
const position = fc.oneof(
  fc.constant({ case: 'earliest' as const, value: true }),
  fc.constant({ case: 'latest' as const, value: true }),
  offset.map((value) => ({ case: 'offset' as const, value })),
  fc.nat(100).map((ms) => ({ case: 'time' as const, value: msToTimestamp(FIRST_MS + ms) })),
);
const start = fc.option(
  position.map((value) => create(StreamStartSchema, { position: value })),
  { nil: undefined },
);

function stepOf<R>(
  test: TestCommand,
  onModel: (model: StreamModel, request: R, ownerOf: OwnerOf) => ModelOutcome,
): Step {
  return { test, onModel: (model, ownerOf) => onModel(model, test.command.request as R, ownerOf) };
}

const publish = fc
  .record(
    {
      topic,
      payload,
      key,
      headers,
      partition,
      expectedOffset: fc.option(offset, { nil: undefined, freq: 4 }),
    },
    { requiredKeys: ['topic', 'payload'] },
  )
  .map((init) =>
    stepOf<StreamServicePublishRequest>(commands.publish(init), (model, request) => model.publish(request)),
  );

const publishBatch = fc
  .record({ topic, partition, messages: fc.array(fc.record({ payload, key, headers }), { maxLength: 6 }) })
  .map((init) =>
    stepOf<StreamServicePublishBatchRequest>(commands.publishBatch(init), (model, request) =>
      model.publishBatch(request),
    ),
  );

const createTopic = fc
  .record({ topic, settings })
  .map((init) =>
    stepOf<StreamServiceCreateRequest>(commands.create(init), (model, request) => model.create(request)),
  );

const configure = fc
  .record({ topic, settings })
  .map((init) =>
    stepOf<StreamServiceConfigureRequest>(commands.configure(init), (model, request) =>
      model.configure(request),
    ),
  );

const deleteTopic = fc
  .record({ topic })
  .map((init) =>
    stepOf<StreamServiceDeleteRequest>(commands.delete(init), (model, request) => model.delete(request)),
  );

const purge = fc
  .record({ topic, partition, beforeOffset: fc.option(offset, { nil: undefined }) })
  .map((init) =>
    stepOf<StreamServicePurgeRequest>(commands.purge(init), (model, request) => model.purge(request)),
  );

const ack = fc
  .record({ topic, consumer, partition: fc.nat(3), offset, memberId: fc.oneof(fc.constant(''), memberId) })
  .map((init) =>
    stepOf<StreamServiceAckRequest>(commands.ack(init), (model, request, ownerOf) =>
      model.ack(request, ownerOf(init.topic, init.consumer, init.partition)),
    ),
  );

const seek = fc
  .record({ topic, consumer, partition, position: start })
  .map(({ position: to, ...rest }) =>
    stepOf<StreamServiceSeekRequest>(
      commands.seek({ ...rest, ...(to && { position: to }) }),
      (model, request) => model.seek(request),
    ),
  );

const join = fc
  .record({
    topic,
    consumer,
    memberId,
    group: fc.boolean(),
    partitions: fc.array(fc.nat(3), { maxLength: 2 }),
    start,
  })
  .map(({ start: from, partitions, ...rest }) =>
    stepOf<JoinConsumer>(
      commands.join({
        ...rest,
        partitions: rest.group ? [] : partitions,
        start: from ? toBinary(StreamStartSchema, from) : new Uint8Array(),
      }),
      (model, request) => model.join(request, from),
    ),
  );

const leave = fc
  .record({ topic, consumer, memberId })
  .map((init) => stepOf<LeaveConsumer>(commands.leave(init), (model, request) => model.leave(request)));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: publish },
  { weight: 4, arbitrary: publishBatch },
  { weight: 1, arbitrary: createTopic },
  { weight: 2, arbitrary: configure },
  { weight: 1, arbitrary: deleteTopic },
  { weight: 2, arbitrary: purge },
  { weight: 3, arbitrary: ack },
  { weight: 2, arbitrary: seek },
  { weight: 4, arbitrary: join },
  { weight: 1, arbitrary: leave },
);

export const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(step, { minLength: 1, maxLength: 5 })
      .map((steps) => ({ kind: 'entry' as const, steps })),
  },
  { weight: 3, arbitrary: fc.nat(12).map((ms) => ({ kind: 'advance' as const, ms })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);
