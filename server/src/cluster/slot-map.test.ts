import { describe, expect, it } from 'vitest';
import type { ServiceGroup } from '../services/groups.ts';
import { SLOTS, slotOf } from '../state/crc16.ts';
import { evenRanges, SlotRouter } from './slot-map.ts';

function groups(count: number): ServiceGroup[] {
  return Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    isLeader: true,
    onRoleChange: () => () => {},
    submit: () => {},
    read: () => {},
  }));
}

describe('slots', () => {
  it.each([1, 2, 3, 7, 16, 100, 1024])('are shared out evenly and wholly among %i groups', (count) => {
    const ranges = evenRanges(count);
    expect(ranges[0]!.first).toBe(0);
    expect(ranges.at(-1)!.last).toBe(SLOTS - 1);
    for (let i = 1; i < count; i++) expect(ranges[i]!.first).toBe(ranges[i - 1]!.last + 1);
    const sizes = ranges.map(({ first, last }) => last - first + 1);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it.each([1, 3, 16])('lead a name to the group that owns its slot, with %i groups', (count) => {
    const router = new SlotRouter(groups(count));
    for (let i = 0; i < 2000; i++) {
      const { first, last } = router.ranges[router.groupOf(`key-${i}`).id - 1]!;
      expect(slotOf(`key-${i}`)).toBeGreaterThanOrEqual(first);
      expect(slotOf(`key-${i}`)).toBeLessThanOrEqual(last);
    }
  });

  it('keep names with one tag together', () => {
    const router = new SlotRouter(groups(64));
    const home = router.groupOf('{user7}.cart').id;
    for (const name of ['{user7}', '{user7}.orders', 'x{user7}y']) expect(router.groupOf(name).id).toBe(home);
  });
});
