import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KVServiceGetRequestSchema, KVServiceSetRequestSchema } from '../../gen/gomsg/v1/kv_pb.js';
import { readPlainGet, readPlainSet } from './plain-requests.ts';

const key = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'grapheme', maxLength: 20 }));

describe('plain requests', () => {
  it('of Set are what the general decoder reads', () => {
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 400 }), (name, value) => {
        const payload = toBinary(
          KVServiceSetRequestSchema,
          create(KVServiceSetRequestSchema, { key: name, value }),
        );
        const plain = readPlainSet(payload);
        const expected = name !== '' && /^[\x20-\x7e]*$/.test(name);
        expect(plain !== undefined).toBe(expected);
        if (plain !== undefined) expect(toBinary(KVServiceSetRequestSchema, plain)).toEqual(payload);
      }),
    );
  });

  it('of Get are what the general decoder reads', () => {
    fc.assert(
      fc.property(key, (name) => {
        const payload = toBinary(KVServiceGetRequestSchema, create(KVServiceGetRequestSchema, { key: name }));
        const plain = readPlainGet(payload);
        if (plain !== undefined) expect(plain).toEqual({ ...fromBinary(KVServiceGetRequestSchema, payload) });
      }),
    );
  });

  it('are left alone when anything else is in them', () => {
    for (const more of [
      { ttl: { seconds: 1n } },
      { returnPrevious: true },
      { keepTtl: true },
      { condition: { case: 'ifAbsent' as const, value: true } },
    ]) {
      const request = create(KVServiceSetRequestSchema, { key: 'a', value: new Uint8Array(3), ...more });
      expect(readPlainSet(toBinary(KVServiceSetRequestSchema, request))).toBeUndefined();
    }
    expect(readPlainGet(Uint8Array.of(0x0a, 1, 97, 0x10, 2))).toBeUndefined();
  });

  it('never accept what the general decoder refuses or reads otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.boolean(), (bytes, prefixed) => {
        const payload = prefixed ? Uint8Array.of(0x0a, ...bytes) : bytes;
        const plain = readPlainSet(payload);
        if (plain === undefined) return;
        const general = fromBinary(KVServiceSetRequestSchema, payload);
        expect(plain.key).toBe(general.key);
        expect([...plain.value]).toEqual([...general.value]);
        expect(general.ttl).toBeUndefined();
        expect(general.condition.case).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});
