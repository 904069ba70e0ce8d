/** The kinds of value that arguments and options take: how each is read from text. */
import { isUtf8 } from 'node:buffer';
import { UsageError } from '../errors.ts';

export interface ValueKind<T> {
  /** Stands for the value in help: `<duration>`. */
  readonly placeholder: string;
  /** The only texts that are taken, for completion. */
  readonly choices?: readonly string[];
  /** @throws UsageError that says what was expected */
  parse(text: string): T;
}

export function text(placeholder = 'text'): ValueKind<string> {
  return { placeholder, parse: (value) => value };
}

/** A whole number that fits a JavaScript number, in a range. */
export function integer(range: { min: number; max: number; placeholder?: string }): ValueKind<number> {
  return {
    placeholder: range.placeholder ?? 'number',
    parse(value) {
      const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= range.min && number <= range.max) return number;
      throw expected(value, `a whole number from ${range.min} to ${range.max}`);
    },
  };
}

const UINT32_MAX = 2 ** 32 - 1;
const UINT64_MAX = 2n ** 64n - 1n;
const SINT64_MIN = -(2n ** 63n);
const SINT64_MAX = 2n ** 63n - 1n;

export const uint32: ValueKind<number> = integer({ min: 0, max: UINT32_MAX });
export const count: ValueKind<number> = integer({ min: 1, max: UINT32_MAX });

export const uint64: ValueKind<bigint> = bigInteger(0n, UINT64_MAX);
export const sint64: ValueKind<bigint> = bigInteger(SINT64_MIN, SINT64_MAX);

function bigInteger(min: bigint, max: bigint): ValueKind<bigint> {
  return {
    placeholder: 'number',
    parse(value) {
      const number = /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
      if (number !== undefined && number >= min && number <= max) return number;
      throw expected(value, `a whole number from ${min} to ${max}`);
    },
  };
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds, from `500ms`, `30s`, `1h30m`, `7d`; a bare number counts seconds, as in the SDKs. */
export const duration: ValueKind<number> = {
  placeholder: 'duration',
  parse(value) {
    if (/^\d{1,12}(\.\d{1,6})?$/.test(value)) return Math.round(Number(value) * 1_000);
    if (!/^(\d{1,12}(\.\d{1,6})?(ms|s|m|h|d))+$/.test(value)) {
      throw expected(value, 'a duration such as 500ms, 30s, 2h or 1h30m');
    }
    let total_ms = 0;
    for (const [, amount, unit] of value.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
      total_ms += Number(amount) * MS_PER_UNIT[unit!]!;
    }
    return Math.round(total_ms);
  },
};

/** IEC units are powers of 1024, SI units powers of 1000; a bare `4M` is refused, since systems disagree on it. */
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes, from `4096`, `64KiB` or `1.5GB`. */
export const size: ValueKind<number> = {
  placeholder: 'size',
  parse(value) {
    const match = /^(\d{1,15}(?:\.\d{1,6})?)([kmgt]?i?b|)$/i.exec(value);
    const factor = match && BYTES_PER_UNIT[match[2]!.toLowerCase()];
    if (!match || !factor) throw expected(value, 'bytes, or a size such as 64KiB or 1.5GB');
    return Math.round(Number(match[1]) * factor);
  },
};

/** One of a few words, each standing for a value. */
export function choice<const W extends string, T>(words: Readonly<Record<W, T>>): ValueKind<T> {
  const choices = Object.keys(words) as W[];
  return {
    placeholder: choices.join('|'),
    choices,
    parse(value) {
      const word = choices.find((candidate) => candidate === value);
      if (word !== undefined) return words[word];
      throw expected(value, `one of ${choices.join(', ')}`);
    },
  };
}

/** `name=value`. */
export const pair: ValueKind<readonly [string, string]> = {
  placeholder: 'name=value',
  parse(value) {
    const at = value.indexOf('=');
    if (at < 1) throw expected(value, 'name=value');
    return [value.slice(0, at), value.slice(at + 1)];
  },
};

/** Bytes that another command printed in base64, such as a cursor. */
export const base64: ValueKind<Uint8Array> = {
  placeholder: 'base64',
  parse(value) {
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length % 4 === 0) return Buffer.from(value, 'base64');
    throw expected(value, 'base64, as --output json shows it');
  },
};

/** `host:port`; the port may be left out. */
export function address(defaultPort: number): ValueKind<string> {
  return {
    placeholder: 'host:port',
    parse(value) {
      const match = /^(\[[0-9a-fA-F:.%]+\]|[^\s:[\]/]+)(?::(\d{1,5}))?$/.exec(value);
      const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
      if (match && port >= 1 && port <= 65_535) return `${match[1]}:${port}`;
      throw expected(value, 'host:port, such as localhost:9000 or [::1]:9000');
    },
  };
}

/** Several of a kind, separated by commas. */
export function listOf<T>(kind: ValueKind<T>): ValueKind<readonly T[]> {
  return {
    placeholder: `${kind.placeholder},…`,
    parse: (value) => value.split(',').map((item) => kind.parse(item.trim())),
  };
}

/** A moment: `2026-01-31T12:00:00Z`, or how long ago, such as `1h` or `-1h`. */
export const moment: ValueKind<Date> = {
  placeholder: 'time',
  parse(value) {
    const parsed = parseMoment(value, Date.now());
    if (parsed === undefined)
      throw expected(value, 'a time such as 2026-01-31T12:00:00Z, or how long ago: 1h');
    return parsed;
  },
};

/** Undefined when the text is no moment. */
export function parseMoment(value: string, now_ms: number): Date | undefined {
  const ago = /^-?(\d.*(?:ms|s|m|h|d))$/.exec(value);
  if (ago) {
    try {
      return new Date(now_ms - duration.parse(ago[1]!));
    } catch {
      return undefined;
    }
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function expected(value: string, what: string): UsageError {
  const shown = isUtf8(Buffer.from(value)) && value.length <= 80 ? JSON.stringify(value) : 'that';
  return new UsageError(`expected ${what}, not ${shown}`);
}
