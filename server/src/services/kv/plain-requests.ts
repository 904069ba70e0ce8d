/**
 * Reads the plain forms of the hottest requests without a general decoder: a Set of key and value, a Get of a key, with
 * an ASCII key and nothing else. Anything more is left to the general decoder, and so is every malformed request, so
 * there is one place that says what is wrong with it. A test holds both decoders against each other.
 */
import type { KVServiceGetRequest, KVServiceSetRequest } from '../../gen/gomsg/v1/kv_pb.js';

const KEY = 0x0a;
const VALUE = 0x12;

/** Lengths of one or two bytes are plain; a longer field goes the general way. */
const LENGTH_MAX = 0x3fff;

/** Undefined: not of the plain form. The value is a view of the payload. */
export function readPlainSet(payload: Uint8Array): KVServiceSetRequest | undefined {
  const key = readKey(payload);
  if (key === undefined) return undefined;
  let at = behindKey(key);
  let length = 0;
  if (at < payload.length) {
    if (payload[at] !== VALUE) return undefined;
    length = lengthAt(payload, at + 1);
    at += length < 0x80 ? 2 : 3;
    if (at + length !== payload.length) return undefined;
  }
  return {
    $typeName: 'gomsg.v1.KVServiceSetRequest',
    key,
    value: payload.subarray(at, at + length),
    condition: NO_CONDITION,
    returnPrevious: false,
    keepTtl: false,
  };
}

/** Undefined: not of the plain form. */
export function readPlainGet(payload: Uint8Array): KVServiceGetRequest | undefined {
  const key = readKey(payload);
  if (key === undefined || behindKey(key) !== payload.length) return undefined;
  return { $typeName: 'gomsg.v1.KVServiceGetRequest', key, consistency: 0 };
}

const NO_CONDITION = Object.freeze({ case: undefined });

function readKey(payload: Uint8Array): string | undefined {
  if (payload[0] !== KEY) return undefined;
  const length = lengthAt(payload, 1);
  const from = length < 0x80 ? 2 : 3;
  const to = from + length;
  if (length === 0 || to > payload.length) return undefined;
  for (let at = from; at < to; at++) if (payload[at]! >= 0x80) return undefined;
  return Buffer.prototype.latin1Slice.call(payload, from, to);
}

/** Offset behind a key that was read: its tag, its length, its bytes. */
function behindKey(key: string): number {
  return key.length + (key.length < 0x80 ? 2 : 3);
}

/** A length of one or two bytes in its shortest form; beyond every payload when it is anything else. */
function lengthAt(payload: Uint8Array, at: number): number {
  const first = payload[at];
  if (first === undefined) return Number.POSITIVE_INFINITY;
  if (first < 0x80) return first;
  const second = payload[at + 1];
  if (second === undefined || second === 0 || second >= 0x80) return Number.POSITIVE_INFINITY;
  const length = (first & 0x7f) | (second << 7);
  return length <= LENGTH_MAX ? length : Number.POSITIVE_INFINITY;
}
