import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Consistency, ErrorReason } from '../gen/gomsg/v1/common_pb.js';
import { KVService, KVServiceGetResponseSchema } from '../gen/gomsg/v1/kv_pb.js';
import { CUT_OFF_AFTER_MS } from '../groups/timing.ts';
import { methodNumber, serverStreaming, unary } from '../services/decode.ts';
import { GomsgError } from '../services/errors.ts';
import type { Reply } from '../services/method.ts';
import { call, callContext, open } from '../services/testing/call.ts';
import type { Failure } from '../state/failure.ts';
import { WAIT } from '../testing/wait.ts';
import { forwarding } from './forwarding.ts';
import { LEADER_SEARCH_MS_MAX, RETRY_PAUSE_MS } from './leader-search.ts';
import type { Leadership, Links } from './leadership.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';

const NOT_LEADER: Failure = { reason: ErrorReason.NOT_LEADER, message: 'another node leads' };

/** One group, whose leader the test names. */
class OneGroup implements Leadership {
  readonly self = 1;
  isOver = false;
  leader: number | undefined;
  replica = true;
  /** For how long it has heard of no majority, now. */
  silence_ms: () => number = () => 0;
  readonly #listeners = new Set<() => void>();

  constructor(leader: number | undefined) {
    this.leader = leader;
  }

  groupOf(): number {
    return 1;
  }

  leaderOf(): number | undefined {
    return this.leader;
  }

  majoritySilence_ms(): number {
    return this.silence_ms();
  }

  hasReplica(): boolean {
    return this.replica;
  }

  onLeaderChange(_group: number, listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get waiting(): number {
    return this.#listeners.size;
  }

  elect(leader: number | undefined): void {
    this.leader = leader;
    for (const listener of [...this.#listeners]) listener();
  }

  noLeader(): Failure {
    return { reason: ErrorReason.NO_QUORUM, message: 'nobody leads: node2 and node3 do not answer' };
  }
}

const DONE = { cancel: () => {} };

/** Names who answered. */
function answer(who: string): Uint8Array {
  return toBinary(
    KVServiceGetResponseSchema,
    create(KVServiceGetResponseSchema, { value: Buffer.from(who) }),
  );
}

const { get, set, watch } = KVService.method;

/** Node 1 with its own methods and a link to others. */
function node(leadership: Leadership, links: Partial<Links> = {}, own: Failure[] = []) {
  const calls: { node: number; call: ForwardedCall }[] = [];
  const methods = [
    unary(get, (_request, { reply }) => {
      const failure = own.shift();
      if (failure === undefined) reply.ok(answer('node 1'));
      else reply.fail(failure);
    }),
    unary(set, (_request, { reply }) => reply.ok(new Uint8Array())),
    serverStreaming(watch, async function* (_request, { signal }) {
      yield new Uint8Array();
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }),
  ];
  const all: Links = {
    call(to, forwarded, reply) {
      calls.push({ node: to, call: forwarded });
      reply.ok(answer(`node ${to}`));
      return DONE;
    },
    async *stream() {},
    ...links,
  };
  return { methods: forwarding(methods, leadership, all), calls };
}

async function whoAnswers(
  methods: ReturnType<typeof forwarding>,
  consistency = Consistency.LINEARIZABLE,
  context = callContext(),
) {
  return Buffer.from((await call(methods, get, { key: 'k', consistency }, context)).value).toString();
}

describe('a call', () => {
  test('is answered here when this node leads', async () => {
    expect(await whoAnswers(node(new OneGroup(1)).methods)).toBe('node 1');
  });

  test('is passed on to the leader, with its session and what is left of its time', async () => {
    const { methods, calls } = node(new OneGroup(2));
    const session = { sessionId: 7n, sequence: 3, answeredBelow: 2, retry: false };
    const context = callContext({ session, deadline_ms: Date.now() + 60_000 });
    expect(await whoAnswers(methods, undefined, context)).toBe('node 2');
    expect(calls[0]).toMatchObject({ node: 2, call: { method: methodNumber(get), session } });
    expect(calls[0]!.call.timeout_ms).toBeGreaterThan(30_000);
    expect(calls[0]!.call.timeout_ms).toBeLessThanOrEqual(60_000);
  });

  test('that is content with any replica is answered here, if there is one', async () => {
    const group = new OneGroup(2);
    expect(await whoAnswers(node(group).methods, Consistency.STALE)).toBe('node 1');
    group.replica = false;
    expect(await whoAnswers(node(group).methods, Consistency.STALE)).toBe('node 2');
  });

  test('waits for a leader, and goes to it', async () => {
    const group = new OneGroup(undefined);
    const answered = whoAnswers(node(group).methods);
    expect(group.waiting).toBe(1);
    group.elect(3);
    expect(await answered).toBe('node 3');
    expect(group.waiting).toBe(0);
  });

  test('goes to the new leader when the old one refuses it', async () => {
    const group = new OneGroup(2);
    const { methods } = node(group, {
      call(to, _call, reply) {
        if (to === 3) reply.ok(answer('node 3'));
        else {
          reply.fail(NOT_LEADER);
          group.elect(3);
        }
        return DONE;
      },
    });
    expect(await whoAnswers(methods)).toBe('node 3');
  });

  test('goes on when this node loses its leadership before it began', async () => {
    const group = new OneGroup(1);
    const answered = whoAnswers(node(group, {}, [NOT_LEADER]).methods);
    group.elect(2);
    expect(await answered).toBe('node 2');
  });

  test('fails within its deadline when nobody comes to lead, and says who is missing', async () => {
    const context = callContext({ deadline_ms: Date.now() + 30 });
    await expect(whoAnswers(node(new OneGroup(undefined)).methods, undefined, context)).rejects.toMatchObject(
      {
        reason: ErrorReason.NO_QUORUM,
        message: expect.stringContaining('node2 and node3'),
      },
    );
  });

  test('waits for nobody any more when the node stops', async () => {
    const group = new OneGroup(undefined);
    const refused = expect(whoAnswers(node(group).methods)).rejects.toMatchObject({
      reason: ErrorReason.NO_QUORUM,
    });
    group.isOver = true;
    group.elect(undefined);
    await refused;
    await expect(whoAnswers(node(group).methods)).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
    expect(group.waiting).toBe(0);
  });

  test('is not tried again when it may have been carried out', async () => {
    const lost: Failure = { reason: ErrorReason.DEADLINE_EXCEEDED, message: 'may be applied' };
    let tries = 0;
    const { methods } = node(new OneGroup(2), {
      call(_node, _call, reply) {
        tries++;
        reply.fail(lost);
        return DONE;
      },
    });
    await expect(whoAnswers(methods)).rejects.toMatchObject({ reason: ErrorReason.DEADLINE_EXCEEDED });
    expect(tries).toBe(1);
  });

  test('that waited at a leader for long looks for the next one anew, each time', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const group = new OneGroup(2);
    const taken: Reply[] = [];
    const { methods } = node(group, {
      call(to, _call, reply) {
        if (to === 4) reply.ok(answer('node 4'));
        else taken.push(reply);
        return DONE;
      },
    });
    const session = { sessionId: 1n, sequence: 1, answeredBelow: 1, retry: false };
    const answered = whoAnswers(methods, undefined, callContext({ session }));
    for (const next of [3, 4]) {
      await vi.advanceTimersByTimeAsync(2 * LEADER_SEARCH_MS_MAX);
      group.leader = undefined;
      taken.pop()!.fail(NOT_LEADER);
      await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX / 2);
      group.elect(next);
    }
    expect(await answered).toBe('node 4');
  });

  describe('of a caller that can go elsewhere', () => {
    const routed = callContext({ canGoElsewhere: true });
    const isRefused = { reason: ErrorReason.NO_QUORUM, message: expect.stringContaining('node2 and node3') };

    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    test('is refused at once while this node is cut off', async () => {
      const group = new OneGroup(undefined);
      group.silence_ms = () => CUT_OFF_AFTER_MS;
      await expect(whoAnswers(node(group).methods, undefined, routed)).rejects.toMatchObject(isRefused);
      expect(group.waiting).toBe(0);
    });

    test('waits for an election as long as a majority is heard', async () => {
      const group = new OneGroup(undefined);
      group.silence_ms = () => CUT_OFF_AFTER_MS / 2;
      const answered = whoAnswers(node(group).methods, undefined, routed);
      await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX - 1);
      group.elect(3);
      expect(await answered).toBe('node 3');
    });

    test('is refused as soon as this node turns out to be cut off', async () => {
      const group = new OneGroup(undefined);
      const began_ms = performance.now();
      group.silence_ms = () => performance.now() - began_ms;
      let isOver = false;
      const refused = expect(whoAnswers(node(group).methods, undefined, routed))
        .rejects.toMatchObject(isRefused)
        .finally(() => {
          isOver = true;
        });
      await vi.advanceTimersByTimeAsync(CUT_OFF_AFTER_MS - 1);
      expect(isOver).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      await refused;
    });

    test('is also refused at once when it came back from a node that leads no longer', async () => {
      const group = new OneGroup(2);
      group.silence_ms = () => CUT_OFF_AFTER_MS;
      const { methods } = node(group, {
        call(_to, _call, reply) {
          group.leader = undefined;
          reply.fail(NOT_LEADER);
          return DONE;
        },
      });
      await expect(whoAnswers(methods, undefined, routed)).rejects.toMatchObject(isRefused);
    });

    test('is no reason to refuse others, who have nobody else to ask', async () => {
      const group = new OneGroup(undefined);
      group.silence_ms = () => Number.POSITIVE_INFINITY;
      const answered = whoAnswers(node(group).methods);
      await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX - 1);
      group.elect(3);
      expect(await answered).toBe('node 3');
    });
  });

  describe('under way to a leader that fell silent', () => {
    /** Node 2 never answers; node 3 does. */
    function silentLeader(group: OneGroup) {
      const cancelled: number[] = [];
      const calls: ForwardedCall[] = [];
      const { methods } = node(group, {
        call(to, forwarded, reply) {
          calls.push(forwarded);
          if (to === 3) reply.ok(answer('node 3'));
          return { cancel: () => cancelled.push(to) };
        },
      });
      return { methods, calls, cancelled };
    }

    test('goes to the next leader when it is a read', async () => {
      const group = new OneGroup(2);
      const { methods, cancelled } = silentLeader(group);
      const answered = whoAnswers(methods);
      group.elect(3);
      expect(await answered).toBe('node 3');
      expect(cancelled).toEqual([2]);
      expect(group.waiting).toBe(0);
    });

    test('goes there as a retry when a session makes it safe', async () => {
      const group = new OneGroup(2);
      const { methods, calls } = silentLeader(group);
      // As a call of a pipeline, which tells what its frame says by getters of its class.
      class PipelinedPlace {
        readonly sequence = 3;
        readonly retry = false;
        get sessionId() {
          return 7n;
        }
        get answeredBelow() {
          return 2;
        }
      }
      const session = new PipelinedPlace();
      const answered = whoAnswers(methods, undefined, callContext({ session }));
      group.elect(3);
      expect(await answered).toBe('node 3');
      expect(calls.map((call) => call.session?.retry)).toEqual([false, true]);
      expect(calls[1]?.session).toEqual({ sessionId: 7n, sequence: 3, answeredBelow: 2, retry: true });
    });

    test('stays where it is when it could be done twice', async () => {
      const group = new OneGroup(2);
      const { methods, calls, cancelled } = silentLeader(group);
      void call(methods, set, { key: 'k' });
      group.elect(3);
      expect(calls).toHaveLength(1);
      expect(cancelled).toEqual([]);
    });
  });

  describe('that the known leader refuses, since it hands its leadership over', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    /** Node 2 refuses as long as it is said to lead. */
    function handingOver(group: OneGroup, context = callContext()) {
      let refusals = 0;
      const { methods } = node(group, {
        call(to, _call, reply) {
          if (to === 3) reply.ok(answer('node 3'));
          else {
            refusals++;
            reply.fail(NOT_LEADER);
          }
          return DONE;
        },
      });
      const answered = whoAnswers(methods, undefined, context);
      return { answered, refusals: () => refusals };
    }

    test('waits for the next one, however many looks that takes', async () => {
      const group = new OneGroup(2);
      const { answered, refusals } = handingOver(group);
      await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX - RETRY_PAUSE_MS);
      expect(refusals()).toBeGreaterThan(10);
      group.elect(3);
      expect(await answered).toBe('node 3');
    });

    test('is given up after the time of a search', async () => {
      const { answered, refusals } = handingOver(new OneGroup(2));
      const refused = expect(answered).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
      await vi.advanceTimersByTimeAsync(LEADER_SEARCH_MS_MAX);
      await refused;
      expect(refusals()).toBeLessThanOrEqual(LEADER_SEARCH_MS_MAX / RETRY_PAUSE_MS + 1);
    });

    test('is given up at its deadline, when that is sooner', async () => {
      const context = callContext({ deadline_ms: Date.now() + 200 });
      const refused = expect(handingOver(new OneGroup(2), context).answered).rejects.toMatchObject({
        reason: ErrorReason.NOT_LEADER,
      });
      await vi.advanceTimersByTimeAsync(200);
      await refused;
    });
  });
});

describe('a stream', () => {
  const revision = (value: number) =>
    toBinary(watch.output, create(watch.output, { revision: BigInt(value) }));

  async function revisions(methods: ReturnType<typeof forwarding>): Promise<bigint[]> {
    const seen: bigint[] = [];
    const request = { target: { case: 'key' as const, value: 'k' } };
    for await (const message of open(methods, watch, request)) seen.push(message.revision);
    return seen;
  }

  test('comes from the leader', async () => {
    const { methods } = node(new OneGroup(2), {
      async *stream(to) {
        yield revision(to);
      },
    });
    expect(await revisions(methods)).toEqual([2n]);
  });

  test('is opened at the new leader when the old one refuses it before it began', async () => {
    const group = new OneGroup(2);
    const { methods } = node(group, {
      async *stream(to) {
        if (to === 2) {
          group.leader = 3;
          throw new GomsgError(NOT_LEADER);
        }
        yield revision(to);
      },
    });
    expect(await revisions(methods)).toEqual([3n]);
  });

  test('waits for an election, unless this node is cut off', async () => {
    const group = new OneGroup(undefined);
    const { methods } = node(group, {
      async *stream(to) {
        yield revision(to);
      },
    });
    const seen = revisions(methods);
    await vi.waitUntil(() => group.waiting > 0, WAIT);
    group.elect(2);
    expect(await seen).toEqual([2n]);
    group.elect(undefined);
    group.silence_ms = () => CUT_OFF_AFTER_MS;
    await expect(revisions(methods)).rejects.toMatchObject({ reason: ErrorReason.NO_QUORUM });
    expect(group.waiting).toBe(0);
  });

  test('ends with the leadership that it began under', async () => {
    const { methods } = node(new OneGroup(2), {
      async *stream(to) {
        yield revision(to);
        throw new GomsgError(NOT_LEADER);
      },
    });
    await expect(revisions(methods)).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
  });
});

test('a stream of this node ends, and can be opened again, when it leads no longer', async () => {
  const group = new OneGroup(1);
  const { methods } = node(group);
  const stream = open(methods, watch, { target: { case: 'key', value: 'k' } });
  await stream.next();
  group.elect(2);
  await expect(stream.next()).rejects.toMatchObject({ reason: ErrorReason.NOT_LEADER });
  expect(group.waiting).toBe(0);
});

test('requests come through unchanged', async () => {
  const { methods, calls } = node(new OneGroup(2));
  await whoAnswers(methods);
  expect(fromBinary(get.input, calls[0]!.call.payload).key).toBe('k');
});
