/**
 * CRC-16/XMODEM (polynomial 0x1021, initial value 0, no reflection) and the hash slots that it gives, both as in the
 * Redis cluster specification (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec).
 */

/** Number of hash slots that names are spread over. */
export const SLOTS = 16_384;

const POLYNOMIAL = 0x1021;

/** Remainder of every byte. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder & 0x8000) === 0 ? remainder << 1 : (remainder << 1) ^ POLYNOMIAL;
  }
  return remainder;
});

/** CRC of `bytes` from `from` up to, not including, `to`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >>> 8) ^ (bytes[at] as number)] as number);
  }
  return crc;
}

/** CRC of the UTF-8 bytes of `text` from the char `from` up to, not including, `to`. */
export function crc16OfText(text: string, from = 0, to = text.length): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return crc16(Buffer.from(text.slice(from, to), 'utf8'));
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >>> 8) ^ code] as number);
  }
  return crc;
}

/**
 * Hash slot of a key, queue or topic name. Where the name has a `{` with a `}` somewhere behind it and something
 * between the two, only what is between the first such `{` and the first `}` after it counts: names that share such a
 * tag share a slot.
 */
export function slotOf(name: string): number {
  const open = name.indexOf('{');
  if (open !== -1) {
    const close = name.indexOf('}', open + 1);
    if (close > open + 1) return crc16OfText(name, open + 1, close) % SLOTS;
  }
  return crc16OfText(name) % SLOTS;
}
