import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Glob, GlobError } from './glob.ts';

function matches(pattern: string, text: string): boolean {
  return new Glob(pattern).matches(text);
}

describe('a glob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything/at all', true],
    ['user:*', 'user:1', true],
    ['user:*', 'user', false],
    ['*:name', 'user:1:name', true],
    ['*:name', 'user:1:names', false],
    ['a*b*c', 'a1b2bc', true],
    ['a*b*c', 'a1c2b', false],
    ['**a', 'ba', true],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['?', '🔑', true],
    ['??', '🔑', false],
    ['*🔑', 'ключ🔑', true],
    ['[аб]*', 'бета', true],
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hello', false],
    ['h[^e]llo', 'hallo', true],
    ['h[a-c]llo', 'hbllo', true],
    ['h[a-c]llo', 'hdllo', false],
    ['[🔐-🔒]', '🔑', true],
    ['[a-]', '-', true],
    ['[-a]', '-', true],
    ['[a^]', '^', true],
    ['[\\]]', ']', true],
    ['[\\a-\\c]', 'b', true],
    ['[]', 'a', false],
    ['[^]', 'a', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a]', 'a]', true],
    ['\\\\', '\\', true],
  ])('%j on %j: %j', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each(['[', '[abc', '[^', 'a\\', '[\\', '[a\\]', '[z-a]', '[b-\\a]', '[a-'])(
    '%j is malformed',
    (pattern) => {
      expect(() => new Glob(pattern)).toThrow(GlobError);
    },
  );

  it.each([
    ['user:*', 'user:', false, true],
    ['user:?*', 'user:', false, false],
    ['user', 'user', true, false],
    ['a\\*b', 'a*b', true, false],
    ['*', '', false, true],
    ['*a', '', false, false],
    ['[a]b', '', false, false],
    ['é*', 'Ã©', false, true],
  ])('%j has prefix %j', (pattern, prefix, isLiteral, isPrefix) => {
    const { prefix: actual, isLiteral: literal, isPrefix: plain } = new Glob(pattern);
    expect([actual, literal, plain]).toEqual([prefix, isLiteral, isPrefix]);
  });

  it('matches what the plain recursive definition matches', () => {
    const atom = fc.constantFrom('*', '?', 'a', 'b', '🔑', '[ab]', '[^a]', '[a-b]');
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '🔑'), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(atom, { maxLength: 7 }), text, (atoms, characters) => {
        expect(matches(atoms.join(''), characters.join(''))).toBe(definition(atoms, characters));
      }),
      { numRuns: 1000 },
    );
  });

  it('does work in proportion to pattern times text at most, on the pattern that ruins backtracking', () => {
    const glob = new Glob(`${'*a'.repeat(30)}b`);
    expect(glob.matches('a'.repeat(1000))).toBe(false);
    expect(glob.steps).toBeLessThan(62 * 1000);
  });
});

function definition([atom, ...rest]: string[], text: string[]): boolean {
  if (atom === undefined) return text.length === 0;
  if (atom === '*')
    return definition(rest, text) || (text.length > 0 && definition([atom, ...rest], text.slice(1)));
  const [first] = text;
  if (first === undefined) return false;
  const fits =
    atom === '?' ||
    atom === first ||
    ((atom === '[ab]' || atom === '[a-b]') && (first === 'a' || first === 'b')) ||
    (atom === '[^a]' && first !== 'a');
  return fits && definition(rest, text.slice(1));
}
