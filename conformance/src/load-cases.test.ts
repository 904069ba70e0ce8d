import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Method, uncovered, unknownMethods } from './coverage.ts';
import { loadCases, parseCases, selectCases } from './load-cases.ts';
import { CONFORMANCE } from './sdks.ts';

const CASES = loadCases(join(CONFORMANCE, 'cases'));
const METHODS = JSON.parse(readFileSync(join(CONFORMANCE, 'methods.json'), 'utf8')) as Method[];

function withSteps(steps: string): string {
  return `- case: a\n  shows: b\n  steps:\n${steps}`;
}

test.each([
  ['- case: a\n  shows: b\n  stepps: []', 'x.yaml:1: a case needs steps'],
  ['- case: a\n  shows: b\n  sdk: go\n  steps: []', 'x.yaml:3: a case has no field sdk'],
  ['- case: a\n  shows: b\n  sdks: [perl]\n  steps: []', 'no SDK is called perl'],
  ['- case: A b\n  shows: b\n  steps: []', 'the name of a case has a-z'],
  [withSteps('    - sleep: 5s'), 'x.yaml:4: a step is one of connect'],
  [withSteps('    - call: kv.get\n      argz: [k]'), 'x.yaml:5: a step has no field argz'],
  [withSteps('    - call: kv.get\n      error: NO_SUCH'), 'x.yaml:5: the catalogue has no reason NO_SUCH'],
  [withSteps('    - network: explode'), 'network is one of cut'],
  [withSteps('    - node: kill\n      which: nobody'), 'which is one of all'],
  [withSteps('    - leader_kill: there'), 'leader_kill is one of here'],
  ['- case: a\n  shows: b\n  nodes: 2\n  steps: []', 'nodes is one of 1, 3'],
  [withSteps('    - elapsed: t\n      at_least: soon'), 'at_least is a duration'],
  ['- case: a\n  shows: b\n  steps: []\n- case: a\n  shows: b\n  steps: []', 'two cases are called x/a'],
])('what is not known is refused with its place: %j', (text, complaint) => {
  expect(() => parseCases('x.yaml', text)).toThrow(complaint);
});

test('cases are chosen by globs on their ids', () => {
  const ids = selectCases(CASES, ['queue/ordering/*']).map(({ id }) => id);
  expect(ids).toContain('queue/ordering/priorities');
  expect(ids.every((id) => id.startsWith('queue/ordering/'))).toBe(true);
  expect(selectCases(CASES, ['kv/**']).length).toBeGreaterThan(40);
});

test('every method of every SDK and every error reason is in a case', () => {
  expect(unknownMethods(CASES, METHODS)).toEqual([]);
  expect(uncovered(CASES, METHODS)).toEqual([]);
});

test('a method or reason without a case is named', () => {
  const without = CASES.filter(({ id }) => !id.startsWith('kv/') && !id.startsWith('client/errors/'));
  const missing = uncovered(without, METHODS);
  expect(missing).toContain('no case for go calls kv.get_del');
  expect(missing).toContain('no case expects NOT_AN_INTEGER');
});
