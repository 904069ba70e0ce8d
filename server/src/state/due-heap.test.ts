import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueHeap, type Scheduled } from './due-heap.ts';

test('the first is always the earliest, whatever is set, moved and removed', () => {
  const step = fc.record({
    item: fc.nat(15),
    due_ms: fc.oneof(fc.nat(50), fc.constant(Infinity)),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const heap = new DueHeap<Scheduled>();
      const items = Array.from({ length: 16 }, () => ({ heapIndex: -1, heapDue_ms: Infinity }));
      const model = new Map<Scheduled, number>();
      for (const { item, due_ms, remove } of steps) {
        const chosen = items[item]!;
        if (remove || due_ms === Infinity) model.delete(chosen);
        else model.set(chosen, due_ms);
        if (remove) heap.remove(chosen);
        else heap.set(chosen, due_ms);
        expect(heap.size).toBe(model.size);
        expect(heap.first?.heapDue_ms ?? Infinity).toBe(Math.min(...model.values()));
        expect(items.every((one) => one.heapIndex >= 0 === model.has(one))).toBe(true);
      }
    }),
  );
});
