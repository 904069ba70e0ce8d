/** Where a stream goes on when its node is of no use any more. */
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChannelSettings } from '../channel.ts';
import { ErrorReason, type GomsgError, GrpcCode, gomsgError } from '../errors.ts';
import { streamFace } from '../faces/face.ts';
import {
  KVService,
  type KVServiceWatchRequestSchema,
  type KVServiceWatchResponseSchema,
} from '../gen/gomsg/v1/kv_pb.js';
import { type FakeServices, failWith, serveFakeKv } from '../testing/fake-services.ts';
import { SilenceableWire } from '../testing/silenceable-wire.ts';
import type { Plan } from './plan.ts';
import { reconnecting } from './reconnecting.ts';
import { StreamChannels } from './stream-call.ts';

const FACE = streamFace('kv.watch', KVService.method.watch);
const QUICK_CHANNEL = { keepaliveInterval_ms: 50, keepaliveTimeout_ms: 400 };

/** For a node that is not silent: a busy machine takes its time to answer. */
const PATIENT_CHANNEL = { ...QUICK_CHANNEL, keepaliveTimeout_ms: 1_000 };

/** More than a connection would last that is given up although they are answered. */
const PINGS = 25;

/** Yields that a response came. */
const PLAN: Plan<typeof KVServiceWatchRequestSchema, typeof KVServiceWatchResponseSchema, 'response'> = {
  request: () => create(KVService.method.watch.input, { target: { case: 'key', value: 'k' } }),
  take: () => ['response'],
  dropsWhenLost: false,
};

let controller: AbortController;
let channels: StreamChannels;
let other: FakeServices;
/** Nodes at which the stream failed, in order. */
let failures: { readonly address: string; readonly error: GomsgError }[];

beforeEach(async () => {
  controller = new AbortController();
  failures = [];
  other = await serveFakeKv({ watch: answersOnce });
});

afterEach(async () => {
  controller.abort();
  await other[Symbol.asyncDispose]();
});

/** One response, and then nothing until it is given up. */
async function* answersOnce(_: unknown, { signal }: { signal: AbortSignal }) {
  yield {};
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

function watch(addresses: readonly string[], settings: ChannelSettings = {}) {
  channels = new StreamChannels(settings);
  const network = {
    channels,
    backoff: { first_ms: 1, longest_ms: 10 },
    unreachableTimeout_ms: 5_000,
    addressesFor: () => addresses,
    failed: (address: string, error: GomsgError) => void failures.push({ address, error }),
    retried: () => {},
  };
  return reconnecting(FACE, 'k', PLAN, network, controller.signal, () => {});
}

test('a stream leaves a node that falls silent, though its connection stands', async () => {
  await using node = await serveFakeKv({ watch: answersOnce });
  await using wire = await SilenceableWire.to(node.address);
  const responses = watch([wire.address, other.address], QUICK_CHANNEL);
  await responses.next();
  wire.silence();
  await responses.next();
  expect(failures).toMatchObject([{ address: wire.address, error: { code: 14 } }]);
});

test('a stream does not wait for a connection to a node that calls have lost', async () => {
  await using node = await serveFakeKv({ watch: answersOnce });
  await using wire = await SilenceableWire.to(node.address);
  wire.silence();
  const taken = wire.connected();
  const responses = watch([wire.address, other.address]);
  const response = responses.next();
  await taken;
  const lost = gomsgError({ code: GrpcCode.UNAVAILABLE, message: 'lost by others' });
  channels.nodeLost(wire.address, lost);
  await response;
  expect(failures).toEqual([{ address: wire.address, error: lost }]);
});

test('a stream stays with a node that answers pings, however long nothing comes', async () => {
  const more = Promise.withResolvers<void>();
  await using node = await serveFakeKv({
    async *watch() {
      yield {};
      await more.promise;
      yield {};
    },
  });
  await using wire = await SilenceableWire.to(node.address);
  const responses = watch([wire.address, other.address], PATIENT_CHANNEL);
  await responses.next();
  await wire.moved(2 * PINGS);
  more.resolve();
  await responses.next();
  expect(failures).toEqual([]);
});

test.each(['NO_QUORUM', 'NOT_LEADER'] as const)(
  'a stream that ends with %s goes to another node, whichever is the best',
  async (reason) => {
    await using node = await serveFakeKv({
      async *watch(_: unknown, context) {
        yield {};
        failWith(context, 14, 'nobody leads', { reason: ErrorReason[reason] });
      },
    });
    const responses = watch([node.address, other.address]);
    await responses.next();
    await responses.next();
    expect(failures).toMatchObject([{ address: node.address, error: { reasonName: reason } }]);
  },
);
