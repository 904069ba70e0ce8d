/** What a connection over the limit is told, in its own protocol, before it is closed. */
import { constants } from 'node:http2';

const SETTINGS_FRAME = 0x04;
const GOAWAY_FRAME = 0x07;

/** A whole HTTP/1.1 response. */
export function http1Refusal(message: string, retryAfter_ms: number): Buffer {
  const body = `${message}\n`;
  return Buffer.from(
    'HTTP/1.1 503 Service Unavailable\r\n' +
      `retry-after: ${Math.ceil(retryAfter_ms / 1000)}\r\n` +
      'content-type: text/plain; charset=utf-8\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

/** The server's preface, then GOAWAY before any stream: gRPC clients report UNAVAILABLE and try elsewhere or later. */
export function http2Refusal(message: string): Buffer {
  const debug = Buffer.from(message);
  const goaway = Buffer.alloc(8);
  goaway.writeUInt32BE(constants.NGHTTP2_ENHANCE_YOUR_CALM, 4);
  return Buffer.concat([frame(SETTINGS_FRAME), frame(GOAWAY_FRAME, goaway, debug)]);
}

/** A frame of stream 0 without flags (RFC 9113, section 4.1). */
function frame(type: number, ...payload: Buffer[]): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(
    payload.reduce((sum, part) => sum + part.length, 0),
    0,
    3,
  );
  header[3] = type;
  return Buffer.concat([header, ...payload]);
}
