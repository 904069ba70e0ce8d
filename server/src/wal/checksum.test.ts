import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './checksum.ts';

test('gives the check value of CRC-32C', () => {
  expect(crc32c(new TextEncoder().encode('123456789'), 0, 9)).toBe(0xe3069283);
});

test('gives the same for a range short enough for the table and for one that goes to native code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 600 }), fc.nat(20), (bytes, offset) => {
      const padded = new Uint8Array(bytes.length + 40);
      padded.set(bytes, offset);
      expect(crc32c(padded, offset, offset + bytes.length)).toBe(bitByBit(bytes));
    }),
  );
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
