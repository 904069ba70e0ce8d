import { expect, test } from 'vitest';
import { parseCases } from '../load-cases.ts';
import { type RunMode, skipReason } from './skipped.ts';

const ONE: RunMode = { nodes: 1, killsLeader: false };
const THREE: RunMode = { nodes: 3, killsLeader: false };
const KILLED: RunMode = { nodes: 3, killsLeader: true };

test.each([
  ['timeout: 5s', [], []],
  ['nodes: 1', [THREE, KILLED], ['it is about a lone node', 'it is about a lone node']],
  ['nodes: 3', [ONE], ['it is about a cluster']],
  ['server: scripted', [THREE, KILLED], Array(2).fill('its server is scripted and has no nodes')],
  ['needs_leader: because', [KILLED], ['because']],
])('%s', (field, modes, reasons) => {
  const [testCase] = parseCases('x.yaml', `- case: a\n  shows: b\n  steps: []\n  ${field}`);
  expect(modes.map((mode) => skipReason(testCase!, mode))).toEqual(reasons);
  const others = [ONE, THREE, KILLED].filter((mode) => !modes.includes(mode));
  expect(others.map((mode) => skipReason(testCase!, mode))).toEqual(others.map(() => undefined));
});

test('a case that controls nodes is not disturbed besides', () => {
  const text =
    '- case: a\n  shows: b\n  server: own\n  steps:\n    - repeat: 2\n      steps:\n        - node: restart';
  const [testCase] = parseCases('x.yaml', text);
  expect(skipReason(testCase!, THREE)).toBeUndefined();
  expect(skipReason(testCase!, KILLED)).toBe('it controls the nodes itself');
});
