/**
 * A leader applies requests that it has decoded, and answers them; who replays the log has the payloads alone. Both
 * have to come to the same rows, byte for byte, whatever the calls were.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SlotRouter } from '../cluster/slot-map.ts';
import { KVService } from '../gen/gomsg/v1/kv_pb.js';
import { MessageState, QueueService } from '../gen/gomsg/v1/queue_pb.js';
import { StreamService } from '../gen/gomsg/v1/stream_pb.js';
import { GomsgError } from '../services/errors.ts';
import { kvMethods } from '../services/kv-service.ts';
import type { Method, SessionCall } from '../services/method.ts';
import { queueMethods } from '../services/queue-service.ts';
import { streamServer } from '../services/stream-service.ts';
import { call, callContext } from '../services/testing/call.ts';
import { defaultTopicSettings } from '../state/stream/topic.ts';
import { openMemoryStore } from '../storage/memory-store.ts';
import type { Store } from '../storage/store.ts';
import type { GroupHost } from './host.ts';
import { HeldLog, startHost } from './testing/host-fixture.ts';

const GROUPS = 2;
const EVERYTHING = { from: '', to: '\xff\xff\xff' };
const MIB = 1024 * 1024;
const limits = { maxKeyBytes: 1024, maxValueBytes: MIB, maxMessageBytes: MIB, maxFrameBytes: 4 * MIB };

const kv = KVService.method;
const queues = QueueService.method;
const streams = StreamService.method;

/** What a step may choose from: small numbers, so that steps meet each other. */
interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly ms: number;
  readonly retry: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.nat(17),
  a: fc.nat(4),
  b: fc.nat(4),
  ms: fc.constantFrom(0, 1, 7, 1000),
  retry: fc.boolean(),
});

class Caller {
  readonly #methods: readonly Method[];
  /** Deliveries that were popped, settled or not. */
  readonly #deliveries: string[] = [];
  #sequence = 0;

  constructor(methods: readonly Method[]) {
    this.#methods = methods;
  }

  /** Makes one call, at times a second time as the retry of the first. Refusals are answers like others. */
  async do(step: Step): Promise<void> {
    const session = {
      sessionId: 5n << 22n,
      sequence: ++this.#sequence,
      answeredBelow: Math.max(0, this.#sequence - 3),
    };
    await this.#call(step, { ...session, retry: false });
    if (step.retry) await this.#call(step, { ...session, retry: true });
  }

  async #call({ kind, a, b, ms }: Step, session: SessionCall): Promise<void> {
    const methods = this.#methods;
    // Half of the calls are in the session.
    const context = callContext(session.sequence % 2 === 0 ? { session } : {});
    const key = `key-${a}`;
    const queue = `queue-${a}`;
    const topic = `topic-${a}`;
    const payload = Buffer.from(`${a}/${b}`.repeat(b + 1));
    const deliveryId = this.#deliveries[(a * 5 + b) % Math.max(1, this.#deliveries.length)] ?? 'queue-0#1#1';
    const brief = { nanos: (ms + 1) * 1e6 };
    try {
      switch (kind) {
        case 0:
          await call(methods, kv.set, { key, value: payload, returnPrevious: b > 2 }, context);
          break;
        case 1:
          await call(methods, kv.set, { key, value: payload, ttl: brief }, context);
          break;
        case 2:
          await call(
            methods,
            kv.set,
            { key, value: payload, condition: { case: 'ifAbsent', value: true } },
            context,
          );
          break;
        case 3:
          await call(methods, kv.delete, { key, returnPrevious: b > 2 }, context);
          break;
        case 4:
          await call(methods, kv.increment, { key: `count-${a}`, delta: BigInt(b - 2) }, context);
          break;
        case 5: {
          const entries = [0, 1, 2, 3].map((i) => ({ key: `key-${(a + i) % 6}`, value: payload }));
          await call(methods, kv.setMany, { entries }, context);
          break;
        }
        case 6:
          await call(methods, kv.expire, { key, ttl: brief }, context);
          break;
        case 7:
          if (b === 0) await call(methods, kv.deletePattern, { pattern: `key-${a}*` }, context);
          else await call(methods, kv.persist, { key }, context);
          break;
        case 8:
          await call(
            methods,
            queues.push,
            {
              queue,
              payload,
              priority: b,
              headers: { b: `${b}`, a: `${a}` },
              ...(b === 3 && { delay: brief }),
            },
            context,
          );
          break;
        case 9: {
          const messages = [0, 1, 2].map((i) => ({ payload, dedupId: `${(b + i) % 4}` }));
          await call(methods, queues.pushBatch, { queue, messages }, context);
          break;
        }
        case 10: {
          const { deliveries } = await call(
            methods,
            queues.pop,
            { queue, maxMessages: b + 1, lease: brief },
            context,
          );
          this.#deliveries.push(...deliveries.map((delivery) => delivery.deliveryId));
          break;
        }
        case 11:
          await call(methods, queues.ack, { deliveryId }, context);
          break;
        case 12:
          await call(methods, queues.nack, { deliveryId, error: 'no', deadLetter: b === 0 }, context);
          break;
        case 13:
          if (b === 0) await call(methods, queues.purge, { queue, state: MessageState.READY }, context);
          else if (b === 1) await call(methods, queues.redrive, { queue }, context);
          else if (b === 2) await call(methods, queues.delete, { queue }, context);
          else await call(methods, queues.extend, { deliveryId, lease: brief }, context);
          break;
        case 14:
          await call(methods, streams.publish, { topic, payload, key: `${b}`, headers: { h: 'v' } }, context);
          break;
        case 15: {
          const messages = [0, 1, 2].map((i) => ({ payload, key: `${(b + i) % 5}` }));
          await call(methods, streams.publishBatch, { topic, messages }, context);
          break;
        }
        case 16:
          if (b === 0)
            await call(methods, streams.create, { topic, settings: { partitions: a + 1 } }, context);
          else if (b === 1) await call(methods, streams.purge, { topic }, context);
          else if (b === 2) await call(methods, streams.delete, { topic }, context);
          else
            await call(methods, streams.configure, { topic, settings: { retentionMessages: 5n } }, context);
          break;
        default:
          await call(
            methods,
            streams.seek,
            { topic, consumer: `c${b}`, position: { position: { case: 'earliest', value: true } } },
            context,
          );
          await call(
            methods,
            streams.ack,
            { topic, consumer: `c${b}`, partition: 0, offset: BigInt(b) },
            context,
          );
      }
    } catch (error) {
      if (!(error instanceof GomsgError)) throw error;
    }
  }
}

function methodsOf(host: GroupHost): Method[] {
  const router = new SlotRouter(host.groups);
  const stream = streamServer({
    router,
    limits,
    topicDefaults: { ...defaultTopicSettings, partitions: 2 },
    nodes: { self: 'node1', leaderOf: () => 'node1' },
  });
  stream.close();
  return [...kvMethods({ router, limits }), ...queueMethods({ router, limits }), ...stream.methods];
}

/** All rows but those that hold how far each group is, which an election moves. */
function rowsOf(store: Store): [string, string][] {
  return [...store.range(EVERYTHING)]
    .filter(({ key }) => !key.endsWith('applied'))
    .map(({ key, value }) => [
      Buffer.from(key, 'latin1').toString('hex'),
      Buffer.from(value).toString('hex'),
    ]);
}

/** Waits until all that is due was done: the second host would do it at its start. */
async function nothingDue({ groups }: GroupHost): Promise<void> {
  const isDue = () =>
    groups.some((group) => group.busy || (group.state.nextDue_ms() ?? Infinity) <= group.now());
  await expect.poll(isDue, { interval: 1 }).toBe(false);
}

it('comes to the same rows as the first time, from the beginning and from a checkpoint, whatever was called', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 150 }), async (steps) => {
      const log = new HeldLog();
      log.keepsAll = true;
      const live = openMemoryStore();
      const first = await startHost({ log, store: live, groups: GROUPS });
      const caller = new Caller(methodsOf(first.host));
      /** As the disk had it when a checkpoint was taken on the way. */
      const checkpoint = openMemoryStore();
      for (const [position, one] of steps.entries()) {
        first.clock.now_ms += one.ms;
        await caller.do(one);
        if (position !== steps.length >> 1) continue;
        await first.host.checkpoint();
        for (const { key, value } of live.range(EVERYTHING)) checkpoint.put(key, value);
      }
      await nothingDue(first.host);
      await first.host.stop();
      for (const store of [openMemoryStore(), checkpoint]) {
        const again = await startHost({ log, store, groups: GROUPS });
        for (const group of again.host.groups) group.state.save();
        expect(rowsOf(store)).toEqual(rowsOf(live));
        await again.host.stop();
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);
