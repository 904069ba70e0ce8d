import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ErrorReason, gomsgError } from '../errors.ts';
import type { Origin } from '../faces/output.ts';
import {
  StreamServiceReadResponseSchema,
  StreamServiceSubscribeRequestSchema,
  StreamServiceSubscribeResponseSchema,
} from '../gen/gomsg/v1/stream_pb.js';
import { type ReadStored, UnnamedPlan } from './subscription-plan.ts';

const origin: Origin = {
  method: 'stream.subscribe',
  settling: { call: () => Promise.reject(new Error('no calls here')), failed: () => {} },
};

const request = create(StreamServiceSubscribeRequestSchema, {
  topic: 't',
  start: { position: { case: 'earliest', value: true } },
});

/** A store that has the messages from `oldest` on, and gives at most three at a time. */
function store(end: bigint, oldest = 0n): ReadStored {
  return async (partition, offset) => {
    if (offset < oldest) {
      throw gomsgError({
        reason: ErrorReason.OFFSET_OUT_OF_RANGE,
        message: 'gone',
        oldestAvailable: oldest,
        newestAvailable: end,
      });
    }
    const messages = [];
    for (let at = offset; at < end && messages.length < 3; at++) messages.push({ partition, offset: at });
    return create(StreamServiceReadResponseSchema, { messages });
  };
}

function began(ends: readonly (readonly [partition: number, offset: bigint])[]) {
  return create(StreamServiceSubscribeResponseSchema, {
    subscribed: true,
    assignment: { positions: ends.map(([partition, offset]) => ({ partition, offset })) },
  });
}

function messages(partition: number, ...offsets: bigint[]) {
  return create(StreamServiceSubscribeResponseSchema, {
    messages: offsets.map((offset) => ({ partition, offset })),
  });
}

async function idsOf(plan: UnnamedPlan, response: ReturnType<typeof began>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of plan.take(response)) ids.push(id);
  return ids;
}

describe('a subscription without a name', () => {
  it('begins as it was asked to until it was in place once', () => {
    const plan = new UnnamedPlan(request, origin, store(0n));
    expect(plan.request()).toBe(request);
    expect(plan.request()).toBe(request);
  });

  it('goes on at the end, and reads what came meanwhile from the store: nothing lost, nothing twice', async () => {
    const plan = new UnnamedPlan(request, origin, store(10n));
    await idsOf(plan, began([[0, 0n]]));
    expect(await idsOf(plan, messages(0, 0n, 1n))).toEqual(['t#0.0', 't#0.1']);
    expect(plan.request().start?.position.case).toBe('latest');
    expect(await idsOf(plan, began([[0, 7n]]))).toEqual([2, 3, 4, 5, 6].map((offset) => `t#0.${offset}`));
    expect(await idsOf(plan, messages(0, 7n))).toEqual(['t#0.7']);
    expect(await idsOf(plan, began([[0, 8n]]))).toEqual([]);
  });

  it('reads a partition that was added meanwhile from its beginning', async () => {
    const plan = new UnnamedPlan(request, origin, store(9n));
    await idsOf(plan, began([[0, 4n]]));
    expect(
      await idsOf(
        plan,
        began([
          [0, 4n],
          [1, 2n],
        ]),
      ),
    ).toEqual(['t#1.0', 't#1.1']);
  });

  it('goes on at the oldest message where retention overtook it', async () => {
    const plan = new UnnamedPlan(request, origin, store(9n, 6n));
    await idsOf(plan, began([[0, 2n]]));
    expect(await idsOf(plan, began([[0, 8n]]))).toEqual(['t#0.6', 't#0.7']);
  });

  it('ends when the topic is another one of the same name', async () => {
    const plan = new UnnamedPlan(request, origin, store(9n));
    await idsOf(plan, began([[0, 5n]]));
    await expect(idsOf(plan, began([[0, 1n]]))).rejects.toMatchObject({
      reason: ErrorReason.TOPIC_NOT_FOUND,
    });
  });
});
