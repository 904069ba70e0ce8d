/** The request headers by which a unary call takes its place in a session. */
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { SessionCall } from '../services/method.ts';

export const SESSION_HEADER = 'gomsg-session';
export const SEQUENCE_HEADER = 'gomsg-sequence';
export const ANSWERED_BELOW_HEADER = 'gomsg-answered-below';
export const RETRY_HEADER = 'gomsg-retry';

const MAX_SESSION_ID = 2n ** 64n - 1n;
const DECIMAL = /^\d{1,20}$/;

/**
 * The call's place in its session; undefined without `gomsg-session`. All numbers are decimal.
 *
 * @throws GomsgError INVALID_REQUEST when a header is malformed or the sequence is missing: such a call must not
 *   be applied outside its session.
 */
export function readSession(header: (name: string) => string | undefined): SessionCall | undefined {
  const session = header(SESSION_HEADER);
  if (session === undefined) return undefined;
  if (!DECIMAL.test(session))
    throw malformed(SESSION_HEADER, session, 'the decimal id that OpenSession gave');
  const sessionId = BigInt(session);
  if (sessionId === 0n || sessionId > MAX_SESSION_ID) {
    throw malformed(SESSION_HEADER, session, 'the decimal id that OpenSession gave');
  }
  const sequence = count(SEQUENCE_HEADER, header(SEQUENCE_HEADER));
  if (sequence === 0) throw malformed(SEQUENCE_HEADER, '0', 'a position from 1');
  const answeredBelow = header(ANSWERED_BELOW_HEADER);
  const retry = header(RETRY_HEADER);
  if (retry !== undefined && retry !== 'true' && retry !== 'false') {
    throw malformed(RETRY_HEADER, retry, 'true or false');
  }
  return {
    sessionId,
    sequence,
    answeredBelow: answeredBelow === undefined ? 0 : count(ANSWERED_BELOW_HEADER, answeredBelow),
    retry: retry === 'true',
  };
}

function count(name: string, value: string | undefined): number {
  const number = value !== undefined && DECIMAL.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw malformed(name, value, 'a decimal number');
  return number;
}

function malformed(name: string, value: string | undefined, expected: string): GomsgError {
  const found = value === undefined ? 'is missing' : `is ${JSON.stringify(value.slice(0, 64))}`;
  return new GomsgError({
    reason: ErrorReason.INVALID_REQUEST,
    message: `header ${name} ${found}; a call in a session needs ${expected}`,
    subject: name,
  });
}
