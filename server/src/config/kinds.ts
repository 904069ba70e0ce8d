/**
 * The kinds of value a setting can have. A kind reads text (every source hands over text: a flag, a variable,
 * a scalar of the YAML file), says in words what it expects, and writes a value back in the form it reads.
 */
import { suggest } from './suggest.ts';

/** A refused text. `hint` is set when a near miss is worth naming. */
export interface Refused {
  readonly refused: true;
  readonly hint?: string;
}

export interface Kind<T> {
  /** Stands for the value in `--help`, such as `NUMBER` or `lmdb|memory`. */
  readonly placeholder: string;
  /** Completes "expected …": the range or the choices. */
  readonly expected: string;
  /** How to write it, told to whoever got it wrong. */
  readonly form?: string;
  /** What a value counts, when the field's own name does not say. */
  readonly measure: 'ms' | 'bytes' | undefined;
  parse(text: string): T | Refused;
  format(value: T): string;
}

/** A kind whose value is many texts: a repeated flag, a comma-separated variable, a YAML sequence. */
export interface ListKind<T> extends Kind<readonly T[]> {
  readonly item: Kind<T>;
}

const REFUSED: Refused = Object.freeze({ refused: true });

export function isRefused(value: unknown): value is Refused {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

export function isListKind(kind: Kind<unknown>): kind is ListKind<unknown> {
  return 'item' in kind;
}

export function integer(range: { min: number; max: number }): Kind<number> {
  return {
    placeholder: 'NUMBER',
    expected: `a whole number from ${range.min} to ${range.max}`,
    measure: undefined,
    parse(text) {
      if (!/^-?\d{1,15}$/.test(text)) return REFUSED;
      const value = Number(text);
      return value >= range.min && value <= range.max ? value : REFUSED;
    },
    format: String,
  };
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads `500ms`, `1.5s`, `1h30m`, `7d` or a bare `0` into whole milliseconds. */
function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d{1,12}(\.\d{1,6})?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * MS_PER_UNIT[unit!]!;
  }
  return Math.round(totalMs);
}

function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const unit = ['d', 'h', 'm', 's'].find((candidate) => durationMs % MS_PER_UNIT[candidate]! === 0) ?? 'ms';
  return `${durationMs / MS_PER_UNIT[unit]!}${unit}`;
}

/** A length of time, held as whole milliseconds. `zeroMeans` also admits 0 when it lies under `minMs`. */
export function duration(range: { minMs: number; maxMs: number; zeroMeans?: string }): Kind<number> {
  const zero = range.zeroMeans === undefined ? '' : `, or 0 for ${range.zeroMeans}`;
  return {
    placeholder: 'DURATION',
    expected: `a duration from ${formatDuration(range.minMs)} to ${formatDuration(range.maxMs)}${zero}`,
    form: 'with a unit (ms, s, m, h, d), such as 500ms or 1h30m',
    measure: 'ms',
    parse(text) {
      const value = parseDurationMs(text);
      if (value === undefined) return REFUSED;
      if (value === 0 && range.zeroMeans !== undefined) return 0;
      return value >= range.minMs && value <= range.maxMs ? value : REFUSED;
    },
    format: formatDuration,
  };
}

const BINARY_UNITS = ['TiB', 'GiB', 'MiB', 'KiB'] as const;
/** IEC units are powers of 1024, SI units powers of 1000. A bare `4M` is refused: systems disagree on it. */
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

function formatSize(bytes: number): string {
  if (bytes === 0) return '0';
  const index = BINARY_UNITS.findIndex((unit) => bytes % BYTES_PER_UNIT[unit.toLowerCase()]! === 0);
  const unit = BINARY_UNITS[index];
  return unit === undefined ? `${bytes}B` : `${bytes / BYTES_PER_UNIT[unit.toLowerCase()]!}${unit}`;
}

/** A number of bytes. `zeroMeans` also admits 0 when it lies under `min`. */
export function size(range: { min: number; max: number; zeroMeans?: string }): Kind<number> {
  const zero = range.zeroMeans === undefined ? '' : `, or 0 for ${range.zeroMeans}`;
  return {
    placeholder: 'SIZE',
    expected: `a size from ${formatSize(range.min)} to ${formatSize(range.max)}${zero}`,
    form: 'in bytes or with a unit, such as 64MiB or 64MB',
    measure: 'bytes',
    parse(text) {
      const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?i?b|)$/i.exec(text);
      const factor = match && BYTES_PER_UNIT[match[2]!.toLowerCase()];
      if (!match || !factor) return REFUSED;
      const value = Math.round(Number(match[1]) * factor);
      if (value === 0 && range.zeroMeans !== undefined) return 0;
      return value >= range.min && value <= range.max ? value : REFUSED;
    },
    format: formatSize,
  };
}

const BOOLEAN_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['off', false],
  ['0', false],
]);

export const boolean: Kind<boolean> = {
  placeholder: '',
  expected: 'true or false',
  measure: undefined,
  parse: (text) => BOOLEAN_WORDS.get(text.toLowerCase()) ?? REFUSED,
  format: String,
};

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    placeholder: choices.join('|'),
    expected: `one of ${choices.join(', ')}`,
    measure: undefined,
    parse(text) {
      const exact = choices.find((choice) => choice === text);
      if (exact !== undefined) return exact;
      const near = suggest(text, choices);
      return near === undefined ? REFUSED : { refused: true, hint: `did you mean ${near}?` };
    },
    format: String,
  };
}

export function text(shape: { placeholder: string; expected: string; pattern: RegExp }): Kind<string> {
  return {
    placeholder: shape.placeholder,
    expected: shape.expected,
    measure: undefined,
    parse: (value) => (shape.pattern.test(value) ? value : REFUSED),
    format: String,
  };
}

/** `host:port`, with an IPv6 host in brackets: `[::1]:9000`. */
export const address: Kind<string> = {
  placeholder: 'HOST:PORT',
  expected: 'host:port, such as 10.0.0.5:9000 or [::1]:9000',
  measure: undefined,
  parse(value) {
    const match = /^(?:\[[0-9a-fA-F:.%]+\]|[^\s:[\]/]+):(\d{1,5})$/.exec(value);
    const port = Number(match?.[1]);
    return port >= 1 && port <= 65_535 ? value : REFUSED;
  },
  format: String,
};

export function list<T>(item: Kind<T>, bounds: { maxItems: number }): ListKind<T> {
  return {
    item,
    placeholder: `${item.placeholder}[,${item.placeholder}…]`,
    expected: `up to ${bounds.maxItems} values separated by commas, each ${item.expected}`,
    measure: item.measure,
    parse(value) {
      const texts = value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
      if (texts.length > bounds.maxItems) return REFUSED;
      const values: T[] = [];
      for (const part of texts) {
        const parsed = item.parse(part);
        if (isRefused(parsed)) return parsed;
        values.push(parsed);
      }
      return Object.freeze(values);
    },
    format: (values) => values.map((value) => item.format(value)).join(','),
  };
}
