/** Values of the protocol to and from those of JavaScript. What has not the shape that it should goes as it is. */
import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { GomsgError } from '@gomsg/client';
import { type Value, ValueSchema } from '../../src/gen/gomsg/conformance/v1/conformance_pb.js';
import type { FieldShapes, Shape } from './shape.ts';

const NANOS_PER_S = 1_000_000_000;
const NANOS_PER_MS = 1_000_000;

/** What the SDK is given. */
export function fromWire({ kind }: Value, shape?: Shape): unknown {
  switch (kind.case) {
    case undefined:
    case 'null':
      return null;
    case 'integer':
    case 'unsigned': {
      const number = Number(kind.value);
      return Number.isSafeInteger(number) ? number : kind.value;
    }
    case 'duration':
      return durationMs(kind.value) / 1000;
    case 'timestamp':
      return new Date(Number(kind.value.seconds) * 1000 + Math.floor(kind.value.nanos / NANOS_PER_MS));
    case 'list':
      return kind.value.values.map((value) => fromWire(value, shape?.kind === 'list' ? shape.of : undefined));
    case 'fields':
      return objectFromWire(kind.value.fields, shape);
    default:
      return kind.value;
  }
}

function objectFromWire(fields: { readonly [name: string]: Value }, shape: Shape | undefined): unknown {
  if (shape?.kind === 'start') {
    const [[name, value] = []] = Object.entries(fields);
    if (name === 'earliest' || name === 'latest') return name;
    return { [name ?? '']: value && fromWire(value) };
  }
  if (shape?.kind === 'fields') return namedFromWire(fields, shape.fields);
  const of = shape?.kind === 'map' ? shape.of : undefined;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fromWire(value, of)]));
}

/** Fields under the names that they have in the SDK; others stay as they are. */
export function namedFromWire(
  fields: { readonly [name: string]: Value },
  shapes: FieldShapes,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const [as, shape] = shapes[name] ?? [name, undefined];
      return [as, fromWire(value, shape)];
    }),
  );
}

/** What the SDK gave. */
export function toWire(value: unknown, shape: Shape | undefined): Value {
  return create(ValueSchema, { kind: kindOf(value, shape) });
}

function kindOf(value: unknown, shape: Shape | undefined): Value['kind'] {
  if (value === null || value === undefined) return { case: 'null', value: true };
  switch (shape?.kind) {
    case 'string':
    case 'text':
    case 'enum':
      return { case: 'text', value: value as string };
    case 'bool':
      return { case: 'bool', value: value as boolean };
    case 'int':
      return { case: 'integer', value: BigInt(value as number) };
    case 'double':
      return { case: 'number', value: value as number };
    case 'bytes':
      return { case: 'bytes', value: value as Uint8Array };
    case 'duration':
      return {
        case: 'duration',
        value: { $typeName: 'google.protobuf.Duration', ...split(value as number) },
      };
    case 'timestamp': {
      const seconds = (value as Date).getTime() / 1000;
      return { case: 'timestamp', value: { $typeName: 'google.protobuf.Timestamp', ...split(seconds) } };
    }
    case 'list': {
      const values = (value as unknown[]).map((element) => toWire(element, shape.of));
      return { case: 'list', value: { $typeName: 'gomsg.conformance.v1.Values', values } };
    }
    case 'map': {
      const pairs = Object.entries(value).map(([name, element]) => [name, toWire(element, shape.of)]);
      return fieldsOf(Object.fromEntries(pairs));
    }
    case 'fields':
      return fieldsOf(namedToWire(value as Record<string, unknown>, shape.fields));
    default:
      throw new TypeError(`a result of the shape ${shape?.kind} was not expected: ${value}`);
  }
}

function namedToWire(value: Record<string, unknown>, shapes: FieldShapes): Record<string, Value> {
  const fields: Record<string, Value> = {};
  for (const [name, [as, shape]] of Object.entries(shapes)) {
    fields[name] = toWire(shape.kind === 'text' ? textOrNull(value, as) : value[as], shape);
    if (shape.kind === 'text') fields[`${name}_bytes`] = toWire(value[`${as}Bytes`], { kind: 'bytes' });
  }
  return fields;
}

/** Bytes that are no text read as null here. */
function textOrNull(value: Record<string, unknown>, name: string): unknown {
  try {
    return value[name];
  } catch (error) {
    if (error instanceof GomsgError && error.reasonName === 'NOT_TEXT') return null;
    throw error;
  }
}

function fieldsOf(fields: Record<string, Value>): Value['kind'] {
  return { case: 'fields', value: { $typeName: 'gomsg.conformance.v1.Fields', fields } };
}

function split(total_s: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(total_s);
  const nanos = Math.round((total_s - seconds) * NANOS_PER_S);
  return nanos === NANOS_PER_S
    ? { seconds: BigInt(seconds + 1), nanos: 0 }
    : { seconds: BigInt(seconds), nanos };
}
