/** What values look like in Go, and how they become protobuf's and come from it. */
import type { DescField } from '@bufbuild/protobuf';
import { ModelError } from '../build-model.ts';
import type { MessageModel, OptionModel, ValueType } from '../model.ts';
import { exported, protoField, protoMessage, protoOneofMember, unexported } from './source.ts';

/** Whom a value is for, which decides how text and messages look. */
export type Place =
  /** A parameter: text is a string. */
  | 'parameter'
  /** A field of a type: text is bytes. */
  | 'field'
  /** What a method returns: text is a string, a message a pointer. */
  | 'result'
  /** What a method with `_bytes` behind its name returns. */
  | 'bytes';

/** The type of a value that is given or not given by its own zero. */
export function goType(type: ValueType, place: Place): string {
  switch (type.kind) {
    case 'string':
      return 'string';
    case 'bool':
      return 'bool';
    case 'double':
      return 'float64';
    case 'int':
      if (type.bits === 32) return 'int';
      return type.signed ? 'int64' : 'uint64';
    case 'bytes':
      return '[]byte';
    case 'text':
      return place === 'field' || place === 'bytes' ? '[]byte' : 'string';
    case 'duration':
      return 'time.Duration';
    case 'timestamp':
      return 'time.Time';
    case 'enum':
      return type.enum.name;
    case 'message':
      return place === 'parameter' ? type.message.name : `*${type.message.name}`;
    case 'list':
      return `[]${elementType(type.of, place)}`;
    case 'map':
      return `map[string]${goType(type.of, place)}`;
    case 'optional':
      if (type.of.kind === 'message' || type.of.kind === 'duration' || type.of.kind === 'timestamp') {
        return goType(type.of, place);
      }
      return `*${goType(type.of, place)}`;
  }
}

/** Plain messages are kept by value in lists; those with behaviour, and possible ones, are not. */
export function elementType(type: ValueType, place: Place): string {
  if (type.kind === 'message') return type.message.handwritten ? `*${type.message.name}` : type.message.name;
  if (type.kind === 'optional') return `Optional[${elementType(type.of, place)}]`;
  return goType(type, place);
}

/** What a function returns beside an error. */
export function zero(go: string): string {
  if (go.startsWith('*') || go.startsWith('[') || go.startsWith('map')) return 'nil';
  if (go === 'string') return '""';
  if (go === 'bool') return 'false';
  if (go === 'time.Time') return 'time.Time{}';
  return /^(u?int|float|time\.Duration)/.test(go) ? '0' : `${go}("")`;
}

export type OptionStyle =
  /** Left out by its zero. */
  | 'plain'
  /** Left out by nil. */
  | 'pointer';

/** Settings, and scalars of which zero says something, are pointers. */
export function optionStyle({ path, type, hasPresence }: OptionModel): OptionStyle {
  if (path.length > 1) return type.kind === 'list' || type.kind === 'map' ? 'plain' : 'pointer';
  if (!hasPresence) return 'plain';
  if (type.kind === 'bool') return path.at(-1)?.oneof === undefined ? 'pointer' : 'plain';
  if (type.kind === 'message') return type.message.handwritten ? 'plain' : 'pointer';
  return ['duration', 'timestamp', 'enum'].includes(type.kind) ? 'plain' : 'pointer';
}

export function optionType(option: OptionModel): string {
  const plain = goType(option.type, 'parameter');
  return optionStyle(option) === 'pointer' ? `*${plain}` : plain;
}

/** Code that puts a value into a request: lines that run before, which may `return nil, err`, and the expression. */
export interface Conversion {
  readonly before: readonly string[];
  readonly value: string;
}

/**
 * A value as protobuf has it. `where` is Go code of the method's and the parameter's names, such as
 * `"kv.set", "ttl"`; `local` names a variable that may be declared.
 */
export function toProto(type: ValueType, value: string, where: string, local: string): Conversion {
  const plain = (expression: string) => ({ before: [], value: expression });
  const checked = (expression: string) => ({
    before: [`${local}, err := ${expression}`, 'if err != nil {', '\treturn nil, err', '}'],
    value: local,
  });
  switch (type.kind) {
    case 'int':
      if (type.bits === 64) return plain(value);
      return checked(`${type.signed ? 'signed32' : 'number32'}(${where}, ${value})`);
    case 'text':
      return plain(`[]byte(${value})`);
    case 'duration':
      return plain(`durationpb.New(${value})`);
    case 'timestamp':
      return plain(`timestampOption(${value})`);
    case 'enum':
      return checked(`${value}.number(${where})`);
    case 'message':
      return type.message.handwritten
        ? plain(`${value}.toProto()`)
        : checked(`${unexported(snake(type.message))}ToProto(${where}, ${value})`);
    case 'list':
      return listToProto(type.of, value, where, checked, plain);
    case 'map':
      if (type.of.kind === 'string') return plain(value);
      throw new ModelError(`maps to ${type.of.kind} are not parameters in Go yet`);
    default:
      return plain(value);
  }
}

function listToProto(
  of: ValueType,
  value: string,
  where: string,
  checked: (expression: string) => Conversion,
  plain: (expression: string) => Conversion,
): Conversion {
  switch (of.kind) {
    case 'int':
      if (of.bits === 64) return plain(value);
      return checked(`${of.signed ? 'signedNumbers32' : 'numbers32'}(${where}, ${value})`);
    case 'message':
      return checked(`listToProto(${where}, ${value}, ${unexported(snake(of.message))}ToProto)`);
    case 'string':
    case 'bool':
    case 'double':
    case 'bytes':
      return plain(value);
    default:
      throw new ModelError(`lists of ${of.kind} are not parameters in Go yet`);
  }
}

/** `KVWrite` → `kv_write`. */
export function snake({ name }: { readonly name: string }): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** Sets a field of a message, also in a oneof. `value` is a pointer where the field has presence and is a scalar. */
export function assign(target: string, field: DescField, value: string): string {
  if (field.oneof !== undefined) {
    return `${target}.${protoField(field.oneof)} = &${protoOneofMember(field)}{${protoField(field)}: ${value}}`;
  }
  return `${target}.${protoField(field)} = ${value}`;
}

/** A scalar that protoc-gen-go keeps as a pointer. */
export function isPointer(field: DescField): boolean {
  return field.fieldKind !== 'message' && field.proto.proto3Optional;
}

/** Makes the messages on the way to the last field of a path, and returns the code of the one that holds it. */
export function descend(path: readonly DescField[], made: Set<string>): { before: string[]; target: string } {
  let target = 'request';
  const before: string[] = [];
  for (const field of path.slice(0, -1)) {
    const inner = `${target}.${protoField(field)}`;
    if (!made.has(inner)) {
      made.add(inner);
      before.push(`${inner} = &${protoMessage(field.message!)}{}`);
    }
    target = inner;
  }
  return { before, target };
}

/** The function that makes a type of a response's message. */
export function fromProtoName(message: MessageModel): string {
  return message.handwritten ? `new${message.name}` : `${unexported(snake(message))}Of`;
}

/** A value of a response as its users get it. `client` is code of the client. */
export function fromProto(type: ValueType, value: string, client: string, place: Place): string {
  switch (type.kind) {
    case 'int':
      return type.bits === 32 ? `int(${value})` : value;
    case 'text':
      return goType(type, place) === 'string' ? `string(${value})` : value;
    case 'duration':
      return `durationOf(${value})`;
    case 'timestamp':
      return `timeOf(${value})`;
    case 'enum':
      return `${unexported(snake(type.enum))}Of(${value})`;
    case 'message':
      return type.message.handwritten
        ? `${fromProtoName(type.message)}(${client}, ${value})`
        : `messageOf(${client}, ${value}, ${fromProtoName(type.message)})`;
    case 'list':
      return listFromProto(type.of, value, client, place);
    case 'optional':
      return fromProto(type.of, value, client, place);
    default:
      return value;
  }
}

function listFromProto(of: ValueType, value: string, client: string, place: Place): string {
  switch (of.kind) {
    case 'message':
      return `messagesOf(${client}, ${value}, ${fromProtoName(of.message)})`;
    case 'int':
      return of.bits === 32 ? `intsOf(${value})` : value;
    case 'enum':
      return `converted(${value}, ${unexported(snake(of.enum))}Of)`;
    case 'text':
      return goType(of, place) === 'string' ? `textsOf(${value})` : value;
    case 'duration':
      return `converted(${value}, durationOf)`;
    case 'timestamp':
      return `converted(${value}, timeOf)`;
    default:
      return value;
  }
}

export { exported };
