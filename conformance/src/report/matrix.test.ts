import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CONFORMANCE } from '../sdks.ts';
import { withMatrix } from './matrix.ts';

const PAGE = readFileSync(join(CONFORMANCE, 'README.md'), 'utf8');

const ONE = { nodes: 1, killsLeader: false } as const;
const THREE = { nodes: 3, killsLeader: false } as const;
const KILLED = { nodes: 3, killsLeader: true } as const;

test('each way to run has a table of its own on the page', () => {
  const written = withMatrix(
    withMatrix(withMatrix(PAGE, ONE, 'table A'), THREE, 'table B'),
    KILLED,
    'table C',
  );
  expect(written.match(/table [ABC]/g)).toEqual(['table A', 'table B', 'table C']);
  expect(withMatrix(written, THREE, 'table D').match(/table [A-D]/g)).toEqual([
    'table A',
    'table D',
    'table C',
  ]);
});

test('a page without the marks is refused', () => {
  expect(() => withMatrix('# A page', ONE, 'table')).toThrow('the page has no <!-- matrix');
});
