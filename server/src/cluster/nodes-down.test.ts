import { expect, test } from 'vitest';
import { NodesDown } from './nodes-down.ts';

test('every fall of a node is told once, and a node that never was up does not fall', () => {
  const alive = new Set([1, 2]);
  const down = new NodesDown((node) => alive.has(node));
  let told = 0;
  const stop = down.onDown(() => told++);
  down.look([1, 2, 3]);
  expect(told).toBe(0);
  alive.delete(2);
  down.look([1, 2, 3]);
  down.look([1, 2, 3]);
  expect(told).toBe(1);
  alive.add(2);
  down.look([1, 2, 3]);
  alive.delete(2);
  down.look([1, 2, 3]);
  expect(told).toBe(2);
  stop();
  alive.delete(1);
  down.look([1, 2, 3]);
  expect(told).toBe(2);
});

test('a node that leaves the cluster is not down', () => {
  const down = new NodesDown(() => true);
  let told = 0;
  down.onDown(() => told++);
  down.look([1, 2]);
  down.look([1]);
  expect(told).toBe(0);
});
