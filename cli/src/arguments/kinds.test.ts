import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { address, base64, duration, moment, pair, parseMoment, sint64, size, uint64 } from './kinds.ts';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['2h', 7_200_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['60', 60_000],
    ['0', 0],
  ])('reads %s', (text, ms) => {
    expect(duration.parse(text)).toBe(ms);
  });

  it.each(['', '-1s', 'soon', '5 s', '1y', 's'])('refuses %j', (text) => {
    expect(() => duration.parse(text)).toThrow(UsageError);
  });
});

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['64KiB', 65_536],
    ['1.5MB', 1_500_000],
    ['2gib', 2 ** 31],
  ])('reads %s', (text, bytes) => {
    expect(size.parse(text)).toBe(bytes);
  });

  it.each(['4M', '-1', '', 'big'])('refuses %j', (text) => {
    expect(() => size.parse(text)).toThrow(UsageError);
  });
});

describe('64-bit integers', () => {
  it('reads every digit up to the ends of their ranges', () => {
    expect(uint64.parse('18446744073709551615')).toBe(18446744073709551615n);
    expect(sint64.parse('-9223372036854775808')).toBe(-9223372036854775808n);
  });

  it.each(['18446744073709551616', '-1', '1.5', 'x'])('refuses %s as unsigned', (text) => {
    expect(() => uint64.parse(text)).toThrow(UsageError);
  });
});

describe('other kinds', () => {
  it('reads addresses with and without a port', () => {
    expect(address(9000).parse('db.example.com')).toBe('db.example.com:9000');
    expect(address(9000).parse('[::1]:9001')).toBe('[::1]:9001');
    expect(() => address(9000).parse('host:70000')).toThrow(UsageError);
    expect(() => address(9000).parse('http://host:1')).toThrow(UsageError);
  });

  it('reads moments as times and as how long ago', () => {
    expect(moment.parse('2026-01-31T12:00:00Z').toISOString()).toBe('2026-01-31T12:00:00.000Z');
    const now_ms = Date.UTC(2026, 0, 1);
    expect(parseMoment('1h', now_ms)?.getTime()).toBe(now_ms - 3_600_000);
    expect(parseMoment('-1h30m', now_ms)?.getTime()).toBe(now_ms - 5_400_000);
    expect(parseMoment('yesterday', now_ms)).toBeUndefined();
  });

  it('keeps equals signs in the value of a pair', () => {
    expect(pair.parse('query=a=b')).toEqual(['query', 'a=b']);
    expect(() => pair.parse('=b')).toThrow(UsageError);
  });

  it('refuses what is no base64', () => {
    expect(Buffer.from(base64.parse('AQID'))).toEqual(Buffer.from([1, 2, 3]));
    expect(() => base64.parse('not base64!')).toThrow(UsageError);
  });
});
