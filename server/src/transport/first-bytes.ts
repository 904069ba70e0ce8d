/** Tells HTTP/2 from everything else by how a connection opens. */

/** What every HTTP/2 client sends first (RFC 9113, section 3.4). */
export const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** `undecided` = all bytes so far fit the preface, and more of it must come. */
export type FirstBytes = 'http2' | 'http1' | 'undecided';

/**
 * Reads the protocol off the first bytes of a connection. Anything that departs from the preface is taken for
 * HTTP/1, whose parser answers garbage with 400.
 */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  const length = Math.min(bytes.length, HTTP2_PREFACE.length);
  if (bytes.compare(HTTP2_PREFACE, 0, length, 0, length) !== 0) return 'http1';
  return length === HTTP2_PREFACE.length ? 'http2' : 'undecided';
}
