/**
 * What callers give, checked and turned into fields of requests. A value that cannot be sent fails with
 * INVALID_REQUEST, which names the method and the parameter, before anything is sent.
 */
import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { ErrorReason, type GomsgError, gomsgError } from '../errors.ts';

/** A text, or bytes as they are. */
export type Text = string | Uint8Array;

/** A moment: a date, or milliseconds since 1970. */
export type Moment = Date | number;

/** Bounds of google.protobuf.Duration and Timestamp. */
const MAX_DURATION_S = 315_576_000_000;
const MIN_TIME_MS = -62_135_596_800_000;
const MAX_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const NANOS = 1_000_000_000;

export function invalid(method: string, parameter: string, problem: string): GomsgError {
  return gomsgError({
    reason: ErrorReason.INVALID_REQUEST,
    method,
    subject: parameter,
    message: `${parameter} ${problem}`,
  });
}

/** How a value that is of a wrong type is called in messages. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return `${typeof value} ${value}`;
  }
  if (typeof value === 'object') return `a ${value.constructor?.name ?? 'plain object'}`;
  return `a ${typeof value}`;
}

export function string(value: unknown, method: string, parameter: string): string {
  if (typeof value !== 'string')
    throw invalid(method, parameter, `must be a string, not ${described(value)}`);
  if (!value.isWellFormed())
    throw invalid(method, parameter, 'has half a surrogate pair, which UTF-8 cannot carry');
  return value;
}

export function text(value: unknown, method: string, parameter: string): Uint8Array {
  if (typeof value === 'string') return Buffer.from(string(value, method, parameter), 'utf8');
  if (value instanceof Uint8Array) return value;
  throw invalid(method, parameter, `must be a string or a Uint8Array, not ${described(value)}`);
}

export function bytes(value: unknown, method: string, parameter: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw invalid(method, parameter, `must be a Uint8Array, not ${described(value)}`);
}

export function bool(value: unknown, method: string, parameter: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(method, parameter, `must be true or false, not ${described(value)}`);
}

export function double(value: unknown, method: string, parameter: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalid(method, parameter, `must be a finite number, not ${described(value)}`);
}

const RANGES = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const satisfies Record<string, readonly [bigint, bigint]>;

type IntegerType = keyof typeof RANGES;

export function int32(value: unknown, method: string, parameter: string): number {
  return Number(integer('int32', value, method, parameter));
}

export function uint32(value: unknown, method: string, parameter: string): number {
  return Number(integer('uint32', value, method, parameter));
}

export function int64(value: unknown, method: string, parameter: string): bigint {
  return integer('int64', value, method, parameter);
}

export function uint64(value: unknown, method: string, parameter: string): bigint {
  return integer('uint64', value, method, parameter);
}

/** The negative of what the caller gave. */
export function negated(value: unknown, method: string, parameter: string): bigint {
  const negative = -integer('int64', value, method, parameter);
  if (negative > RANGES.int64[1]) throw invalid(method, parameter, `is out of range: ${value}`);
  return negative;
}

function integer(type: IntegerType, value: unknown, method: string, parameter: string): bigint {
  if (typeof value !== 'bigint' && !Number.isInteger(value)) {
    throw invalid(method, parameter, `must be an integer, not ${described(value)}`);
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw invalid(method, parameter, `is beyond the integers that a number holds exactly: give a bigint`);
  }
  const exact = BigInt(value as number | bigint);
  const [min, max] = RANGES[type];
  if (exact < min || exact > max)
    throw invalid(method, parameter, `must be from ${min} to ${max}, not ${exact}`);
  return exact;
}

/** Seconds. */
export function duration(value: unknown, method: string, parameter: string): Duration {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid(method, parameter, `must be a number of seconds, not ${described(value)}`);
  }
  if (Math.abs(value) > MAX_DURATION_S) {
    throw invalid(method, parameter, `is longer than ${MAX_DURATION_S} seconds: ${value}`);
  }
  let seconds = Math.trunc(value);
  let nanos = Math.round((value - seconds) * NANOS);
  if (Math.abs(nanos) === NANOS) {
    seconds += Math.sign(nanos);
    nanos = 0;
  }
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}

export function timestamp(value: unknown, method: string, parameter: string): Timestamp {
  const time_ms = value instanceof Date ? value.getTime() : value;
  if (typeof time_ms !== 'number' || !Number.isFinite(time_ms)) {
    const problem = `must be a valid Date or milliseconds since 1970, not ${described(value)}`;
    throw invalid(method, parameter, problem);
  }
  if (time_ms < MIN_TIME_MS || time_ms > MAX_TIME_MS) {
    throw invalid(method, parameter, `lies outside of the years 1 to 9999: ${time_ms} ms`);
  }
  const seconds = Math.floor(time_ms / 1000);
  const nanos = Math.round((time_ms - seconds * 1000) * 1_000_000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Math.min(nanos, NANOS - 1) });
}

/** One of some words, by the numbers of an enum. */
export function word<T extends number>(
  numbers: Readonly<Record<string, T>>,
  value: unknown,
  method: string,
  parameter: string,
): T {
  const number = typeof value === 'string' && Object.hasOwn(numbers, value) ? numbers[value] : undefined;
  if (number !== undefined) return number;
  const given = typeof value === 'string' ? JSON.stringify(value) : described(value);
  const words = Object.keys(numbers).join(', ');
  throw invalid(method, parameter, `must be one of ${words}, not ${given}`);
}

/** Turns one value, such as `string`. */
export type Convert<T> = (value: unknown, method: string, parameter: string) => T;

export function list<T>(convert: Convert<T>, value: unknown, method: string, parameter: string): T[] {
  if (!Array.isArray(value)) throw invalid(method, parameter, `must be an array, not ${described(value)}`);
  // Unlike `map` of the array, it does not pass over its holes.
  return Array.from(value, (element, index) => convert(element, method, `${parameter}[${index}]`));
}

/** An object or a Map, as pairs. */
export function entries<T>(
  convert: Convert<T>,
  value: unknown,
  method: string,
  parameter: string,
): [key: string, value: T][] {
  if (!(value instanceof Map) && !isPlainObject(value)) {
    throw invalid(method, parameter, `must be an object or a Map, not ${described(value)}`);
  }
  const pairs: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  return Array.from(pairs, ([key, element]) => {
    const name = string(key, method, `a key of ${parameter}`);
    return [name, convert(element, method, `${parameter}[${JSON.stringify(name)}]`)];
  });
}

export function map<T>(
  convert: Convert<T>,
  value: unknown,
  method: string,
  parameter: string,
): { [key: string]: T } {
  return Object.fromEntries(entries(convert, value, method, parameter));
}

/** An object with named fields and no others. */
export function fields(
  names: ReadonlySet<string>,
  value: unknown,
  method: string,
  parameter: string,
): Readonly<Record<string, unknown>> {
  if (!isPlainObject(value)) throw invalid(method, parameter, `must be an object, not ${described(value)}`);
  for (const name of Object.keys(value)) {
    if (names.has(name)) continue;
    throw invalid(method, parameter, `has no ${JSON.stringify(name)}; there is ${[...names].join(', ')}`);
  }
  return value;
}

/** Of options that exclude each other, more than one was given. */
export function exclusive(method: string, given: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(given).filter((name) => given[name] !== undefined && given[name] !== false);
  if (names.length > 1) throw invalid(method, names[1]!, `cannot be given together with ${names[0]}`);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Uint8Array || value instanceof Map || value instanceof Date);
}
