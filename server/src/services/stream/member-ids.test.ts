import { describe, expect, it } from 'vitest';
import { MemberIds } from './member-ids.ts';

describe('member ids', () => {
  it('are never handed out twice, by one run or by two', () => {
    const [first, second] = [new MemberIds('n1'), new MemberIds('n1')];
    const ids = [first.next(), first.next(), second.next(), second.next()];
    expect(new Set(ids).size).toBe(4);
  });

  it('tell the node', () => {
    const [now, other] = [new MemberIds('n1'), new MemberIds('n10')];
    expect(now.nodeOf(other.next())).toBe('n10');
    expect(now.nodeOf('made by hand')).toBe('');
  });
});
