import { describe, expect, test } from 'vitest';
import { readTree } from '../yaml/tree.ts';
import { type Datum, Fields, Moment, Span } from './datum.ts';
import { differences } from './match.ts';
import { Scope } from './scope.ts';

function compare(expected: string, actual: Datum, scope = new Scope()): readonly string[] {
  return differences(readTree('case.yaml', expected), actual, scope);
}

function fields(entries: Record<string, Datum>): Fields {
  return new Fields(new Map(Object.entries(entries)));
}

describe('plain values', () => {
  test.each<[string, Datum]>([
    ['v', 'v'],
    ["'5'", '5'],
    ['5', 5n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['!float 5', 5],
    ['true', true],
    ['null', null],
    ["!bytes 'ff 00'", new Uint8Array([255, 0])],
    ['!utf8 ü', new Uint8Array([0xc3, 0xbc])],
    ['!duration 1m30s', new Span(90_000)],
    ['!time 2026-01-01T00:00:00Z', new Moment(Date.UTC(2026, 0, 1))],
    ['!repeat [ab, 2]', 'abab'],
    [`!list [2, 'k\${i}']`, ['k0', 'k1']],
    ['[1, [2]]', [1n, [2n]]],
  ])('%s is what it says', (expected, actual) => {
    expect(compare(expected, actual)).toEqual([]);
  });

  test.each<[string, Datum]>([
    ['5', '5'],
    ['5', 5],
    ["'5'", 5n],
    ["''", null],
    ["!bytes ''", ''],
    ['true', 1n],
    ['!duration 1s', 1n],
    ['[1, 2]', [2n, 1n]],
    ['[1]', [1n, 2n]],
  ])('%s is no other', (expected, actual) => {
    expect(compare(expected, actual)).not.toEqual([]);
  });
});

test('a difference is told with its path', () => {
  const actual = fields({ node: fields({ roles: ['a', 'b'] }) });
  expect(compare('{node: {roles: [a, c]}}', actual)).toEqual(['node.roles[1]: expected "c", got "b"']);
});

test('fields that are not named are not looked at, unless all are to be', () => {
  const actual = fields({ a: 1n, b: 2n, c: null });
  expect(compare('{a: 1}', actual)).toEqual([]);
  expect(compare('{a: 1, d: 2}', actual)).toEqual([expect.stringContaining('d: missing')]);
  expect(compare('!exactly {a: 1, b: 2}', actual)).toEqual([]);
  expect(compare('!exactly {a: 1}', actual)).toHaveLength(1);
  expect(compare('{c: !absent , d: !absent }', actual)).toEqual([]);
  expect(compare('{a: !absent }', actual)).toHaveLength(1);
});

describe('matchers', () => {
  const list = [1n, 2n, 2n];
  test.each<[string, Datum]>([
    ['!above 4', 5n],
    ['!at_most 1s', new Span(1000)],
    ['!between [59m, 1h]', new Span(3_599_000)],
    ['!from_now [-1s, 1s]', new Moment(Date.now())],
    ['!matches ^a', 'abc'],
    ['!contains b', 'abc'],
    ['!contains [2, 1]', list],
    ['!unordered [2, 1, 2]', list],
    ['!count [2, 2]', list],
    ['!length 3', list],
    ['!numbers [1, 3]', [3n, 1n, 2n]],
    ['!distinct 2', ['a', 'b']],
    ['!ascending', [1n, 5n]],
    ['!each {n: !above 0}', [fields({ n: 1n }), fields({ n: 2n })]],
    ['!not 1', 2n],
    ['!one_of [1, null]', null],
    ['!present', ''],
    ['!kind number', 1.5],
  ])('%s holds', (expected, actual) => {
    expect(compare(expected, actual)).toEqual([]);
  });

  test.each<[string, Datum]>([
    ['!above 5', 5n],
    ['!above 1', new Span(5)],
    ['!between [59m, 1h]', new Span(1)],
    ['!contains [2, 2, 2]', list],
    ['!unordered [2, 1]', list],
    ['!unordered [1, 1, 2]', list],
    ['!count [1, 2]', list],
    ['!numbers [1, 3]', [1n, 2n, 2n]],
    ['!numbers [1, 3]', [1n, 2n, 3n, 3n]],
    ['!distinct', list],
    ['!ascending', [1n, 1n]],
    ['!each 2', list],
    ['!not 1', 1n],
    ['!present', null],
    ['!kind integer', 1.5],
  ])('%s does not hold', (expected, actual) => {
    expect(compare(expected, actual)).not.toEqual([]);
  });
});

test('variables stand for what they were bound to, also inside text and by path', () => {
  const scope = new Scope();
  scope.set('id', 'q#1');
  scope.set('list', [fields({ n: 7n })]);
  expect(compare(`'\${id}.1'`, 'q#1.1', scope)).toEqual([]);
  expect(compare(`'\${list.0.n}'`, 7n, scope)).toEqual([]);
  expect(() => compare(`'\${none}'`, '', scope)).toThrow('case.yaml:1: no variable is called none');
  expect(() => compare('!nonsense 1', 1n, scope)).toThrow('!nonsense is no value');
});
