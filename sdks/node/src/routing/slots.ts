/**
 * CRC-16/XMODEM (polynomial 0x1021, initial value 0, no reflection) and the hash slots that it gives, both as in the
 * Redis cluster specification (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec).
 */

/** Number of hash slots that names are spread over. */
export const SLOTS = 16_384;

const POLYNOMIAL = 0x1021;

/** Remainder of every byte. */
const REMAINDERS = Uint16Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder & 0x8000) === 0 ? remainder << 1 : (remainder << 1) ^ POLYNOMIAL;
  }
  return remainder;
});

/** CRC of the UTF-8 bytes of a text. */
export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text, 'utf8')) {
    crc = ((crc << 8) & 0xffff) ^ REMAINDERS[(crc >>> 8) ^ byte]!;
  }
  return crc;
}

/**
 * Hash slot of a key, queue or topic name. Of a name with a `{`, a later `}` and something between the two, only what
 * is between the first such pair counts: names that share such a tag share a slot.
 */
export function slotOf(name: string): number {
  const open = name.indexOf('{');
  const close = open === -1 ? -1 : name.indexOf('}', open + 1);
  return crc16(close > open + 1 ? name.slice(open + 1, close) : name) % SLOTS;
}
