/** Encoded messages taken apart and put together without decoding what is in them. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export interface Field {
  readonly number: number;
  /** The whole field, its tag and length included. A view. */
  readonly bytes: Uint8Array;
  /** What is in a field of bytes, text or a message; empty for a number. A view. */
  readonly content: Uint8Array;
}

const NO_BYTES: Uint8Array = new Uint8Array();

/** The fields of an encoded message, in order. @throws when the bytes are no message */
export function fieldsOf(message: Uint8Array): Field[] {
  const reader = new BinaryReader(message);
  const fields: Field[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    let content = NO_BYTES;
    if (wireType === WireType.LengthDelimited) content = reader.bytes();
    else reader.skip(wireType, number);
    fields.push({ number, bytes: message.subarray(start, reader.pos), content });
  }
  return fields;
}

/** What the last field of a number has in it; empty when there is none. */
export function contentOf(fields: readonly Field[], number: number): Uint8Array {
  return fields.findLast((field) => field.number === number)?.content ?? NO_BYTES;
}

/** A message of whole fields, and of fields of bytes of which the empty ones are left out. */
export function messageOf(
  fields: readonly Uint8Array[],
  contents: Readonly<Record<number, Uint8Array>> = {},
): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of fields) writer.raw(field);
  for (const [number, content] of Object.entries(contents)) {
    if (content.length > 0) writer.tag(Number(number), WireType.LengthDelimited).bytes(content);
  }
  return writer.finish();
}
