import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from './cursors.ts';
import { ErrorReason } from './errors.ts';

const scope = { method: 312, args: ['user.', undefined] };

describe('page cursor', () => {
  it('gives back any binary position', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const position = Buffer.from(bytes).toString('latin1');
        expect(decodeCursor(scope, encodeCursor(scope, position))).toBe(position);
      }),
    );
  });

  it('asks for the first page when empty', () => {
    expect(decodeCursor(scope, new Uint8Array())).toBeUndefined();
  });

  it.each([
    ['another method', encodeCursor({ ...scope, method: 214 }, 'a')],
    ['other arguments', encodeCursor({ ...scope, args: ['user', undefined] }, 'a')],
    ['a truncated copy', encodeCursor(scope, 'abc').subarray(0, 6)],
    ['fewer bytes than a header', Uint8Array.of(1, 2)],
    ['arbitrary bytes', Buffer.from('not a cursor at all')],
  ])('refuses %s', (_, cursor) => {
    expect(() => decodeCursor(scope, cursor)).toThrow(
      expect.objectContaining({ reason: ErrorReason.INVALID_CURSOR }),
    );
  });

  it('reads a cursor that is a view into a larger buffer', () => {
    const cursor = encodeCursor(scope, 'position');
    const frame = Buffer.concat([Buffer.from('xx'), cursor, Buffer.from('yy')]);
    expect(decodeCursor(scope, new Uint8Array(frame.buffer, frame.byteOffset + 2, cursor.length))).toBe(
      'position',
    );
  });
});
