/** Trees of cases as values: plain YAML, `${variables}`, and tags for what YAML cannot say. */
import { CaseFileError, type ListTree, type Tree } from '../yaml/tree.ts';
import { type Datum, Fields, Moment, magnitude, Span, shown } from './datum.ts';
import type { Scope } from './scope.ts';

const UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `1h30m`, `250ms`, `-5s`. undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(-?)((?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+)$/.exec(text);
  if (!match) return undefined;
  let ms = 0;
  for (const [, count, unit] of match[2]!.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g))
    ms += Number(count) * UNITS_MS[unit!]!;
  return match[1] === '-' ? -ms : ms;
}

/** Bytes that look random and are the same in every run (xorshift32). */
export function generatedBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** @throws CaseFileError for a tag or a variable that is not known */
export function evaluate(tree: Tree, scope: Scope): Datum {
  if (tree.tag !== '') return tagged(tree, scope);
  switch (tree.kind) {
    case 'scalar':
      return typeof tree.value === 'string' ? scope.fill(tree.value, tree.place) : tree.value;
    case 'list':
      return tree.items.map((item) => evaluate(item, scope));
    case 'map':
      return new Fields(
        new Map(
          [...tree.entries].map(([name, value]) => [
            String(scope.fill(name, tree.place)),
            evaluate(value, scope),
          ]),
        ),
      );
  }
}

function tagged(tree: Tree, scope: Scope): Datum {
  switch (tree.tag) {
    // `!bytes 'ff 00'`: bytes in hexadecimal.
    case 'bytes':
      return hexBytes(text(tree, scope), tree);
    // `!utf8 text`: the bytes of a text.
    case 'utf8':
      return Buffer.from(text(tree, scope));
    // `!generated 4096`, `!generated [4096, 7]`: so many bytes, of a seed.
    case 'generated': {
      const [length, seed] = tree.kind === 'list' ? numbers(tree, scope) : [number(tree, scope), 1];
      return generatedBytes(length!, seed ?? 1);
    }
    // `!repeat ['ab', 3]`: a text many times over.
    case 'repeat': {
      const [part, times] = pair(tree);
      return text(part, scope).repeat(number(times, scope));
    }
    // `!duration 250ms`.
    case 'duration': {
      const given = text(tree, scope);
      const ms = parseDuration(given);
      if (ms === undefined)
        throw new CaseFileError(tree.place, `${given} is no duration such as 1h30m or 250ms`);
      return new Span(ms);
    }
    // `!time 2026-01-01T00:00:00Z`, `!time -1h` (from now), `!time [${moment}, 1ms]` (from a moment).
    case 'time':
      return moment(tree, scope);
    // `!float 5`: a number that is not an integer by its kind; also `nan`, `infinity`.
    case 'float': {
      const given = text(tree, scope).toLowerCase();
      return given === 'infinity' ? Number.POSITIVE_INFINITY : Number(given);
    }
    // `!list [3, 'k${i}']`: as many elements, each with its number as `i`.
    case 'list': {
      const [count, element] = pair(tree);
      return Array.from({ length: number(count, scope) }, (_, index) =>
        evaluate(element, numbered(scope, index)),
      );
    }
    // `!fields [3, 'k${i}', 'v${i}']`: the same as named values.
    case 'fields': {
      const [count, name, value] = tree.kind === 'list' ? tree.items : [];
      if (!count || !name || !value)
        throw new CaseFileError(tree.place, '!fields takes a count, a name and a value');
      const indexes = Array.from({ length: number(count, scope) }, (_, index) => numbered(scope, index));
      return new Fields(new Map(indexes.map((inner) => [text(name, inner), evaluate(value, inner)])));
    }
    // `!sum [${n}, 1]`: of integers.
    case 'sum':
      return integers(tree, scope).reduce((a, b) => a + b, 0n);
    // `!size ${list}`: how many elements.
    case 'size': {
      const list = evaluate({ ...tree, tag: '' }, scope);
      if (!Array.isArray(list)) throw new CaseFileError(tree.place, `!size takes a list, not ${shown(list)}`);
      return BigInt(list.length);
    }
    default:
      throw new CaseFileError(tree.place, `!${tree.tag} is no value`);
  }
}

function numbered(scope: Scope, index: number): Scope {
  const inner = scope.inner();
  inner.setLocal('i', BigInt(index));
  return inner;
}

function moment(tree: Tree, scope: Scope): Moment {
  if (tree.kind === 'list') {
    const [from, by] = pair(tree);
    const start = magnitude(evaluate(from, scope));
    const ms = parseDuration(text(by, scope));
    if (start?.kind !== 'time' || ms === undefined)
      throw new CaseFileError(tree.place, '!time takes a moment and a duration');
    return new Moment(Number(start.size) + ms);
  }
  const given = text(tree, scope);
  const fromNow = parseDuration(given);
  const ms = fromNow === undefined ? Date.parse(given) : Date.now() + fromNow;
  if (Number.isNaN(ms)) throw new CaseFileError(tree.place, `${given} is neither a time nor a duration`);
  return new Moment(ms);
}

function hexBytes(given: string, { place }: Tree): Uint8Array {
  const hex = given.replaceAll(' ', '');
  if (!/^([0-9a-f]{2})*$/i.test(hex))
    throw new CaseFileError(place, `${given} is no run of hexadecimal bytes`);
  return Buffer.from(hex, 'hex');
}

/** A scalar as text, its tag aside. */
export function text(tree: Tree, scope: Scope): string {
  if (tree.kind !== 'scalar') throw new CaseFileError(tree.place, 'a text is expected here');
  const value = typeof tree.value === 'string' ? scope.fill(tree.value, tree.place) : (tree.value ?? '');
  if (typeof value === 'object')
    throw new CaseFileError(tree.place, `a text is expected, not ${shown(value)}`);
  return String(value);
}

/** A scalar as a number, its tag aside. */
export function number(tree: Tree, scope: Scope): number {
  const value = evaluate({ ...tree, tag: '' }, scope);
  if (typeof value !== 'bigint' && typeof value !== 'number')
    throw new CaseFileError(tree.place, `a number is expected, not ${shown(value)}`);
  return Number(value);
}

function numbers(tree: ListTree, scope: Scope): number[] {
  return tree.items.map((item) => number(item, scope));
}

function integers(tree: Tree, scope: Scope): bigint[] {
  if (tree.kind !== 'list') throw new CaseFileError(tree.place, 'a list of integers is expected');
  return tree.items.map((item) => {
    const value = evaluate(item, scope);
    if (typeof value !== 'bigint') throw new CaseFileError(item.place, `${shown(value)} is no integer`);
    return value;
  });
}

/** A list of two. */
export function pair(tree: Tree): readonly [Tree, Tree] {
  if (tree.kind !== 'list' || tree.items.length !== 2)
    throw new CaseFileError(tree.place, `!${tree.tag} takes a list of two`);
  return [tree.items[0]!, tree.items[1]!];
}
