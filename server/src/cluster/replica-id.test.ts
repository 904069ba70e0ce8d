import { describe, expect, test } from 'vitest';
import { INCARNATION_MAX, incarnationOf, NODE_NUMBER_MAX, nodeOf, replicaId } from './replica-id.ts';

describe('replica ids', () => {
  test('the first replica on a node has the id of the node', () => {
    expect(replicaId(1, 0)).toBe(1);
    expect(replicaId(NODE_NUMBER_MAX, 0)).toBe(NODE_NUMBER_MAX);
  });

  test.each([
    [1, 0],
    [1, 1],
    [NODE_NUMBER_MAX, 3],
    [NODE_NUMBER_MAX, INCARNATION_MAX],
  ])('node %i and incarnation %i can be read back', (node, incarnation) => {
    const id = replicaId(node, incarnation);
    expect(Number.isSafeInteger(id)).toBe(true);
    expect(nodeOf(id)).toBe(node);
    expect(incarnationOf(id)).toBe(incarnation);
  });

  test('a later incarnation on the same node has a higher id', () => {
    expect(replicaId(7, 2)).toBeGreaterThan(replicaId(7, 1));
  });

  test.each([
    [0, 0],
    [NODE_NUMBER_MAX + 1, 0],
    [1.5, 0],
    [1, -1],
    [1, INCARNATION_MAX + 1],
  ])('node %d with incarnation %d is refused', (node, incarnation) => {
    expect(() => replicaId(node, incarnation)).toThrow(RangeError);
  });
});
