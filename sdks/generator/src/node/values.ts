/** How values of each type are written in TypeScript: their types, and the code that converts them both ways. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { EnumModel, FieldModel, MessageModel, ValueType } from '../model.ts';
import { lowerSnake } from '../names.ts';
import { memberName } from './source.ts';

/** `gomsg/v1/kv` → `kvPb`: what generated messages of a proto are imported as. */
export function pbAlias(file: { readonly name: string }): string {
  return `${memberName(file.name.split('/').at(-1)!)}Pb`;
}

/** A generated message type, such as `kvPb.KVServiceSetRequest`. */
export function pbType(message: DescMessage): string {
  const { typeName, file } = message;
  const local = typeName.slice(file.proto.package === '' ? 0 : file.proto.package.length + 1);
  return `${pbAlias(file)}.${local.replaceAll('.', '_')}`;
}

export function pbSchema(message: DescMessage): string {
  return `${pbType(message)}Schema`;
}

/** The type that callers give, where it differs from the one that they get. */
export function inputName(message: MessageModel): string {
  return message.isInput && message.isOutput && !message.handwritten ? `${message.name}Init` : message.name;
}

function camel(message: { readonly name: string }): string {
  return memberName(lowerSnake(message.name));
}

export function enumNumbers(model: EnumModel): string {
  return `${camel(model)}Numbers`;
}

export function enumWords(model: EnumModel): string {
  return `${camel(model)}Words`;
}

/** Function that turns what callers give into a message. */
export function writerOf(message: MessageModel): string {
  return message.handwritten ? camel(message) : `write${message.name}`;
}

/** Function that turns a message into what callers get. */
export function readerOf(message: MessageModel): string {
  return `read${message.name}`;
}

/** A type with text has getters for it, so it is a class. */
export function isClass(message: MessageModel): boolean {
  return message.handwritten || message.fields.some(({ type }) => type.kind === 'text');
}

export function inputType(type: ValueType): string {
  switch (type.kind) {
    case 'text':
      return 'Text';
    case 'int':
      return type.bits === 64 ? 'number | bigint' : 'number';
    case 'timestamp':
      return 'Moment';
    case 'message':
      return inputName(type.message);
    case 'list':
      return `readonly ${parenthesised(inputType(type.of))}[]`;
    case 'map':
      return `Readonly<Record<string, ${inputType(type.of)}>> | ReadonlyMap<string, ${inputType(type.of)}>`;
    case 'optional':
      return `${inputType(type.of)} | undefined`;
    default:
      return plainType(type);
  }
}

export function outputType(type: ValueType, bytes = false): string {
  switch (type.kind) {
    case 'text':
      return bytes ? 'Uint8Array' : 'string';
    case 'int':
      return 'number';
    case 'timestamp':
      return 'Date';
    case 'message':
      return type.message.name;
    case 'list':
      return `${parenthesised(outputType(type.of, bytes))}[]`;
    case 'map':
      return `Record<string, ${outputType(type.of, bytes)}>`;
    case 'optional':
      return `${outputType(type.of, bytes)} | null`;
    default:
      return plainType(type);
  }
}

function plainType(type: ValueType): string {
  switch (type.kind) {
    case 'string':
      return 'string';
    case 'bool':
      return 'boolean';
    case 'bytes':
      return 'Uint8Array';
    case 'enum':
      return type.enum.name;
    default:
      return 'number';
  }
}

function parenthesised(type: string): string {
  return type.includes('|') ? `(${type})` : type;
}

/** Code that converts the value of `given`; `method` and `parameter` are code too. */
export function writing(type: ValueType, given: string, method: string, parameter: string): string {
  const rest = `${given}, ${method}, ${parameter}`;
  switch (type.kind) {
    case 'int':
      return `input.${type.signed ? 'int' : 'uint'}${type.bits}(${rest})`;
    case 'enum':
      return `input.word(${enumNumbers(type.enum)}, ${rest})`;
    case 'message':
      return `${writerOf(type.message)}(${rest})`;
    case 'list':
      return `input.list(${converter(type.of)}, ${rest})`;
    case 'map':
      return `input.map(${converter(type.of)}, ${rest})`;
    case 'optional':
      return writing(type.of, given, method, parameter);
    default:
      return `input.${type.kind}(${rest})`;
  }
}

/** A function that converts one value. */
export function converter(type: ValueType): string {
  if (type.kind === 'message') return writerOf(type.message);
  if (type.kind === 'int') return `input.${type.signed ? 'int' : 'uint'}${type.bits}`;
  if (type.kind === 'enum' || type.kind === 'list' || type.kind === 'map') {
    return `(value, at, name) => ${writing(type, 'value', 'at', 'name')}`;
  }
  return `input.${type.kind}`;
}

/** Code that turns `value`, which is there, into what callers get. `what` names it in errors. */
export function reading(type: ValueType, value: string, what: string, bytes = false): string {
  switch (type.kind) {
    case 'int':
      return type.bits === 64 ? `numberOf(${value}, origin, '${what}')` : value;
    case 'bytes':
      return `bytesOf(${value})`;
    case 'text':
      return bytes ? `bytesOf(${value})` : `textOf(${value}, origin, '${what}')`;
    case 'duration':
      return `secondsOf(${value})`;
    case 'timestamp':
      return `dateOf(${value})`;
    case 'enum':
      return `wordOf(${enumWords(type.enum)}, ${value})`;
    case 'message':
      return isClass(type.message)
        ? `new ${type.message.name}(${value}, origin)`
        : `${readerOf(type.message)}(${value}, origin)`;
    case 'list': {
      const one = reading(type.of, 'element', what, bytes);
      return one === 'element' ? value : `${value}.map((element) => ${one})`;
    }
    case 'map': {
      const one = reading(type.of, 'element', what, bytes);
      return one === 'element' ? value : `mapOf(${value}, (element) => ${one})`;
    }
    case 'optional':
      return reading(type.of, value, what, bytes);
    default:
      return value;
  }
}

/** The type that a field of a message has for those who read it. */
export function fieldType({ type, hasPresence }: FieldModel): string {
  return hasPresence ? `${outputType(type)} | null` : outputType(type);
}

/** Code that reads a field of `message`. */
export function readingField({ desc, name, type, hasPresence }: FieldModel, message: string): string {
  const value = access(desc, message);
  const what = memberName(name);
  if (type.kind === 'text') return reading(type, value, what, true);
  return hasPresence
    ? `${value} === undefined ? null : ${reading(type, value, what)}`
    : reading(type, value, what);
}

/** Code for the value of a field; undefined where it is unset and can be. */
function access(field: DescField, message: string): string {
  if (field.oneof === undefined) return `${message}.${field.localName}`;
  const oneof = `${message}.${field.oneof.localName}`;
  return `(${oneof}.case === '${field.localName}' ? ${oneof}.value : undefined)`;
}

/** Code that sets a field of `message` to `value`. */
export function assignment(field: DescField, message: string, value: string): string {
  if (field.oneof === undefined) return `${message}.${field.localName} = ${value};`;
  return `${message}.${field.oneof.localName} = { case: '${field.localName}', value: ${value} };`;
}

const WIDE: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/** A fixed value of a field, as code. */
export function literal(field: DescField, value: string | number | boolean): string {
  if (typeof value === 'number' && field.fieldKind === 'scalar' && WIDE.has(field.scalar)) return `${value}n`;
  return typeof value === 'string' ? `'${value.replaceAll(/['\\]/g, '\\$&')}'` : String(value);
}
