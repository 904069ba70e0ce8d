/** Bytes that a hostile or broken client might send, from a seed: the same seed gives the same bytes. */
import { HTTP2_PREFACE } from '../first-bytes.ts';

/** A small generator of pseudo-random numbers (mulberry32): replaying a failure needs only its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 up to, not including, the limit. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

const DATA = 0;
const HEADERS = 1;
const PUSH_PROMISE = 5;
const CONTINUATION = 9;
const FRAME_TYPES = [DATA, HEADERS, 2, 3, 4, PUSH_PROMISE, 6, 7, 8, CONTINUATION, 0xfa];
const END_STREAM = 1;
const END_HEADERS = 4;

/** An HTTP/2 frame; the length it declares may be another than its own. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer,
  declared = payload.length,
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(declared & 0xffffff, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([header, payload]);
}

/** A header field of HPACK: literal, without index, not Huffman-coded (RFC 7541, section 6.2.2). */
function field(name: string, value: string): Buffer {
  const text = (s: string) => Buffer.concat([Buffer.from([s.length]), Buffer.from(s, 'latin1')]);
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function requestHeaders(path: string, contentType: string): Buffer {
  return Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', path),
    field(':authority', 'x'),
    field('content-type', contentType),
    field('te', 'trailers'),
  ]);
}

/** A message in gRPC's framing, which may lie about its length or be flagged as compressed. */
function grpcMessage(random: Random, message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header[0] = random.pick([0, 0, 0, 1, 2, 255]);
  header.writeUInt32BE(
    random.pick([message.length, message.length, message.length + 1, 0, 2 ** 24, 2 ** 32 - 1]),
    1,
  );
  return Buffer.concat([header, message]);
}

/** A connection of HTTP/2 with one call, well-formed as far as the framing of HTTP/2 goes. */
function http2Call(random: Random, path: string): Buffer {
  const type = random.pick([
    'application/grpc',
    'application/grpc+proto',
    'application/grpc-web',
    'application/json',
    '',
  ]);
  const message = random.bytes(random.below(64));
  return Buffer.concat([
    HTTP2_PREFACE,
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS, 1, requestHeaders(path, type)),
    frame(DATA, random.pick([0, END_STREAM]), 1, grpcMessage(random, message)),
  ]);
}

function http1Call(random: Random, path: string): Buffer {
  const body = random.pick(['{"key":"a"}', '{', '\0', '[[[[', '{"key":"\\ud800"}']);
  const type = random.pick([
    'application/json',
    'application/proto',
    'application/connect+json',
    'application/grpc-web',
  ]);
  const length = random.pick([body.length, body.length, 0, 5, 2 ** 31, -1]);
  return Buffer.from(
    `POST ${path} HTTP/1.${random.below(3)}\r\nhost: ${random.pick(['x', '', '[', 'a b'])}\r\n` +
      `content-type: ${type}\r\n${random.pick([`content-length: ${length}`, 'transfer-encoding: chunked'])}\r\n` +
      `connect-timeout-ms: ${random.pick(['100', '-1', 'x', '99999999999'])}\r\n\r\n${body}`,
    'latin1',
  );
}

/** Frames of every kind on any stream, with lengths that need not be true. */
function frames(random: Random): Buffer {
  const all = [HTTP2_PREFACE, frame(4, 0, 0, Buffer.alloc(0))];
  for (let count = random.below(20); count > 0; count -= 1) {
    const payload = random.bytes(random.below(40));
    const declared = random.pick([payload.length, payload.length, payload.length, random.below(2 ** 24)]);
    all.push(frame(random.pick(FRAME_TYPES), random.below(256), random.below(8), payload, declared));
  }
  return Buffer.concat(all);
}

/** Changes, drops, repeats or inserts a few bytes. */
function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let changes = 1 + random.below(6); changes > 0 && result.length > 0; changes -= 1) {
    const at = random.below(result.length);
    const rest = result.subarray(at);
    switch (random.below(4)) {
      case 0:
        result[at] = random.below(256);
        break;
      case 1:
        result = Buffer.concat([result.subarray(0, at), rest.subarray(1 + random.below(8))]);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), random.bytes(random.below(8)), rest]);
        break;
      default:
        result = Buffer.concat([result, rest]);
    }
  }
  return result;
}

/** One hostile connection's worth of bytes. */
export function hostileBytes(random: Random, paths: readonly string[]): Buffer {
  const path = random.pick([...paths, '/', '/a/b/c', `/${'x'.repeat(3000)}`, '/%', '/gomsg.v1.KVService/']);
  switch (random.below(6)) {
    case 0:
      return random.bytes(random.below(200));
    case 1:
      return frames(random);
    case 2:
      return http2Call(random, path);
    case 3:
      return mutated(random, http2Call(random, path));
    case 4:
      return http1Call(random, path);
    default:
      return mutated(random, http1Call(random, path));
  }
}
