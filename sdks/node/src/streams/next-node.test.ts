import { expect, test } from 'vitest';
import { ErrorReason, GrpcCode, gomsgError } from '../errors.ts';
import { NextNode } from './next-node.ts';

const NODES = ['a:1', 'b:1', 'c:1'];

const lost = gomsgError({ code: GrpcCode.UNAVAILABLE, message: 'lost' });

function notLeader(hint?: string) {
  const leader = hint === undefined ? undefined : { nodeId: 'n', address: hint };
  return gomsgError({ reason: ErrorReason.NOT_LEADER, message: 'not the leader', leader });
}

/** Nodes that are tried when each fails so. */
function tried(next: NextNode, errors: readonly ReturnType<typeof gomsgError>[]): string[] {
  return errors.map((error) => {
    const address = next.of(NODES);
    next.failed(error);
    return address;
  });
}

test('nodes are gone round, the last one that failed is not the next', () => {
  expect(tried(new NextNode(), [lost, notLeader(), lost, lost, lost])).toEqual([
    'a:1',
    'b:1',
    'c:1',
    'a:1',
    'b:1',
  ]);
});

test('a node that failed comes behind the others though it is the best one', () => {
  const next = new NextNode();
  expect(next.of(['b:1', 'a:1'])).toBe('b:1');
  next.failed(lost);
  expect(next.of(['b:1', 'a:1'])).toBe('a:1');
  next.failed(lost);
  expect(next.of(['b:1', 'a:1'])).toBe('b:1');
});

test('a hint is followed, at first without a wait', () => {
  const next = new NextNode();
  tried(next, [notLeader('c:1')]);
  expect(next.isFirstHint).toBe(true);
  expect(next.of(NODES)).toBe('c:1');
});

test('a hint to a node that did not answer is not followed', () => {
  expect(tried(new NextNode(), [lost, notLeader('a:1'), lost])).toEqual(['a:1', 'b:1', 'c:1']);
});

test('hints that lead in circles are left', () => {
  const circle = Array.from({ length: 6 }, (_, i) => notLeader(NODES[(i + 1) % 2]!));
  expect(tried(new NextNode(), circle)).toContain('c:1');
});

test('once it is in place all nodes are as good as before', () => {
  const next = new NextNode();
  tried(next, [lost]);
  next.of(NODES);
  next.stands();
  expect(next.failures).toBe(0);
  expect(next.of(NODES)).toBe('a:1');
});
