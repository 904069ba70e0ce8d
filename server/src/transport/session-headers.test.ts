import { describe, expect, test } from 'vitest';
import { ErrorReason } from '../services/errors.ts';
import { readSession } from './session-headers.ts';

const read = (headers: Record<string, string>) => readSession((name) => headers[name]);

test('a call without a session header has no session', () => {
  expect(read({ 'gomsg-sequence': '3' })).toBeUndefined();
});

test('the headers name the session, the place in it and what was answered', () => {
  const headers = {
    'gomsg-session': '18446744073709551615',
    'gomsg-sequence': '7',
    'gomsg-answered-below': '5',
    'gomsg-retry': 'true',
  };
  expect(read(headers)).toEqual({ sessionId: 2n ** 64n - 1n, sequence: 7, answeredBelow: 5, retry: true });
  expect(read({ 'gomsg-session': '1', 'gomsg-sequence': '1' })).toEqual({
    sessionId: 1n,
    sequence: 1,
    answeredBelow: 0,
    retry: false,
  });
});

describe('a malformed header fails the call and names the header', () => {
  const session = { 'gomsg-session': '1', 'gomsg-sequence': '1' };
  test.each([
    ['gomsg-session', { 'gomsg-session': 'x', 'gomsg-sequence': '1' }],
    ['gomsg-session', { 'gomsg-session': '0', 'gomsg-sequence': '1' }],
    ['gomsg-session', { 'gomsg-session': '18446744073709551616', 'gomsg-sequence': '1' }],
    ['gomsg-sequence', { 'gomsg-session': '1' }],
    ['gomsg-sequence', { ...session, 'gomsg-sequence': '0' }],
    ['gomsg-sequence', { ...session, 'gomsg-sequence': '-1' }],
    ['gomsg-sequence', { ...session, 'gomsg-sequence': '99999999999999999999' }],
    ['gomsg-answered-below', { ...session, 'gomsg-answered-below': '1.5' }],
    ['gomsg-retry', { ...session, 'gomsg-retry': 'yes' }],
  ])('%s of %o', (subject, headers) => {
    expect(() => read(headers)).toThrow(
      expect.objectContaining({ reason: ErrorReason.INVALID_REQUEST, subject }),
    );
  });
});
