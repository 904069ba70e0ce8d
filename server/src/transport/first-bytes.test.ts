import { expect, test } from 'vitest';
import { HTTP2_PREFACE, readFirstBytes } from './first-bytes.ts';

test('a whole preface is HTTP/2, whatever follows it', () => {
  expect(readFirstBytes(HTTP2_PREFACE)).toBe('http2');
  expect(readFirstBytes(Buffer.concat([HTTP2_PREFACE, Buffer.from([0, 0, 0, 4])]))).toBe('http2');
});

test('every beginning of the preface is undecided', () => {
  for (let length = 0; length < HTTP2_PREFACE.length; length += 1) {
    expect(readFirstBytes(HTTP2_PREFACE.subarray(0, length))).toBe('undecided');
  }
});

test('whatever departs from the preface, even in its last byte, is HTTP/1', () => {
  for (let at = 0; at < HTTP2_PREFACE.length; at += 1) {
    const bytes = Buffer.from(HTTP2_PREFACE.subarray(0, at + 1));
    bytes[at]! ^= 1;
    expect(readFirstBytes(bytes)).toBe('http1');
  }
  expect(readFirstBytes(Buffer.from('GET / HTTP/1.1\r\n'))).toBe('http1');
});
