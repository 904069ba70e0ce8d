import { expect, test } from 'vitest';
import { LeaderTable } from './leader-table.ts';

test('the claim of the higher term holds, in whatever order claims come', () => {
  const table = new LeaderTable();
  table.claims(1, [{ group: 5, term: 3 }]);
  table.claims(2, [{ group: 5, term: 4 }]);
  expect(table.leaderOf(5)).toBe(2);
  table.claims(1, [{ group: 5, term: 3 }]);
  expect(table.leaderOf(5)).toBe(2);
});

test('a claim that is not repeated is taken back, and others of the node stay', () => {
  const table = new LeaderTable();
  table.claims(1, [
    { group: 5, term: 3 },
    { group: 6, term: 9 },
  ]);
  table.claims(1, [{ group: 6, term: 9 }]);
  expect(table.leaderOf(5)).toBeUndefined();
  expect(table.leaderOf(6)).toBe(1);
});

test('an old claim that is taken back does not unseat the newer leader', () => {
  const table = new LeaderTable();
  table.claims(1, [{ group: 5, term: 3 }]);
  table.claims(2, [{ group: 5, term: 4 }]);
  table.claims(1, []);
  expect(table.leaderOf(5)).toBe(2);
});

test('a node that is gone leads nothing', () => {
  const table = new LeaderTable();
  table.claims(1, [{ group: 5, term: 3 }]);
  table.forget(1);
  expect(table.leaderOf(5)).toBeUndefined();
});

test('whoever waits for a leader is called back at the end', () => {
  const table = new LeaderTable();
  const called: number[] = [];
  const stop = table.onChange(5, () => {
    called.push(5);
    stop();
  });
  table.onChange(6, () => called.push(6));
  table.end();
  expect(called).toEqual([5, 6]);
});

test('a later term without a leader makes an older claim void, an earlier one does not', () => {
  const table = new LeaderTable();
  table.claims(1, [{ group: 5, term: 3 }]);
  table.leaderless(5, 3, 2);
  expect(table.leaderOf(5)).toBe(1);
  table.leaderless(5, 4, 2);
  expect(table.leaderOf(5)).toBeUndefined();
});

test('a node that has lost its followers leads no longer, also in the same term', () => {
  const table = new LeaderTable();
  table.claim(5, { node: 1, term: 3 });
  table.leaderless(5, 3, 1);
  expect(table.leaderOf(5)).toBeUndefined();
});

test('listeners are told of another leader, once each, and not of the same one again', () => {
  const table = new LeaderTable();
  const seen: (number | undefined)[] = [];
  const stop = table.onChange(5, () => seen.push(table.leaderOf(5)));
  table.claims(1, [{ group: 5, term: 3 }]);
  table.claims(1, [{ group: 5, term: 4 }]);
  table.claims(1, []);
  table.claims(2, [{ group: 5, term: 5 }]);
  expect(seen).toEqual([1, undefined, 2]);
  stop();
  table.forget(2);
  expect(seen).toEqual([1, undefined, 2]);
});
