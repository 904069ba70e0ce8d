/**
 * Glob patterns over keys, as Redis has them, on characters (code points): `*` any run, `?` one, `[abc]` `[a-z]`
 * `[^a]` one of a set, `\` before a literal, also inside a set.
 *
 * Matching keeps one place to go back to, the latest `*`: an earlier one never needs to take more, because what the
 * later took could have been taken there too. So the work is at most the product of the lengths, whatever the
 * pattern; `steps` counts it, so that a walk over many keys can stop in time.
 */
import { utf8Key } from '../keys.ts';

/** A pattern that cannot be compiled; the message says why and where. */
export class GlobError extends Error {
  override readonly name = 'GlobError';
}

type Token = typeof ANY_RUN | typeof ANY_ONE | number | CharacterSet;

/** Literal characters are tokens by their code point. */
const ANY_RUN = -1;
const ANY_ONE = -2;

interface CharacterSet {
  readonly negated: boolean;
  /** Inclusive pairs: first, last, first, last … */
  readonly ranges: readonly number[];
}

export class Glob {
  /** The text that every match begins with. */
  readonly literal: string;
  /** The same as a binary string of UTF-8 bytes. */
  readonly prefix: string;
  /** What matches is the prefix alone: the pattern has no wildcard. */
  readonly isLiteral: boolean;
  /** Everything that begins with the prefix matches. */
  readonly isPrefix: boolean;
  /** Comparisons made so far. */
  steps = 0;
  readonly #tokens: readonly Token[];

  /** @throws GlobError */
  constructor(pattern: string) {
    this.#tokens = parse(pattern);
    const literals = this.#tokens.findIndex((token) => !isLiteral(token));
    const head = this.#tokens.slice(0, literals < 0 ? this.#tokens.length : literals).filter(isLiteral);
    this.literal = head.map((codePoint) => String.fromCodePoint(codePoint)).join('');
    this.prefix = utf8Key(this.literal);
    this.isLiteral = literals < 0;
    this.isPrefix = literals === this.#tokens.length - 1 && this.#tokens[literals] === ANY_RUN;
  }

  /** Whether the whole text matches. */
  matches(text: string): boolean {
    const tokens = this.#tokens;
    let at = 0;
    let token = 0;
    let runToken = -1;
    let runAt = 0;
    while (at < text.length) {
      this.steps++;
      const current = tokens[token];
      const codePoint = text.codePointAt(at) as number;
      if (current === ANY_RUN) {
        runToken = token++;
        runAt = at;
      } else if (current !== undefined && accepts(current, codePoint)) {
        token++;
        at += width(codePoint);
      } else if (runToken >= 0) {
        runAt += width(text.codePointAt(runAt) as number);
        at = runAt;
        token = runToken + 1;
      } else {
        return false;
      }
    }
    while (tokens[token] === ANY_RUN) token++;
    return token === tokens.length;
  }
}

function isLiteral(token: Token): token is number {
  return typeof token === 'number' && token >= 0;
}

/** UTF-16 units of a character. */
function width(codePoint: number): number {
  return codePoint > 0xffff ? 2 : 1;
}

function accepts(token: Token, codePoint: number): boolean {
  if (typeof token === 'number') return token === codePoint || token === ANY_ONE;
  const { ranges } = token;
  for (let i = 0; i < ranges.length; i += 2) {
    if (codePoint >= (ranges[i] as number) && codePoint <= (ranges[i + 1] as number)) return !token.negated;
  }
  return token.negated;
}

function parse(pattern: string): Token[] {
  const characters = Array.from(pattern, (character) => character.codePointAt(0) as number);
  const tokens: Token[] = [];
  let at = 0;
  while (at < characters.length) {
    const character = characters[at++] as number;
    if (character === STAR) {
      if (tokens.at(-1) !== ANY_RUN) tokens.push(ANY_RUN);
    } else if (character === QUESTION) {
      tokens.push(ANY_ONE);
    } else if (character === OPEN) {
      const set = parseSet(characters, at);
      tokens.push(set.token);
      at = set.end;
    } else if (character === BACKSLASH) {
      tokens.push(escaped(characters, at++));
    } else {
      tokens.push(character);
    }
  }
  return tokens;
}

/** Reads a set from behind its opening bracket. `-` is a literal first, last and behind a range; `^` only negates first. */
function parseSet(characters: readonly number[], from: number): { token: CharacterSet; end: number } {
  const negated = characters[from] === CARET;
  const ranges: number[] = [];
  let at = negated ? from + 1 : from;
  for (;;) {
    const character = characters[at++];
    if (character === undefined) throw new GlobError(`the [ at character ${from} is never closed`);
    if (character === CLOSE) return { token: { negated, ranges }, end: at };
    const first = character === BACKSLASH ? escaped(characters, at++) : character;
    let last = first;
    const bound = characters[at + 1];
    if (characters[at] === DASH && bound !== undefined && bound !== CLOSE) {
      at += 2;
      last = bound === BACKSLASH ? escaped(characters, at++) : bound;
      if (last < first) {
        const range = `${String.fromCodePoint(first)}-${String.fromCodePoint(last)}`;
        throw new GlobError(`the range ${range} is reversed`);
      }
    }
    ranges.push(first, last);
  }
}

function escaped(characters: readonly number[], at: number): number {
  const character = characters[at];
  if (character === undefined) throw new GlobError('the pattern ends in a backslash');
  return character;
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;
