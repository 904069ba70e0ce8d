/**
 * What a case expects of a value. Plain YAML must be equal, with two exceptions: fields that are not named are not
 * looked at, and tags say what a value must be like.
 */
import { CaseFileError, type ListTree, type MapTree, type Tree } from '../yaml/tree.ts';
import { type Datum, Fields, identity, isList, Moment, magnitude, Span, same, shown } from './datum.ts';
import { evaluate, number, pair, parseDuration, text } from './evaluate.ts';
import type { Scope } from './scope.ts';

/** How a value differs from what was expected, one line a place; empty = it does not. */
export type Differences = readonly string[];

const NONE: Differences = [];

/** Named fields and elements beside each other are compared one by one up to this many differences. */
const DIFFERENCES_MAX = 20;

/** @throws CaseFileError for an expectation that makes no sense */
export function differences(expected: Tree, actual: Datum, scope: Scope, path = ''): Differences {
  const matcher = MATCHERS[expected.tag];
  if (matcher !== undefined) return matcher(expected, actual, scope, path);
  if (expected.tag === '') {
    if (expected.kind === 'map') return ofFields(expected, actual, scope, path);
    if (expected.kind === 'list') return ofList(expected, actual, scope, path);
  }
  const value = evaluate(expected, scope);
  return same(value, actual) ? NONE : differ(path, shown(value), actual);
}

function differ(path: string, expected: string, actual: Datum): Differences {
  return [`${path === '' ? 'the value' : path}: expected ${expected}, got ${shown(actual)}`];
}

function ofFields(expected: MapTree, actual: Datum, scope: Scope, path: string): Differences {
  if (!(actual instanceof Fields)) return differ(path, 'fields', actual);
  const found: string[] = [];
  for (const [key, tree] of expected.entries) {
    const name = String(scope.fill(key, expected.place));
    const at = path === '' ? name : `${path}.${name}`;
    const value = actual.byName.get(name);
    if (tree.tag === 'absent') {
      if (value !== undefined && value !== null) found.push(...differ(at, 'nothing', value));
    } else if (value === undefined) found.push(`${at}: missing in ${shown(actual)}`);
    else found.push(...differences(tree, value, scope, at));
  }
  return found;
}

function ofList(expected: ListTree, actual: Datum, scope: Scope, path: string): Differences {
  if (!isList(actual)) return differ(path, 'a list', actual);
  const found: string[] = [];
  if (expected.items.length !== actual.length) {
    found.push(...differ(path, `${expected.items.length} elements`, actual));
  }
  const shorter = Math.min(expected.items.length, actual.length);
  for (let index = 0; index < shorter && found.length < DIFFERENCES_MAX; index += 1)
    found.push(...differences(expected.items[index]!, actual[index]!, scope, `${path}[${index}]`));
  return found;
}

type Matcher = (expected: Tree, actual: Datum, scope: Scope, path: string) => Differences;

function when(holds: boolean, path: string, expected: string, actual: Datum): Differences {
  return holds ? NONE : differ(path, expected, actual);
}

/** Compares by size what can be: integers, numbers, durations, times. */
function sized(name: string, holds: (actual: number, bound: number) => boolean): Matcher {
  return (expected, actual, scope, path) => {
    const bound = evaluate(barely(expected), scope);
    return when(compares(actual, bound, holds, expected), path, `${name} ${shown(bound)}`, actual);
  };
}

function compares(
  actual: Datum,
  bound: Datum,
  holds: (actual: number, bound: number) => boolean,
  { place }: Tree,
): boolean {
  const limit = magnitude(bound);
  if (limit === undefined) throw new CaseFileError(place, `${shown(bound)} has no size to compare with`);
  const size = magnitude(actual);
  return size !== undefined && size.kind === limit.kind && holds(Number(size.size), Number(limit.size));
}

/** The tree without its own tag. A text like `30s` then is the duration. */
function barely(tree: Tree): Tree {
  const isDuration =
    tree.kind === 'scalar' && typeof tree.value === 'string' && parseDuration(tree.value) !== undefined;
  return { ...tree, tag: isDuration ? 'duration' : '' } as Tree;
}

const MATCHERS: Readonly<Record<string, Matcher>> = {
  // Anything, also nothing.
  any: () => NONE,
  // Anything but nothing.
  present: (_, actual, __, path) => when(actual !== null, path, 'a value', actual),
  // A field that is not there, or is nothing.
  absent: (_, actual, __, path) => when(actual === null, path, 'nothing', actual),
  not: (expected, actual, scope, path) => {
    const inner = { ...expected, tag: '' } as Tree;
    const matches = differences(inner, actual, scope, path).length === 0;
    return when(!matches, path, `anything but ${shown(evaluate(inner, scope))}`, actual);
  },
  one_of: (expected, actual, scope, path) => {
    if (expected.kind !== 'list') throw new CaseFileError(expected.place, '!one_of takes a list');
    const matches = expected.items.some((item) => differences(item, actual, scope, path).length === 0);
    return when(matches, path, `one of ${expected.items.length} alternatives`, actual);
  },
  above: sized('more than', (actual, bound) => actual > bound),
  below: sized('less than', (actual, bound) => actual < bound),
  at_least: sized('at least', (actual, bound) => actual >= bound),
  at_most: sized('at most', (actual, bound) => actual <= bound),
  between: (expected, actual, scope, path) => {
    const [low, high] = pair(expected).map((tree) => evaluate(tree.tag === '' ? barely(tree) : tree, scope));
    const holds =
      compares(actual, low!, (a, b) => a >= b, expected) &&
      compares(actual, high!, (a, b) => a <= b, expected);
    return when(holds, path, `${shown(low!)} to ${shown(high!)}`, actual);
  },
  // A moment so far from now: `!from_now [50s, 60s]`, `!from_now [-5s, 1s]`.
  from_now: (expected, actual, scope, path) => {
    const [low, high] = pair(expected).map((tree) => parseDuration(text(tree, scope)));
    if (low === undefined || high === undefined)
      throw new CaseFileError(expected.place, '!from_now takes two durations');
    const away = actual instanceof Moment ? actual.ms - Date.now() : Number.NaN;
    return when(away >= low && away <= high, path, `a time ${low} to ${high} ms from now`, actual);
  },
  matches: (expected, actual, scope, path) => {
    const pattern = text(expected, scope);
    return when(
      typeof actual === 'string' && new RegExp(pattern).test(actual),
      path,
      `text like ${pattern}`,
      actual,
    );
  },
  // A text that holds another, or a list that has at least these elements, in any order.
  contains: (expected, actual, scope, path) => {
    if (expected.kind === 'list') return someOf(expected, actual, scope, path, false);
    const part = text(expected, scope);
    return when(typeof actual === 'string' && actual.includes(part), path, `text with ${part} in it`, actual);
  },
  // A list of these elements in any order.
  unordered: (expected, actual, scope, path) => {
    if (expected.kind === 'list') return someOf(expected, actual, scope, path, true);
    const value = evaluate({ ...expected, tag: '' } as Tree, scope);
    if (!isList(value)) throw new CaseFileError(expected.place, '!unordered takes a list');
    return sameElements(value, actual, path);
  },
  // A list with exactly so many elements like this: `!count [1, null]`.
  count: (expected, actual, scope, path) => {
    if (!isList(actual)) return differ(path, 'a list', actual);
    const [count, like] = pair(expected);
    const alike = actual.filter((item) => differences(like, item, scope).length === 0).length;
    return when(
      alike === number(count, scope),
      path,
      `${number(count, scope)} elements like the given (not ${alike})`,
      actual,
    );
  },
  // The numbers from one to another, in any order: `!numbers [1, 200]`.
  numbers: (expected, actual, scope, path) => {
    const [first, last] = pair(expected).map((tree) => number(tree, scope));
    const value = Array.from({ length: last! - first! + 1 }, (_, index) => BigInt(first! + index));
    return sameElements(value, actual, path);
  },
  // A list of so many elements, a text of so many characters, bytes of so many.
  length: (expected, actual, scope, path) => {
    const length = number(expected, scope);
    const actualLength =
      typeof actual === 'string' || actual instanceof Uint8Array || isList(actual)
        ? actual.length
        : undefined;
    return when(actualLength === length, path, `a length of ${length}`, actual);
  },
  // Elements that all differ.
  distinct: (expected, actual, scope, path) => {
    const keys = isList(actual) ? new Set(actual.map(identity)) : undefined;
    if (keys === undefined || keys.size !== (actual as readonly Datum[]).length)
      return differ(path, 'elements that all differ', actual);
    return expected.kind === 'scalar' && expected.value === null
      ? NONE
      : when(keys.size === number(expected, scope), path, `${number(expected, scope)} elements`, actual);
  },
  // Elements that rise.
  ascending: (_, actual, __, path) => {
    const rises =
      isList(actual) &&
      actual.every((item, index) => {
        if (index === 0) return true;
        const before = magnitude(actual[index - 1]!);
        const now = magnitude(item);
        return before !== undefined && now !== undefined && before.size < now.size;
      });
    return when(rises, path, 'elements that rise', actual);
  },
  // Every element like this.
  each: (expected, actual, scope, path) => {
    if (!isList(actual)) return differ(path, 'a list', actual);
    const inner = { ...expected, tag: '' } as Tree;
    return actual
      .flatMap((item, index) => differences(inner, item, scope, `${path}[${index}]`))
      .slice(0, DIFFERENCES_MAX);
  },
  // Fields and no others; those that are nothing may be left out.
  exactly: (expected, actual, scope, path) => {
    if (expected.kind !== 'map') throw new CaseFileError(expected.place, '!exactly takes fields');
    const found = [...ofFields({ ...expected, tag: '' }, actual, scope, path)];
    if (actual instanceof Fields) {
      for (const [name, value] of actual.byName)
        if (!expected.entries.has(name) && value !== null)
          found.push(`${path}.${name}: not expected, got ${shown(value)}`);
    }
    return found;
  },
  // A value of a kind: integer, number, text, bytes, bool, duration, time, list, fields.
  kind: (expected, actual, scope, path) => {
    const kind = text(expected, scope);
    return when(kindOf(actual) === kind, path, `a value of kind ${kind}`, actual);
  },
};

export const MATCHER_TAGS: readonly string[] = Object.keys(MATCHERS);

function kindOf(datum: Datum): string {
  if (datum === null) return 'null';
  if (typeof datum === 'bigint') return 'integer';
  if (typeof datum === 'boolean') return 'bool';
  if (typeof datum === 'string') return 'text';
  if (typeof datum === 'number') return 'number';
  if (datum instanceof Uint8Array) return 'bytes';
  if (datum instanceof Span) return 'duration';
  if (datum instanceof Moment) return 'time';
  return datum instanceof Fields ? 'fields' : 'list';
}

/** Pairs each expected element with an actual one of its own. */
function someOf(expected: ListTree, actual: Datum, scope: Scope, path: string, all: boolean): Differences {
  if (!isList(actual)) return differ(path, 'a list', actual);
  const left = [...actual];
  const found: string[] = [];
  for (const item of expected.items) {
    const index = left.findIndex((datum) => differences(item, datum, scope, path).length === 0);
    if (index === -1)
      found.push(
        `${path || 'the value'}: no element like the one at line ${item.place.line} in ${shown(actual)}`,
      );
    else left.splice(index, 1);
  }
  if (all && left.length > 0 && found.length === 0)
    found.push(`${path || 'the value'}: not expected: ${shown(left)}`);
  return found;
}

/** Many values in any order, compared by identity: linear, for thousands of them. */
function sameElements(expected: readonly Datum[], actual: Datum, path: string): Differences {
  if (!isList(actual)) return differ(path, 'a list', actual);
  const counts = new Map<string, number>();
  for (const item of expected) counts.set(identity(item), (counts.get(identity(item)) ?? 0) + 1);
  const extra: string[] = [];
  for (const item of actual) {
    const key = identity(item);
    const left = counts.get(key) ?? 0;
    if (left === 0) extra.push(key);
    else counts.set(key, left - 1);
  }
  const missing = [...counts].flatMap(([key, count]) => (count > 0 ? [key] : []));
  const at = path === '' ? 'the value' : path;
  return [
    ...(missing.length > 0
      ? [`${at}: missing ${missing.length}: ${missing.slice(0, DIFFERENCES_MAX).join(', ')}`]
      : []),
    ...(extra.length > 0
      ? [`${at}: too many ${extra.length}: ${extra.slice(0, DIFFERENCES_MAX).join(', ')}`]
      : []),
  ];
}
