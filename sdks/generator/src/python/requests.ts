/** The signature of a method and the statements that make its request. */
import type { DescMessage } from '@bufbuild/protobuf';
import type { FaceModel, OptionModel, ParamModel, PresetModel } from '../model.ts';
import { argumentDocs, identifier, indent, literal, protoClass } from './code.ts';
import { timeoutName } from './names.ts';
import { givenType } from './types.ts';
import { checkedScalar, elementOf, quoted, writeField } from './values.ts';

/** Elements of a page, where a request can say. */
const PAGE_LIMIT = 1000;

const PAGE_LIMIT_FIELD = 'limit';

/** One argument of a method. */
export interface Argument {
  readonly name: string;
  readonly annotation: string;
  readonly doc: string;
}

export function positional(face: FaceModel): Argument[] {
  return face.params.map(({ name, type, doc }) => ({
    name: identifier(name),
    annotation: givenType(type),
    doc,
  }));
}

export function named(face: FaceModel): Argument[] {
  return face.options.map(({ name, type, doc }) => ({
    name: identifier(name),
    annotation: `${givenType(type)} | None`,
    doc,
  }));
}

/** The options every call has. */
export function timeoutArgument(face: FaceModel): Argument {
  return {
    name: timeoutName(face),
    annotation: 'float | timedelta | None',
    doc: "How long to wait for the answer, in seconds; None = the client's timeout.",
  };
}

/** `self, key: str, *, ttl: float | timedelta | None = None`. */
export function signature(params: readonly Argument[], options: readonly Argument[]): string {
  const parts = ['self', ...params.map(({ name, annotation }) => `${name}: ${annotation}`)];
  if (options.length > 0)
    parts.push('*', ...options.map(({ name, annotation }) => `${name}: ${annotation} = None`));
  return parts.join(', ');
}

export function argumentSection(args: readonly Argument[]): string[] {
  return argumentDocs(args.map(({ name, doc }) => [name, doc] as const));
}

/** Statements that make `request`. `method` is the expression of the method's name. */
export function requestStatements(face: FaceModel, method: string): string[] {
  const desc = face.rpc.desc.input;
  return [
    `request = ${protoClass(desc)}()`,
    ...face.presets.flatMap(preset),
    ...pageLimit(face, desc),
    ...face.params.flatMap((param) => paramStatements(param, method)),
    ...exclusive(face, method),
    ...face.options.flatMap((option) => optionStatements(option, method)),
  ];
}

function preset({ path, value }: PresetModel): string[] {
  const target = pathOf('request', path);
  if (typeof value === 'boolean') return [`${target} = ${value ? 'True' : 'False'}`];
  const leaf = path.at(-1);
  if (typeof value === 'string' && leaf?.enum !== undefined) {
    const number = leaf.enum.values.find(({ name }) => name === value)?.number;
    if (number === undefined) throw new Error(`python: ${leaf.enum.typeName} has no value ${value}`);
    return [`${target} = ${number}`];
  }
  return [`${target} = ${typeof value === 'string' ? literal(value) : value}`];
}

function pageLimit(face: FaceModel, desc: DescMessage): string[] {
  const limit = desc.fields.find(({ name }) => name === PAGE_LIMIT_FIELD);
  const isTaken = [...face.params, ...face.options].some(({ path }) => path[0] === limit);
  return face.kind === 'pages' && limit !== undefined && !isTaken
    ? [`request.${PAGE_LIMIT_FIELD} = ${PAGE_LIMIT}`]
    : [];
}

function paramStatements(param: ParamModel, method: string): string[] {
  const target = pathOf('request', param.path);
  const given = { value: identifier(param.name), method, param: param.name };
  const { element, entries, type } = param;
  if (element !== undefined) {
    if (type.kind !== 'list') throw new Error(`python: ${param.name} has an element and is no list`);
    return [
      `for _at, _item in enumerate(_values.items(${method}, ${quoted(given.param)}, ${given.value})):`,
      ...indent(writeField(type.of, `${target}.add().${element.name}`, elementOf(given))),
    ];
  }
  if (entries !== undefined) {
    if (type.kind !== 'map') throw new Error(`python: ${param.name} has entries and is no map`);
    const key = { value: '_key', method, param: `a key of ${param.name}` };
    const item = { value: '_item', method, param: `${param.name}[{_key!r}]` };
    return [
      `for _key, _item in _values.entries(${method}, ${quoted(given.param)}, ${given.value}):`,
      ...indent([
        `_entry = ${target}.add()`,
        `_entry.${entries.key.name} = ${checkedScalar({ kind: 'string' }, key)}`,
        ...writeField(type.of, `_entry.${entries.value.name}`, item),
      ]),
    ];
  }
  return writeField(type, target, given, param.negate);
}

function optionStatements({ name, path, type }: OptionModel, method: string): string[] {
  const given = { value: identifier(name), method, param: name };
  const statements = writeField(type, pathOf('request', path), given);
  // False is the same as leaving it out: it must not undo another choice of the same oneof.
  const isChoice = type.kind === 'bool' && path.at(-1)?.oneof !== undefined;
  return [
    `if ${given.value} is not None:`,
    ...indent(isChoice ? [...choice(given, statements)] : statements),
  ];
}

function choice(
  given: { readonly value: string; readonly method: string; readonly param: string },
  statements: readonly string[],
): string[] {
  return [
    `if _values.boolean(${given.method}, ${quoted(given.param)}, ${given.value}):`,
    ...indent(statements.map((statement) => statement.replace(/_values\.boolean\([^)]*\)/, 'True'))),
  ];
}

/** Options of which at most one may be given. */
function exclusive({ options }: FaceModel, method: string): string[] {
  const oneofs = new Map<string, string[]>();
  for (const { name, path } of options) {
    const oneof = path.at(-1)?.oneof;
    if (oneof === undefined) continue;
    oneofs.set(oneof.name, [...(oneofs.get(oneof.name) ?? []), identifier(name)]);
  }
  return [...oneofs.values()]
    .filter((names) => names.length > 1)
    .map((names) => `_values.at_most_one(${method}, ${names.map((name) => `${name}=${name}`).join(', ')})`);
}

export function pathOf(start: string, path: readonly { readonly name: string }[]): string {
  return [start, ...path.map(({ name }) => name)].join('.');
}
