import { fromBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as kv from '../../gen/gomsg/v1/kv_pb.js';
import { utf8Key } from '../keys.ts';
import { ByteWriter } from '../wire.ts';
import { addInt64 } from './integer.ts';
import { encodeRecord, NEVER_MS } from './record.ts';
import {
  encodeDeleteResponse,
  encodeExistsResponse,
  encodeGetResponse,
  encodeIncrementResponse,
  encodeSetResponse,
} from './responses.ts';

const version = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);
const expiry = fc.oneof(
  fc.constant(NEVER_MS),
  fc.constant(5000),
  fc.integer({ min: 1, max: 8_640_000_000_000_000 }),
);
const value = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 126, maxLength: 200 }));
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 });
const stored = fc.record({ key, value, version, expiresAt_ms: expiry });
type Stored = { key: string; value: Uint8Array; version: number; expiresAt_ms: number };

function toRecord({ version, expiresAt_ms, value }: Stored): Uint8Array {
  return Uint8Array.from(encodeRecord(new ByteWriter(), version, expiresAt_ms, value));
}

function expectKeyValue(actual: kv.KeyValue | undefined, expected: Stored): void {
  expect(actual).toMatchObject({ key: expected.key, version: BigInt(expected.version) });
  expect(Buffer.from(actual!.value)).toEqual(Buffer.from(expected.value));
  expect(actual!.expiresAt && timestampMs(actual!.expiresAt)).toBe(expected.expiresAt_ms || undefined);
}

describe('hand-written responses are what the generated code reads', () => {
  it('Get', () => {
    fc.assert(
      fc.property(stored, (expected) => {
        const response = fromBinary(kv.KVServiceGetResponseSchema, encodeGetResponse(toRecord(expected)));
        expectKeyValue({ ...response, key: expected.key, $typeName: 'gomsg.v1.KeyValue' }, expected);
      }),
    );
  });

  it('Set, with and without the previous key', () => {
    fc.assert(
      fc.property(version, stored, (version, previous) => {
        const key = utf8Key(previous.key);
        const plain = fromBinary(kv.KVServiceSetResponseSchema, encodeSetResponse(version, key, undefined));
        expect(plain).toMatchObject({ version: BigInt(version) });
        expect(plain.previous).toBeUndefined();
        const full = encodeSetResponse(version, key, toRecord(previous));
        const response = fromBinary(kv.KVServiceSetResponseSchema, full);
        expect(response.version).toBe(BigInt(version));
        expectKeyValue(response.previous, previous);
      }),
    );
  });

  it('Delete, with and without the previous key', () => {
    const read = (bytes: Uint8Array) => fromBinary(kv.KVServiceDeleteResponseSchema, bytes);
    expect(read(encodeDeleteResponse(false, 'a', undefined)).deleted).toBe(false);
    expect(read(encodeDeleteResponse(true, 'a', undefined)).deleted).toBe(true);
    fc.assert(
      fc.property(stored, (previous) => {
        const response = read(encodeDeleteResponse(true, utf8Key(previous.key), toRecord(previous)));
        expect(response.deleted).toBe(true);
        expectKeyValue(response.previous, previous);
      }),
    );
  });

  it('Exists', () => {
    for (const exists of [true, false]) {
      expect(fromBinary(kv.KVServiceExistsResponseSchema, encodeExistsResponse(exists))).toMatchObject({
        exists,
      });
    }
  });

  it('Increment', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
          fc.bigInt(-(2n ** 53n), 2n ** 53n),
          fc.bigInt(-3n, 3n),
        ),
        version,
        (sum, version) => {
          const encoded = encodeIncrementResponse(addInt64(0, sum)!, version);
          const response = fromBinary(kv.KVServiceIncrementResponseSchema, encoded);
          expect(response).toMatchObject({ value: sum, version: BigInt(version) });
        },
      ),
    );
  });
});
