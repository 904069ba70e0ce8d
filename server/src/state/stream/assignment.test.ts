import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareOut } from './assignment.ts';

const members = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 });
const owners = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'gone'), { nil: undefined }), {
  maxLength: 20,
});

function held(shares: readonly (string | undefined)[], member: string): number {
  return shares.filter((owner) => owner === member).length;
}

describe('sharing out partitions', () => {
  it('gives every partition to a member, evenly', () => {
    fc.assert(
      fc.property(owners, members, (before, ids) => {
        const after = shareOut(before, ids);
        expect(after).toHaveLength(before.length);
        const counts = ids.map((id) => held(after, id));
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(before.length);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('moves no partition more than evenness asks', () => {
    fc.assert(
      fc.property(owners, members, (before, ids) => {
        const after = shareOut(before, ids);
        const kept = after.filter((owner, partition) => owner === before[partition]).length;
        // The best there is: the fullest members keep one more where the shares are odd.
        const least = Math.floor(before.length / ids.length);
        let odd = before.length % ids.length;
        const best = ids
          .map((id) => held(before, id))
          .sort((a, b) => b - a)
          .reduce((sum, count) => sum + Math.min(count, odd-- > 0 ? least + 1 : least), 0);
        expect(kept).toBe(best);
      }),
    );
  });

  it('changes nothing when nothing changed', () => {
    fc.assert(
      fc.property(owners, members, (before, ids) => {
        const once = shareOut(before, ids);
        expect(shareOut(once, ids)).toEqual(once);
      }),
    );
  });

  it('gives the first partitions to those who joined first', () => {
    const none = new Array<undefined>(5).fill(undefined);
    expect(shareOut(none, ['b', 'a'])).toEqual(['b', 'b', 'b', 'a', 'a']);
    expect(shareOut(['b', 'b', 'b', 'b'], ['b', 'a'])).toEqual(['b', 'b', 'a', 'a']);
    expect(shareOut(['x'], ['a', 'b'])).toEqual(['a']);
    expect(shareOut(['a', 'b'], [])).toEqual([undefined, undefined]);
    expect(shareOut([], ['a'])).toEqual([]);
  });
});
