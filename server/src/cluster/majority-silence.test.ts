import { expect, test } from 'vitest';
import { majoritySilence_ms } from './majority-silence.ts';

/** What node 1 has heard of the others. */
const silence_ms = (node: number): number => [0, 0, 20, 300, 4_000, 5_000][node]!;

test('a majority was heard as lately as the voter that completes it', () => {
  expect(majoritySilence_ms([[1, 2, 3]], silence_ms)).toBe(20);
  expect(majoritySilence_ms([[1, 4, 5]], silence_ms)).toBe(4_000);
  expect(majoritySilence_ms([[5, 4, 3, 2, 1]], silence_ms)).toBe(300);
  // Half of an even number is none.
  expect(majoritySilence_ms([[1, 2, 4, 5]], silence_ms)).toBe(4_000);
});

test('a node without a vote counts for nothing', () => {
  expect(majoritySilence_ms([[2, 4, 5]], silence_ms)).toBe(4_000);
  expect(majoritySilence_ms([[2, 3, 4]], silence_ms)).toBe(300);
});

test('a sole voter is never cut off, and nobody is while no voters are known', () => {
  expect(majoritySilence_ms([[1], []], silence_ms)).toBe(0);
  expect(majoritySilence_ms([[]], silence_ms)).toBe(0);
});

test('while members change, both memberships need their majority', () => {
  const [before, after] = [
    [1, 2, 3],
    [1, 4, 5],
  ];
  expect(majoritySilence_ms([before!, after!], silence_ms)).toBe(4_000);
});
