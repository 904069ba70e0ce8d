/** How values get into requests and out of responses. */
import type { EnumModel, FieldModel, ValueType } from '../model.ts';
import { identifier, indent, literal } from './code.ts';
import { enumNumbers, enumReader, readFunction, writeFunction } from './names.ts';

const INT_RANGES = {
  i32: ['-(2**31)', '2**31 - 1'],
  i64: ['-(2**63)', '2**63 - 1'],
  u32: ['0', '2**32 - 1'],
  u64: ['0', '2**64 - 1'],
} as const;

/** Where a value comes from and what it is called in errors; both are Python expressions. */
export interface Given {
  readonly value: string;
  /** The method that is called. */
  readonly method: string;
  /** What the value is in it: the inside of an f-string, such as `keys` or `keys[{_at}]`. */
  readonly param: string;
}

/** The inside of an f-string as an expression. */
export function quoted(inside: string): string {
  return inside.includes('{') ? `f"${inside}"` : `"${inside}"`;
}

/** A scalar value, checked, as an expression; undefined for what needs statements. */
export function checkedScalar(type: ValueType, given: Given, negate = false): string | undefined {
  const { value, method } = given;
  const param = quoted(given.param);
  switch (type.kind) {
    case 'string':
      return `_values.string(${method}, ${param}, ${value})`;
    case 'bool':
      return `_values.boolean(${method}, ${param}, ${value})`;
    case 'double':
      return `_values.number(${method}, ${param}, ${value})`;
    case 'bytes':
    case 'text':
      return `_values.text(${method}, ${param}, ${value})`;
    case 'int': {
      const [low, high] = INT_RANGES[`${type.signed ? 'i' : 'u'}${type.bits}`];
      if (!negate) return `_values.integer(${method}, ${param}, ${value}, ${low}, ${high})`;
      return `-_values.integer(${method}, ${param}, ${value}, -(${high}), -(${low}))`;
    }
    case 'enum':
      return `_values.enum_number(${method}, ${param}, ${value}, ${enumNumbers(type.enum)})`;
    default:
      return undefined;
  }
}

/** Statements that put a value into the field `target` of a message. */
export function writeField(type: ValueType, target: string, given: Given, negate = false): string[] {
  const scalar = checkedScalar(type, given, negate);
  if (scalar !== undefined) return [`${target} = ${scalar}`];
  const { value, method } = given;
  const param = quoted(given.param);
  switch (type.kind) {
    case 'duration':
      return [`_values.duration(${method}, ${param}, ${value}, ${target})`];
    case 'timestamp':
      return [`_values.timestamp(${method}, ${param}, ${value}, ${target})`];
    case 'message':
      return [`${writeFunction(type.message)}(${method}, ${param}, ${value}, ${target})`];
    case 'optional':
      return writeField(type.of, target, given, negate);
    case 'list': {
      const element = elementOf(given);
      return [
        `for _at, _item in enumerate(_values.items(${method}, ${param}, ${value})):`,
        ...indent(appendElement(type.of, target, element)),
      ];
    }
    case 'map': {
      const key = checkedScalar(
        { kind: 'string' },
        { value: '_key', method, param: `a key of ${given.param}` },
      );
      const item = checkedScalar(type.of, { value: '_item', method, param: `${given.param}[{_key!r}]` });
      return [
        `for _key, _item in _values.entries(${method}, ${param}, ${value}):`,
        ...indent([`${target}[${key}] = ${item}`]),
      ];
    }
    default:
      throw new Error(`python: no way to write a ${type.kind}`);
  }
}

/** The element `item` at `at` of a list. */
export function elementOf({ method, param }: Given): Given {
  return { value: '_item', method, param: `${param}[{_at}]` };
}

function appendElement(type: ValueType, target: string, element: Given): string[] {
  const scalar = checkedScalar(type, element);
  if (scalar !== undefined) return [`${target}.append(${scalar})`];
  if (type.kind === 'list' || type.kind === 'map')
    throw new Error(`python: no way to write a ${type.kind} in a list`);
  return writeField(type, `${target}.add()`, element);
}

/**
 * A value of a response, as an expression. `method` is a Python expression for errors; undefined where text stays
 * bytes. Handwritten types are made with `core`, which they call.
 */
export function readValue(type: ValueType, value: string, method: string | undefined): string {
  switch (type.kind) {
    case 'text':
      return method === undefined ? value : `_values.as_text(${value}, ${method})`;
    case 'duration':
      return `_values.seconds_of(${value})`;
    case 'timestamp':
      return `_values.moment_of(${value})`;
    case 'enum':
      return `${enumReader(type.enum)}(${value})`;
    case 'message':
      return `${readFunction(type.message)}(${value}${type.message.handwritten ? ', self._core' : ''})`;
    case 'list': {
      const element = readValue(type.of, '_item', method);
      return element === '_item' ? `_values.list_of(${value})` : `[${element} for _item in ${value}]`;
    }
    case 'map':
      return `dict(${value})`;
    case 'optional':
      throw new Error('python: an optional value is read with the field that holds it');
    default:
      return value;
  }
}

/** A field of a message that came in, text as bytes. */
export function readField(field: FieldModel, message: string): string {
  const name = field.desc.name;
  const value = readValue(field.type, `${message}.${identifier(name)}`, undefined);
  return field.hasPresence && field.type.kind !== 'list' && field.type.kind !== 'map'
    ? `${value} if ${message}.HasField(${literal(name)}) else None`
    : value;
}

/** Everything in a type that is an enum. */
export function enumsIn(type: ValueType): EnumModel[] {
  if (type.kind === 'enum') return [type.enum];
  return type.kind === 'list' || type.kind === 'optional' || type.kind === 'map' ? enumsIn(type.of) : [];
}
