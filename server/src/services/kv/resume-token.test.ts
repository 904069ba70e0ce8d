import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ErrorReason } from '../errors.ts';
import { decodeResumeToken, encodeResumeToken } from './resume-token.ts';

it('a resume token gives back its positions', () => {
  const positions = fc.uniqueArray(fc.tuple(fc.nat(65_535), fc.maxSafeNat()), {
    selector: ([group]) => group,
  });
  fc.assert(
    fc.property(positions, (positions) => {
      expect([...decodeResumeToken(encodeResumeToken(positions))]).toEqual(positions);
    }),
  );
});

it('anything else is refused', () => {
  const token = encodeResumeToken([[1, 42]]);
  const damaged = [...token.keys()].map((at) => token.map((byte, i) => (i === at ? byte ^ 1 : byte)));
  for (const bytes of [Uint8Array.of(1), token.subarray(1), token.subarray(0, -1), ...damaged]) {
    expect(() => decodeResumeToken(bytes)).toThrow(
      expect.objectContaining({ reason: ErrorReason.INVALID_CURSOR }),
    );
  }
});
