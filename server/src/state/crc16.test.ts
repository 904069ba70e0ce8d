import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc16, crc16OfText, SLOTS, slotOf } from './crc16.ts';

/** Bit by bit, as the polynomial division is defined. */
function slowCrc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : ((crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}

describe('crc16', () => {
  it('gives the check value of CRC-16/XMODEM', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0x31c3);
    expect(crc16OfText('123456789')).toBe(0x31c3);
    expect(crc16(new Uint8Array())).toBe(0);
  });

  it('agrees with division bit by bit, for any bytes and any part of them', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(20), (bytes, from) => {
        expect(crc16(bytes)).toBe(slowCrc16(bytes));
        expect(crc16(bytes, from)).toBe(slowCrc16(bytes.subarray(from)));
      }),
    );
  });

  it('hashes a text as its UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(crc16OfText(text)).toBe(slowCrc16(Buffer.from(text, 'utf8')));
      }),
    );
  });
});

describe('slotOf', () => {
  it('gives the slots that Redis gives', () => {
    // From `CLUSTER KEYSLOT` and the cluster specification.
    expect(slotOf('somekey')).toBe(11058);
    expect(slotOf('foo')).toBe(12182);
    expect(slotOf('123456789')).toBe(0x31c3 % SLOTS);
  });

  it.each([
    ['{user1000}.following', '{user1000}.followers', true],
    ['foo{hash_tag}bar', 'hash_tag', true],
    ['foo{bar}{zap}', 'bar', true],
    ['foo{{bar}}zap', '{bar', true],
    ['foo{}{bar}', 'bar', false],
  ])('of %s and %s: same is %s', (a, b, same) => {
    expect(slotOf(a) === slotOf(b)).toBe(same);
  });

  it('hashes the whole name when the first tag is empty or never closed', () => {
    expect(slotOf('foo{}{bar}')).toBe(crc16OfText('foo{}{bar}') % SLOTS);
    expect(slotOf('foo{bar')).toBe(crc16OfText('foo{bar') % SLOTS);
  });
});
