/** Values that tell where they came from, so that any mix-up shows. */
import type { Random } from '../src/raft/testing/random.ts';

/** Mostly small, sometimes a page, now and then larger than everything around it. */
export function payloadBytes(random: Random): number {
  const kind = random.below(100);
  if (kind < 80) return 16 + random.below(500);
  if (kind < 98) return 1_000 + random.below(7_000);
  return 20_000 + random.below(40_000);
}

/** `lane:number:` and filler that is different for every number. */
export function payloadOf(lane: string, number: number, bytes: number): Buffer {
  const head = `${lane}:${number}:`;
  const value = Buffer.alloc(Math.max(bytes, head.length), fillerOf(number));
  value.write(head, 'latin1');
  return value;
}

/** Reads a payload back. @throws Error when it is not as it was made */
export function readPayload(value: Uint8Array): { readonly lane: string; readonly number: number } {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const [lane, digits] = bytes.toString('latin1', 0, 64).split(':');
  const number = Number(digits);
  if (lane === undefined || digits === undefined || !payloadOf(lane, number, bytes.length).equals(bytes)) {
    throw new Error(`a payload was damaged: it begins ${JSON.stringify(bytes.toString('latin1', 0, 64))}`);
  }
  return { lane, number };
}

function fillerOf(number: number): string {
  return String.fromCharCode(0x20 + (number % 0x5f));
}
