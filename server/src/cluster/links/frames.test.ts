/** The hand-written codec against the definition in peer.proto: same bytes, same meaning. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  PeerServiceForwardRequestSchema,
  PeerServiceInstallSnapshotRequestSchema,
  PeerServiceLinkRequestSchema,
  PeerServiceLinkResponseSchema,
} from '../../gen/gomsg/internal/v1/peer_pb.js';
import type { HeartbeatMessage, HeartbeatResponseMessage } from '../../raft/index.ts';
import { ErrorReason } from '../../services/errors.ts';
import type { Failure, Outcome } from '../../state/failure.ts';
import { decodeStreamCall, encodeStreamCall } from './forward-codec.ts';
import { type ForwardedCall, measureCall, measureResult } from './forwarded-call.ts';
import { decodeFrame, decodeResults, encodeFrame, encodeResults, type OutgoingFrame } from './frames.ts';
import { type AnyHeartbeat, HeartbeatMemory, WaitingHeartbeats } from './heartbeats.ts';
import { measureMessage, type PlainMessage } from './raft-codec.ts';
import { decodeSnapshotRequest, encodeChunk } from './snapshot-codec.ts';

const counter = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat().map((value) => Math.floor(value / 2)),
);
const bytes = fc.uint8Array({ maxLength: 200 });
const group = fc.oneof(fc.nat(20), fc.nat(0xffff_ffff));
const envelope = { from: counter, to: counter, term: counter };
const candidate = { lastIndex: counter, lastTerm: counter, commitIndex: counter, commitTerm: counter };

const append = fc
  .record({
    ...envelope,
    previousIndex: counter,
    previousTerm: counter,
    commit: counter,
    entries: fc.array(fc.record({ term: counter, kind: fc.constantFrom(0, 1, 2), data: bytes }), {
      maxLength: 5,
    }),
  })
  .map(
    ({ entries, ...rest }): PlainMessage => ({
      type: 'append',
      ...rest,
      entries: entries.map((entry, position) => ({
        index: rest.previousIndex + 1 + position,
        ...(entry as { term: number; kind: 0 | 1 | 2; data: Uint8Array }),
      })),
    }),
  );

const plainMessage: fc.Arbitrary<PlainMessage> = fc.oneof(
  append,
  fc.record({
    type: fc.constant('append-response' as const),
    ...envelope,
    index: counter,
    rejected: fc.boolean(),
    hintIndex: counter,
    hintTerm: counter,
  }),
  fc.record({ type: fc.constant('vote' as const), ...envelope, ...candidate, transfer: fc.boolean() }),
  fc.record({ type: fc.constant('pre-vote' as const), ...envelope, ...candidate }),
  fc.record({
    type: fc.constantFrom('vote-response' as const, 'pre-vote-response' as const),
    ...envelope,
    commitIndex: counter,
    commitTerm: counter,
    granted: fc.boolean(),
  }),
  fc.record({ type: fc.constant('timeout-now' as const), ...envelope }),
  fc.record({ type: fc.constant('hibernate' as const), ...envelope, commit: counter }),
);

const heartbeat: fc.Arbitrary<HeartbeatMessage> = fc.record({
  type: fc.constant('heartbeat' as const),
  ...envelope,
  commit: counter,
  context: counter,
});

const heartbeatResponse: fc.Arbitrary<HeartbeatResponseMessage> = fc.record({
  type: fc.constant('heartbeat-response' as const),
  ...envelope,
  context: counter,
});

const call: fc.Arbitrary<ForwardedCall> = fc.record({
  method: fc.nat(2000),
  payload: bytes,
  session: fc.option(
    fc.record({
      sessionId: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      sequence: counter.map((value) => value + 1),
      answeredBelow: counter,
      retry: fc.boolean(),
    }),
    { nil: undefined },
  ),
  timeout_ms: fc.option(fc.integer({ min: 1, max: 1e12 }), { nil: undefined }),
  headers: fc.option(fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1, maxKeys: 3 }), {
    nil: undefined,
  }),
});

const failure: fc.Arbitrary<Failure> = fc.record(
  {
    reason: fc.constantFrom(ErrorReason.KEY_NOT_FOUND, ErrorReason.NOT_LEADER, ErrorReason.OVERLOADED),
    message: fc.string({ unit: 'grapheme' }),
    subject: fc.string({ minLength: 1 }),
    currentVersion: fc.integer({ min: 1 }),
    retryAfter_ms: fc.nat(100_000),
    leader: fc.record({ nodeId: fc.string(), address: fc.string() }),
    topologyEpoch: fc.integer({ min: 1 }),
  },
  { requiredKeys: ['reason', 'message'] },
);

const heartbeats = <H extends AnyHeartbeat>(of: fc.Arbitrary<H>) =>
  fc.record({
    changed: fc.array(fc.record({ group, heartbeat: of }), { maxLength: 4 }),
    same: fc.array(group, { maxLength: 4 }),
  });

describe('a frame of a link', () => {
  test('has the bytes that the proto defines, and is read as what was written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(group, plainMessage), { maxLength: 6 }),
        heartbeats(heartbeat),
        heartbeats(heartbeatResponse),
        fc.array(call, { maxLength: 4 }),
        fc.array(counter, { maxLength: 4 }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 50 }), { nil: undefined }),
        (messages, ofHeartbeats, ofResponses, calls, cancelled, report) => {
          const frame: OutgoingFrame = {
            messages: messages.map(([number, message]) => measureMessage(number, message)),
            heartbeats: ofHeartbeats,
            heartbeatResponses: ofResponses,
            calls: calls.map((one, position) => measureCall(position + 1, one)),
            cancelled,
            report,
          };
          const encoded = encodeFrame(frame);
          expect(encoded.buffer.byteLength).toBe(encoded.length);
          const generated = fromBinary(PeerServiceLinkRequestSchema, encoded);
          expect(generated.$unknown).toBeUndefined();
          expect(Buffer.compare(toBinary(PeerServiceLinkRequestSchema, generated), encoded)).toBe(0);

          const decoded = decodeFrame(new Uint8Array(encoded.buffer));
          expect(decoded.messages).toEqual(messages.map(([number, message]) => ({ group: number, message })));
          expect(decoded.heartbeats).toEqual(ofHeartbeats);
          expect(decoded.heartbeatResponses).toEqual(ofResponses);
          expect(decoded.calls.map(({ id }) => id)).toEqual(calls.map((_, position) => position + 1));
          expect(decoded.calls.map((one) => plain(one.call))).toEqual(calls.map(plain));
          expect(decoded.cancelled).toEqual(cancelled);
          expect(decoded.report).toEqual(report);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of answers has the bytes that the proto defines, and is read as what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(counter, fc.oneof(bytes, failure)), { maxLength: 6 }), (results) => {
        const encoded = encodeResults(results.map(([id, outcome]) => measureResult(id, outcome as Outcome)));
        const generated = fromBinary(PeerServiceLinkResponseSchema, encoded);
        expect(Buffer.compare(toBinary(PeerServiceLinkResponseSchema, generated), encoded)).toBe(0);
        expect(decodeResults(encoded).map(({ id, outcome }) => [id, plainOutcome(outcome)])).toEqual(
          results.map(([id, outcome]) => [id, plainOutcome(outcome as Outcome)]),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('that is cut short or full of noise is refused, and nothing worse', () => {
    const written = encodeFrame({
      messages: [
        measureMessage(3, {
          type: 'append',
          from: 1,
          to: 2,
          term: 9,
          previousIndex: 4,
          previousTerm: 8,
          commit: 4,
          entries: [{ index: 5, term: 9, kind: 0, data: new Uint8Array(20) }],
        }),
      ],
      heartbeats: { changed: [], same: [1, 2] },
      heartbeatResponses: { changed: [], same: [] },
      calls: [measureCall(1, { method: 101, payload: new Uint8Array(10) })],
      cancelled: [7],
      report: new Uint8Array(3),
    });
    fc.assert(
      fc.property(fc.nat(written.length - 1), fc.nat(255), fc.boolean(), (at, noise, cut) => {
        const damaged = cut ? written.subarray(0, at) : Buffer.from(written);
        if (!cut) damaged[at] = noise;
        for (const decode of [decodeFrame, decodeResults, decodeStreamCall]) {
          try {
            decode(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('takes the bytes of entries as a view, so that they are copied once a side', () => {
    const encoded = encodeFrame({
      messages: [
        measureMessage(1, {
          type: 'append',
          from: 1,
          to: 2,
          term: 1,
          previousIndex: 0,
          previousTerm: 0,
          commit: 0,
          entries: [{ index: 1, term: 1, kind: 0, data: new Uint8Array(1000).fill(7) }],
        }),
      ],
      heartbeats: { changed: [], same: [] },
      heartbeatResponses: { changed: [], same: [] },
      calls: [],
      cancelled: [],
      report: undefined,
    });
    const { message } = decodeFrame(encoded).messages[0]!;
    expect(message.type === 'append' && message.entries[0]!.data.buffer).toBe(encoded.buffer);
  });
});

test('a small message in a large frame keeps no more than itself', () => {
  const entry = { index: 1, term: 1, kind: 0 as const };
  const append = {
    type: 'append' as const,
    from: 1,
    to: 2,
    term: 1,
    previousIndex: 0,
    previousTerm: 0,
    commit: 0,
  };
  const small = {
    ...append,
    entries: [
      { ...entry, data: Buffer.from('abc') },
      { ...entry, index: 2, data: Buffer.from('de') },
    ],
  };
  const large = { ...append, entries: [{ ...entry, data: new Uint8Array(100_000) }] };
  const encoded = encodeFrame({
    ...NOTHING,
    messages: [measureMessage(1, small), measureMessage(2, large)],
  });
  const [first, second] = decodeFrame(encoded).messages.map(({ message }) =>
    message.type === 'append' ? message.entries : [],
  );
  expect(first!.map(({ index, data }) => [index, Buffer.from(data).toString()])).toEqual([
    [1, 'abc'],
    [2, 'de'],
  ]);
  expect(first![0]!.data.buffer).not.toBe(encoded.buffer);
  expect(second![0]!.data.buffer).toBe(encoded.buffer);
});

test('the call of a stream and the chunks of a snapshot have the bytes that the proto defines', () => {
  fc.assert(
    fc.property(call, fc.uint8Array({ minLength: 1, maxLength: 300 }), (one, chunk) => {
      const encoded = encodeStreamCall(one);
      const generated = fromBinary(PeerServiceForwardRequestSchema, encoded);
      expect(Buffer.compare(toBinary(PeerServiceForwardRequestSchema, generated), encoded)).toBe(0);
      expect(plain(decodeStreamCall(encoded))).toEqual(plain(one));
      const encodedChunk = encodeChunk(chunk);
      const snapshot = fromBinary(PeerServiceInstallSnapshotRequestSchema, encodedChunk);
      expect(Buffer.compare(toBinary(PeerServiceInstallSnapshotRequestSchema, snapshot), encodedChunk)).toBe(
        0,
      );
      expect(Buffer.compare(decodeSnapshotRequest(encodedChunk).chunk, chunk)).toBe(0);
    }),
  );
});

describe('heartbeats', () => {
  test('arrive as they were sent, whatever changed between them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.nat(5), fc.nat(2), fc.nat(2)), { maxLength: 8 }), { maxLength: 20 }),
        (turns) => {
          const sender = new HeartbeatMemory<HeartbeatMessage>();
          const receiver = new HeartbeatMemory<HeartbeatMessage>();
          for (const turn of turns) {
            const waiting = new Map<number, HeartbeatMessage>();
            for (const [number, term, commit] of turn) waiting.set(number, heartbeatOf(term, commit));
            const frame = { ...NOTHING, heartbeats: sender.compact(waiting) };
            const received = receiver.expand(decodeFrame(encodeFrame(frame)).heartbeats);
            expect(new Map(received.map(({ group: number, heartbeat: one }) => [number, one]))).toEqual(
              waiting,
            );
          }
        },
      ),
    );
  });

  test('of 256 quiet groups cost a frame of two bytes a group', () => {
    const memory = new HeartbeatMemory<HeartbeatMessage>();
    const quiet = new Map(Array.from({ length: 256 }, (_, number) => [number, heartbeatOf(70_000, 1e9)]));
    const first = encodeFrame({ ...NOTHING, heartbeats: memory.compact(quiet) });
    const second = encodeFrame({ ...NOTHING, heartbeats: memory.compact(quiet) });
    expect(first.length).toBeGreaterThan(256 * 10);
    expect(second.length).toBeLessThanOrEqual(256 * 2 + 8);
  });

  test('that say "the same" of a group that was never named are refused', () => {
    const memory = new HeartbeatMemory<HeartbeatMessage>();
    expect(() => memory.expand({ changed: [], same: [9] })).toThrow(RangeError);
  });

  test('that wait confirm every read that any of them was to confirm', () => {
    const waiting = new WaitingHeartbeats<HeartbeatMessage>();
    waiting.add(1, { ...heartbeatOf(3, 10), context: 5 });
    waiting.add(1, { ...heartbeatOf(3, 12), context: 0 });
    expect(waiting.take().get(1)).toEqual({ ...heartbeatOf(3, 12), context: 5 });
    expect(waiting.size).toBe(0);
  });
});

const NOTHING: OutgoingFrame = {
  messages: [],
  heartbeats: { changed: [], same: [] },
  heartbeatResponses: { changed: [], same: [] },
  calls: [],
  cancelled: [],
  report: undefined,
};

function heartbeatOf(term: number, commit: number): HeartbeatMessage {
  return { type: 'heartbeat', from: 1, to: 2, term, commit, context: 0 };
}

/** Views and prototypes aside. */
function plain({ payload, headers, ...rest }: ForwardedCall) {
  return { ...rest, payload: [...payload], headers: headers && { ...headers } };
}

function plainOutcome(outcome: Outcome): unknown {
  return outcome instanceof Uint8Array ? [...outcome] : outcome;
}
