import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import {
  PipelineServiceExecuteRequestSchema,
  PipelineServiceExecuteResponseSchema,
} from '../../gen/gomsg/v1/pipeline_pb.js';
import { type FrameHeader, ResultFrame, readFrame as readCalls } from './frames.ts';

interface ReadCall {
  header: FrameHeader;
  callId: number;
  method: number;
  payload: Uint8Array;
  sequence: number;
  timeout_ms: number;
  retry: boolean;
}

function readFrame(bytes: Uint8Array): ReadCall[] {
  return readCalls(bytes, (header, callId, method, payload, sequence, timeout_ms, retry) => ({
    header,
    callId,
    method,
    payload,
    sequence,
    timeout_ms,
    retry,
  }));
}

const call = fc.record({
  callId: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  method: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  payload: fc.uint8Array({ maxLength: 200 }),
  sequence: fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) }),
  timeoutMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  retry: fc.boolean(),
});

describe('request frames', () => {
  it('are read as the generated code reads them', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat(),
        fc.nat(),
        fc.array(call, { maxLength: 10 }),
        (sessionId, answeredBelow, topologyEpoch, calls) => {
          const frame = readFrame(
            toBinary(
              PipelineServiceExecuteRequestSchema,
              create(PipelineServiceExecuteRequestSchema, {
                sessionId,
                answeredBelow: BigInt(answeredBelow),
                calls,
                topologyEpoch: BigInt(topologyEpoch),
              }),
            ),
          );
          for (const { header } of frame) expect(header).toEqual({ sessionId, answeredBelow, topologyEpoch });
          expect(frame.map(({ header, ...one }) => ({ ...one, payload: [...one.payload] }))).toEqual(
            calls.map(({ timeoutMs, ...one }) => ({
              ...one,
              sequence: Number(one.sequence),
              timeout_ms: timeoutMs,
              payload: [...one.payload],
            })),
          );
        },
      ),
    );
  });

  it('may have fields of newer clients', () => {
    const known = toBinary(
      PipelineServiceExecuteRequestSchema,
      create(PipelineServiceExecuteRequestSchema, { calls: [{ callId: 5, method: 101 }] }),
    );
    // Field 100: varint, fixed64, bytes, fixed32.
    const unknown = [
      [0xa0, 0x06, 0x96, 0x01],
      [0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xa2, 0x06, 0x02, 9, 9],
      [0xa5, 0x06, 1, 2, 3, 4],
    ].flat();
    const frame = readFrame(Buffer.concat([Buffer.from(unknown), known, Buffer.from(unknown)]));
    expect(frame).toHaveLength(1);
    expect(frame[0]).toMatchObject({ callId: 5, method: 101 });
  });

  it('that are malformed are refused, whatever is wrong with them', () => {
    const valid = toBinary(
      PipelineServiceExecuteRequestSchema,
      create(PipelineServiceExecuteRequestSchema, {
        sessionId: 1n,
        calls: [{ callId: 1, method: 101, payload: new Uint8Array(10), sequence: 1n }],
      }),
    );
    for (let length = 1; length < valid.length; length++) {
      const cut = valid.subarray(0, length);
      let generated = true;
      try {
        fromBinary(PipelineServiceExecuteRequestSchema, cut);
      } catch {
        generated = false;
      }
      // Cut exactly behind a field it is a shorter frame, and to both readers alike.
      if (generated) expect(() => readFrame(cut)).not.toThrow();
      else expect(() => readFrame(cut)).toThrow(RangeError);
    }
    expect(() => readFrame(Uint8Array.of(0x1a, 0x03, 0x1a, 0x7f, 0x00))).toThrow(RangeError);
    expect(() => readFrame(Uint8Array.of(0x0b))).toThrow(RangeError);
  });
});

describe('response frames', () => {
  it('are what the generated code reads', () => {
    const frame = new ResultFrame();
    frame.ok(7, Uint8Array.of(1, 2, 3));
    frame.ok(2 ** 32 - 1, new Uint8Array());
    frame.fail(9, {
      reason: ErrorReason.KEY_NOT_FOUND,
      message: 'key "ключ" does not exist',
      subject: 'ключ',
      retryAfter_ms: 1500,
    });
    const { results } = fromBinary(PipelineServiceExecuteResponseSchema, frame.take());
    expect(results.map(({ callId }) => callId)).toEqual([7, 2 ** 32 - 1, 9]);
    expect([...results[0]!.payload]).toEqual([1, 2, 3]);
    expect(results[1]!.payload).toHaveLength(0);
    expect(results[2]!.error).toMatchObject({
      code: 5,
      detail: {
        reason: ErrorReason.KEY_NOT_FOUND,
        subject: 'ключ',
        retryAfter: { seconds: 1n, nanos: 500_000_000 },
      },
    });
    expect(results[2]!.error!.message).toContain('ключ');
  });

  it('begin empty again after they were taken', () => {
    const frame = new ResultFrame();
    frame.ok(1, Uint8Array.of(1));
    const first = frame.take();
    expect(frame.length).toBe(0);
    frame.ok(2, new Uint8Array(100_000));
    expect(fromBinary(PipelineServiceExecuteResponseSchema, first).results[0]!.callId).toBe(1);
    expect(fromBinary(PipelineServiceExecuteResponseSchema, frame.take()).results[0]!.payload).toHaveLength(
      100_000,
    );
  });
});
