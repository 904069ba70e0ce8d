/**
 * Messages as JSON for scripts. The names are those of the proto JSON mapping, so that `--output json`, `curl` and
 * `buf curl` show the same fields. It differs where scripts would suffer:
 * - values and payloads (`value`, `payload`) are text when they are valid UTF-8; otherwise they are base64 in
 *   `valueBase64`, `payloadBase64`. Other bytes (cursors, tokens) are base64 under their own name.
 * - 64-bit integers are numbers, with all their digits, not strings.
 * - fields that hold their default are there, so that every line has the same fields; only what is unset is left out.
 */
import { isUtf8 } from 'node:buffer';
import {
  type DescField,
  type DescMessage,
  type Message,
  type MessageShape,
  ScalarType,
} from '@bufbuild/protobuf';
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
  timestampDate,
} from '@bufbuild/protobuf/wkt';

export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Bytes that people put in, as opposed to cursors and tokens. */
const CONTENT_FIELDS: ReadonlySet<string> = new Set(['value', 'payload']);
const BASE64_SUFFIX = 'Base64';

type Fields = Record<string, unknown>;

export function messageToJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  const json: Record<string, Json> = {};
  for (const field of schema.fields) {
    const value = fieldValue(field, message);
    if (value !== undefined) setJson(json, field, value);
  }
  return json;
}

/** Undefined when the field has presence and is not set. */
function fieldValue(field: DescField, message: Message): unknown {
  const fields = message as unknown as Fields;
  if (field.oneof === undefined) return fields[field.localName];
  const chosen = fields[field.oneof.localName] as { case: string | undefined; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function setJson(json: Record<string, Json>, field: DescField, value: unknown): void {
  if (value instanceof Uint8Array && CONTENT_FIELDS.has(field.jsonName)) {
    Object.assign(json, contentToJson(field.jsonName, value));
  } else if (field.fieldKind === 'list') {
    json[field.jsonName] = (value as readonly unknown[]).map((item) => itemToJson(field, item));
  } else if (field.fieldKind === 'map') {
    json[field.jsonName] = Object.fromEntries(
      Object.entries(value as Fields).map(([key, item]) => [key, itemToJson(field, item)]),
    );
  } else {
    json[field.jsonName] = itemToJson(field, value);
  }
}

/** `{value: "text"}` or `{valueBase64: "…"}`. */
export function contentToJson(name: string, bytes: Uint8Array): JsonObject {
  if (isUtf8(bytes)) return { [name]: utf8(bytes) };
  return { [name + BASE64_SUFFIX]: base64(bytes) };
}

/** The reverse of `contentToJson`; undefined when neither field is there. */
export function contentFromJson(
  name: string,
  fields: Readonly<Record<string, unknown>>,
): Uint8Array | undefined {
  const encoded = fields[name + BASE64_SUFFIX];
  if (typeof encoded === 'string' && encoded !== '') return Buffer.from(encoded, 'base64');
  const plain = fields[name];
  if (typeof plain === 'string') return Buffer.from(plain);
  return encoded === '' ? new Uint8Array(0) : undefined;
}

function itemToJson(field: DescField, value: unknown): Json {
  if (field.message !== undefined) return subMessageToJson(field.message, value as Message);
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? (value as number);
  if (field.scalar === ScalarType.BYTES) return base64(value as Uint8Array);
  return value as Json;
}

function subMessageToJson(schema: DescMessage, message: Message): Json {
  if (schema.typeName === TimestampSchema.typeName) return timestampDate(message as Timestamp).toISOString();
  if (schema.typeName === DurationSchema.typeName) return durationToJson(message as Duration);
  return messageToJson(schema, message);
}

/** As the proto JSON mapping has it: `1.500s`. */
function durationToJson({ seconds, nanos }: Duration): string {
  if (nanos === 0) return `${seconds}s`;
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  const fraction = String(Math.abs(nanos))
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '');
  return `${sign}${seconds < 0n ? -seconds : seconds}.${fraction}s`;
}

/** One line, with every digit of 64-bit integers. */
export function stringify(json: Json): string {
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === 'bigint' ? rawJson(value.toString()) : value,
  );
}

/** JSON.rawJSON of ES2026, which the compiler's library does not declare yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function base64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

function utf8(bytes: Uint8Array): string {
  return view(bytes).toString('utf8');
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
