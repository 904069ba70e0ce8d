import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  PipelineErrorSchema,
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
} from '../gen/gomsg/v1/pipeline_pb.js';
import {
  CALL_ENVELOPE_BYTES_MAX,
  encodeFrame,
  FRAME_ENVELOPE_BYTES_MAX,
  FrameError,
  readResults,
} from './frames.ts';

const uint32 = fc.nat(0xffff_ffff);
const position = fc.oneof(fc.nat(300), fc.maxSafeNat());
const payload = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(20_000)));
const call = fc.record({
  callId: uint32,
  methodNumber: uint32,
  payload,
  sequence: position,
  remaining_ms: uint32,
  retry: fc.boolean(),
});

describe('a request frame', () => {
  test('is what the generated code reads', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 64n - 1n),
        position,
        fc.array(call, { maxLength: 20 }),
        (sessionId, answeredBelow, calls) => {
          const frame = encodeFrame(sessionId, answeredBelow, calls);
          const read = fromBinary(PipelineServiceExecuteRequestSchema, frame);
          expect(read.sessionId).toBe(sessionId);
          expect(read.answeredBelow).toBe(sessionId === 0n ? 0n : BigInt(answeredBelow));
          expect(read.calls).toHaveLength(calls.length);
          for (const [i, expected] of calls.entries()) {
            const found = read.calls[i]!;
            expect(found.callId).toBe(expected.callId);
            expect(found.method).toBe(expected.methodNumber);
            expect(Buffer.from(found.payload).equals(expected.payload)).toBe(true);
            expect(found.sequence).toBe(BigInt(expected.sequence));
            expect(found.timeoutMs).toBe(expected.remaining_ms);
            expect(found.retry).toBe(expected.retry);
          }
          const payloads = calls.reduce((sum, { payload }) => sum + payload.length, 0);
          expect(frame.length).toBeLessThanOrEqual(
            payloads + FRAME_ENVELOPE_BYTES_MAX + calls.length * CALL_ENVELOPE_BYTES_MAX,
          );
        },
      ),
    );
  });
});

const result = fc.record({
  callId: uint32,
  body: payload,
  failed: fc.boolean(),
});

function read(frame: Uint8Array) {
  const results: { callId: number; body: Buffer; failed: boolean }[] = [];
  readResults(frame, (callId, body, failed) => results.push({ callId, body: Buffer.from(body), failed }));
  return results;
}

describe('a response frame', () => {
  test('is read as the generated code wrote it', () => {
    fc.assert(
      fc.property(fc.array(result, { maxLength: 20 }), (results) => {
        const frame = toBinary(
          PipelineServiceExecuteResponseSchema,
          create(PipelineServiceExecuteResponseSchema, {
            results: results.map(({ callId, body, failed }) =>
              failed
                ? { callId, error: { code: 5, message: Buffer.from(body).toString('hex') } }
                : { callId, payload: body },
            ),
          }),
        );
        const found = read(frame);
        expect(found).toHaveLength(results.length);
        for (const [i, { callId, body, failed }] of results.entries()) {
          expect(found[i]).toMatchObject({ callId, failed });
          if (failed) {
            expect(fromBinary(PipelineErrorSchema, found[i]!.body).message).toBe(
              Buffer.from(body).toString('hex'),
            );
          } else expect(found[i]!.body.equals(body)).toBe(true);
        }
      }),
    );
  });

  test('of a newer server is read past its new fields', () => {
    const newer = Uint8Array.from([
      0x50,
      0x96,
      0x01, // field 10, a number
      0x0a,
      0x12, // a result:
      0x08,
      0x07, //   call 7
      0x21,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8, //   field 4, eight bytes
      0x12,
      0x01,
      0x2a, //   payload
      0x35,
      1,
      2,
      3,
      4, // field 6, four bytes; its last byte lies outside of the result
    ]);
    newer[4] = 19;
    expect(read(newer)).toEqual([{ callId: 7, body: Buffer.from([0x2a]), failed: false }]);
  });

  test('that is cut off or made up never reads beyond its end', () => {
    const frame = toBinary(
      PipelineServiceExecuteResponseSchema,
      create(PipelineServiceExecuteResponseSchema, {
        results: [{ callId: 300, payload: new Uint8Array(40) }],
      }),
    );
    for (let length = 1; length < frame.length; length++) {
      expect(() => read(frame.subarray(0, length))).toThrow(FrameError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          for (const { body } of read(bytes)) expect(body.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
    );
  });
});
