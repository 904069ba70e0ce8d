import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  bigVarintSize,
  readU64,
  varintSize,
  writeBigVarint,
  writeU64,
  writeVarint,
  zigzag,
} from './wire.ts';

const uint53 = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.integer({ min: 0, max: 53 }).map((bits) => 2 ** bits - 1),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits),
);

describe('varint', () => {
  it('is what protobuf writes, and reads back', () => {
    fc.assert(
      fc.property(uint53, (value) => {
        const target = new Uint8Array(10);
        const end = writeVarint(target, 0, value);
        const written = target.subarray(0, end);
        expect(Buffer.from(written)).toEqual(Buffer.from(new BinaryWriter().uint64(value).finish()));
        expect(varintSize(value)).toBe(end);
        expect(new ByteReader(written).varint()).toBe(value);
        expect(new BinaryReader(written).uint64()).toBe(BigInt(value));
      }),
    );
  });

  it('of a signed 64-bit integer is what protobuf writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const target = new Uint8Array(10);
        const end = writeBigVarint(target, 0, zigzag(value));
        expect(bigVarintSize(zigzag(value))).toBe(end);
        expect(new BinaryReader(target.subarray(0, end)).sint64()).toBe(value);
      }),
    );
  });

  it('beyond 2^53 or cut short is refused', () => {
    expect(() => new ByteReader(new BinaryWriter().uint64(2n ** 60n).finish()).varint()).toThrow(RangeError);
    expect(() => new ByteReader(Uint8Array.of(0x80)).varint()).toThrow(RangeError);
  });
});

describe('u64', () => {
  it('reads back and sorts as its number does', () => {
    fc.assert(
      fc.property(uint53, uint53, (a, b) => {
        const left = Buffer.alloc(8);
        const right = Buffer.alloc(8);
        expect(writeU64(left, 0, a)).toBe(8);
        writeU64(right, 0, b);
        expect(readU64(left, 0)).toBe(a);
        expect(Math.sign(Buffer.compare(left, right))).toBe(Math.sign(a - b));
      }),
    );
  });
});

describe('ByteWriter', () => {
  it('grows, and a reader gets everything back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(uint53, fc.uint8Array(), fc.string({ unit: 'binary' })), { maxLength: 8 }),
        (items) => {
          const writer = new ByteWriter(1);
          for (const [number, bytes, text] of items) {
            const key = Buffer.from(text).toString('latin1');
            writer
              .u8(number & 0xff)
              .varint(number)
              .u64(number)
              .u32(bytes.length)
              .bytes(bytes);
            writer.varint(key.length).binary(key).varint(Buffer.byteLength(text)).utf8(text);
          }
          const copy = writer.copy();
          expect(Buffer.compare(copy, writer.view())).toBe(0);
          const reader = new ByteReader(copy);
          for (const [number, bytes, text] of items) {
            expect(reader.u8()).toBe(number & 0xff);
            expect(reader.varint()).toBe(number);
            expect(reader.u64()).toBe(number);
            expect(Uint8Array.from(reader.bytes(reader.u32()))).toEqual(bytes);
            expect(reader.binary(reader.varint())).toBe(Buffer.from(text).toString('latin1'));
            expect(reader.utf8(reader.varint())).toBe(text);
          }
          expect(reader.done).toBe(true);
        },
      ),
    );
  });

  it('starts anew after reset', () => {
    const writer = new ByteWriter(4).bytes(new Uint8Array(100));
    expect([...writer.reset().u8(7).copy()]).toEqual([7]);
  });

  it('reading behind the end is refused', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3));
    expect(() => reader.bytes(4)).toThrow(RangeError);
    expect(() => reader.u64()).toThrow(RangeError);
  });
});
