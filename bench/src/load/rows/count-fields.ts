import { BinaryReader } from '@bufbuild/protobuf/wire';

/** How often a field occurs at the top of an encoded message. */
export function countFields(message: Uint8Array, field: number): number {
  const reader = new BinaryReader(message);
  let count = 0;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field) count += 1;
    reader.skip(wireType, number);
  }
  return count;
}
