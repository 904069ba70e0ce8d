/** What servers answer, turned into what callers get. */
import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { ErrorReason, GrpcCode, gomsgError } from '../errors.ts';
import type { Settling } from '../messages/settling.ts';

/** Where a value came from: the method, for errors, and how messages that it brought are settled. */
export interface Origin {
  readonly method: string;
  readonly settling: Settling;
}

/** Turns a message of a response into what the caller gets. */
export type Read<M, T> = (message: M, origin: Origin) => T;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws NOT_TEXT for bytes that are not UTF-8 */
export function textOf(bytes: Uint8Array, origin: Origin, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw gomsgError({
      reason: ErrorReason.NOT_TEXT,
      method: origin.method,
      subject: what,
      message: `${what} is not UTF-8`,
      cause,
    });
  }
}

/** Bytes to keep: a copy when they are a small part of the answer that they came in, which they would keep in memory. */
export function bytesOf(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;
}

/** @throws UNSAFE_INTEGER beyond what a number holds exactly */
export function numberOf(integer: bigint, origin: Origin, what: string): number {
  const number = Number(integer);
  if (Number.isSafeInteger(number)) return number;
  throw gomsgError({
    reason: ErrorReason.UNSAFE_INTEGER,
    method: origin.method,
    subject: what,
    message: `${what} is ${integer}, more than a number holds exactly`,
  });
}

/** What every answer has. @throws an error of the code INTERNAL where it is missing */
export function present<T>(value: T | undefined, origin: Origin, what: string): T {
  if (value !== undefined) return value;
  throw gomsgError({
    code: GrpcCode.INTERNAL,
    method: origin.method,
    message: `the response has no ${what}; the server may be of another version`,
  });
}

/** Seconds. */
export function secondsOf({ seconds, nanos }: Duration): number {
  return Number(seconds) + nanos / 1_000_000_000;
}

export function dateOf({ seconds, nanos }: Timestamp): Date {
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1_000_000));
}

/** The word of an enum's number; a number that this version does not know reads as `unspecified`. */
export function wordOf<W extends string>(words: ReadonlyMap<number, W>, number: number): W | 'unspecified' {
  return words.get(number) ?? 'unspecified';
}

export function mapOf<V, T>(values: { readonly [key: string]: V }, read: (value: V) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, read(value)]));
}
