import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogEntrySchema } from '../gen/gomsg/internal/v1/log_pb.js';
import { LevelTooNewError } from './level.ts';
import { decodeLogEntry, type EntryCommand, encodeLogEntry } from './log-entry.ts';

const session = fc.record({
  sessionId: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  answeredBelow: fc.nat(),
  retry: fc.boolean(),
});
const command: fc.Arbitrary<EntryCommand> = fc.record({
  method: fc.integer({ min: 1, max: 5000 }),
  payload: fc.uint8Array({ maxLength: 300 }),
  request: fc.constant(undefined),
  session: fc.option(session, { nil: undefined }),
});
const stamp = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('log entries', () => {
  it('read back as they were written', () => {
    fc.assert(
      fc.property(stamp, fc.array(command, { maxLength: 20 }), (stamp_ms, commands) => {
        const read = decodeLogEntry(encodeLogEntry(stamp_ms, commands));
        expect(read.stamp_ms).toBe(stamp_ms);
        expect(read.commands.map(plain)).toEqual(commands.map(plain));
      }),
    );
  });

  it('are what the proto says, in both directions', () => {
    fc.assert(
      fc.property(stamp, fc.array(command, { minLength: 1, maxLength: 20 }), (stamp_ms, commands) => {
        const message = fromBinary(LogEntrySchema, encodeLogEntry(stamp_ms, commands));
        expect(message.version).toBe(1);
        expect(message.stampMs).toBe(BigInt(stamp_ms));
        const flat = message.runs.flatMap((run) =>
          run.commands.map((one) => ({
            method: one.method,
            session: run.sessionId,
            sequence: Number(one.sequence),
          })),
        );
        expect(flat).toEqual(
          commands.map((one) => ({
            method: one.method,
            session: one.session?.sessionId ?? 0n,
            sequence: one.session?.sequence ?? 0,
          })),
        );
        const again = decodeLogEntry(toBinary(LogEntrySchema, message));
        expect(again.commands.map(plain)).toEqual(commands.map(plain));
      }),
    );
  });

  it('share a run between neighbours of one session', () => {
    const shared = { sessionId: 7n, answeredBelow: 3, retry: false };
    const commands = [1, 2, 3].map((sequence) => ({
      method: 101,
      payload: new Uint8Array([sequence]),
      request: undefined,
      session: { ...shared, sequence },
    }));
    expect(fromBinary(LogEntrySchema, encodeLogEntry(1, commands)).runs).toHaveLength(1);
  });

  it('encode a part of a list', () => {
    const commands = [1, 2, 3, 4].map((method) => ({
      method,
      payload: new Uint8Array(),
      request: undefined,
      session: undefined,
    }));
    expect(decodeLogEntry(encodeLogEntry(9, commands, 1, 3)).commands.map((one) => one.method)).toEqual([
      2, 3,
    ]);
  });

  it('of a newer version are refused', () => {
    const newer = toBinary(LogEntrySchema, create(LogEntrySchema, { version: 2, stampMs: 1n }));
    expect(() => decodeLogEntry(newer)).toThrow(LevelTooNewError);
  });

  it('that are cut short are damage', () => {
    const bytes = encodeLogEntry(5, [
      { method: 101, payload: new Uint8Array(20), request: undefined, session: undefined },
    ]);
    expect(() => decodeLogEntry(bytes.subarray(0, bytes.length - 5))).toThrow(RangeError);
  });
});

function plain({ method, payload, session: at }: EntryCommand) {
  return {
    method,
    payload: Buffer.from(payload).toString('hex'),
    session: at && `${at.sessionId} ${at.sequence} ${at.answeredBelow} ${at.retry}`,
  };
}
