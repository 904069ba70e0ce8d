/** What methods return, out of responses. */
import type { FaceModel, ResultModel, ValueType } from '../model.ts';
import { indent, literal } from './code.ts';
import { gottenType } from './types.ts';
import { readValue } from './values.ts';

export function resultType({ result }: FaceModel, asBytes: boolean, list: string): string {
  return result === undefined ? 'None' : gottenType(result.type, asBytes, list);
}

/** Statements that return the result of `response`. `method` is the expression of its name; undefined = text as bytes. */
export function readResult({ result }: FaceModel, method: string | undefined): string[] {
  if (result === undefined) return [];
  const { field, type, first } = result;
  const value = field === undefined ? 'response' : `response.${field.name}`;
  if (first) {
    const inner = type.kind === 'optional' ? type.of : type;
    return [
      ...fill(result, value),
      `return ${readElement(result, inner, `${value}[0]`, method)} if ${value} else None`,
    ];
  }
  if (type.kind === 'list')
    return [...fill(result, value), `return ${readList(result, type.of, value, method)}`];
  if (type.kind === 'optional') {
    const read = readValue(type.of, value, method);
    return [`return ${read} if response.HasField(${literal(field?.name ?? '')}) else None`];
  }
  return [`return ${readValue(type, value, method)}`];
}

/** Statements that yield the elements of one page. */
export function readCollected({ result }: FaceModel, method: string): string[] {
  if (result?.field === undefined || result.type.kind !== 'list') return [];
  const value = `response.${result.field.name}`;
  return [...fill(result, value), `yield ${readList(result, result.type.of, value, method)}`];
}

function readList(result: ResultModel, of: ValueType, value: string, method: string | undefined): string {
  const read = readElement(result, of, '_item', method);
  return read === '_item' ? `_values.list_of(${value})` : `[${read} for _item in ${value}]`;
}

function readElement(
  { element, present }: ResultModel,
  type: ValueType,
  item: string,
  method: string | undefined,
): string {
  const inner = type.kind === 'optional' ? type.of : type;
  const read = readValue(inner, element === undefined ? item : `${item}.${element.name}`, method);
  return present === undefined ? read : `${read} if ${item}.${present.name} else None`;
}

/** Fields of the elements that only the request has. */
function fill(result: ResultModel, value: string): string[] {
  if (result.fill.length === 0) return [];
  return [
    `for _item in ${value}:`,
    ...indent(result.fill.map(({ to, from }) => `_item.${to.name} = request.${from.name}`)),
  ];
}
