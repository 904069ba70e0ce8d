/** Code that builds the request of a method from what its caller gave. */
import type { FaceModel, FieldPath, OptionModel, ParamModel } from '../model.ts';
import { memberName } from './source.ts';
import { assignment, converter, inputType, literal, pbSchema, pbType, writing } from './values.ts';

/** `(method: string, key: string, …, options: … | undefined)` → the request: a function of the module. */
export function requestFunction(face: FaceModel, name: string, optionsType: string | undefined): string {
  const { input } = face.rpc.desc;
  const params = face.params.map((param) => `${memberName(param.name)}: ${inputType(param.type)}`);
  const options = face.options.length > 0 ? [`options: ${optionsType} | undefined`] : [];
  const body = new RequestBody();
  for (const { path, value } of face.presets) body.set(path, (field) => literal(field, value));
  for (const param of face.params) body.set(param.path, () => paramValue(param));
  const given = new RequestBody(body);
  for (const exclusive of exclusiveOptions(face.options)) {
    const names = exclusive.map((option) => `${memberName(option.name)}: options.${memberName(option.name)}`);
    given.line(`input.exclusive(method, { ${names.join(', ')} });`);
  }
  for (const option of face.options) given.option(option);
  return [
    `function ${name}(${['method: string', ...params, ...options].join(', ')}): ${pbType(input)} {`,
    `  const request = create(${pbSchema(input)});`,
    ...body.lines.map((line) => `  ${line}`),
    ...(face.options.length > 0
      ? ['  if (options === undefined) return request;', ...given.lines.map((line) => `  ${line}`)]
      : []),
    '  return request;',
    '}',
  ]
    .join('\n')
    .replace(
      /\(method: string/,
      usesMethod([...body.lines, ...given.lines]) ? '(method: string' : '(_method: string',
    );
}

function usesMethod(lines: readonly string[]): boolean {
  return lines.some((line) => /\bmethod\b/.test(line));
}

function paramValue(param: ParamModel): string {
  const given = memberName(param.name);
  const rest = `${given}, method, '${given}'`;
  const last = param.path.at(-1)!;
  const message = last.message;
  if (param.element !== undefined && param.type.kind === 'list') {
    const { localName } = param.element;
    const values = `input.list(${converter(param.type.of)}, ${rest})`;
    return `${values}.map((${localName}) => create(${pbSchema(message!)}, { ${localName} }))`;
  }
  if (param.entries !== undefined && param.type.kind === 'map') {
    const [key, value] = [param.entries.key.localName, param.entries.value.localName];
    const values = `input.entries(${converter(param.type.of)}, ${rest})`;
    return `${values}.map(([${key}, ${value}]) => create(${pbSchema(message!)}, { ${key}, ${value} }))`;
  }
  if (param.negate) {
    const is64 = param.type.kind === 'int' && param.type.bits === 64;
    return is64 ? `input.negated(${rest})` : `-${writing(param.type, given, 'method', `'${given}'`)}`;
  }
  return writing(param.type, given, 'method', `'${given}'`);
}

/** Options of which only one can be sent. */
function exclusiveOptions(options: readonly OptionModel[]): OptionModel[][] {
  const byOneof = Map.groupBy(options, ({ path }) => {
    const { oneof } = path.at(-1)!;
    return oneof === undefined ? '' : [...path.slice(0, -1).map(({ name }) => name), oneof.name].join('.');
  });
  return [...byOneof]
    .filter(([oneof, members]) => oneof !== '' && members.length > 1)
    .map(([, members]) => members);
}

/** Lines that set fields of a request. Messages on the way to a field are made once. */
class RequestBody {
  readonly lines: string[] = [];
  readonly #made: Set<string>;

  constructor(before?: RequestBody) {
    this.#made = new Set(before === undefined ? [] : before.#made);
  }

  line(line: string): void {
    this.lines.push(line);
  }

  set(path: FieldPath, value: (field: FieldPath[number]) => string): void {
    this.lines.push(assignment(path.at(-1)!, this.#holder(path), value(path.at(-1)!)));
  }

  option({ name, path, type }: OptionModel): void {
    const field = path.at(-1)!;
    const given = `options.${memberName(name)}`;
    const value = writing(type, given, 'method', `'${memberName(name)}'`);
    const holder = this.#holder(path);
    if (type.kind === 'bool' && field.oneof !== undefined) {
      // False is no choice among several.
      const chosen = assignment(field, holder, 'true');
      this.lines.push(`if (${given} !== undefined && ${value}) ${chosen}`);
    } else this.lines.push(`if (${given} !== undefined) ${assignment(field, holder, value)}`);
  }

  /** The message that has the last field of a path. */
  #holder(path: FieldPath): string {
    let holder = 'request';
    for (const field of path.slice(0, -1)) {
      const name = `${holder === 'request' ? '' : holder}${field.localName}`;
      if (!this.#made.has(name)) {
        this.#made.add(name);
        this.lines.push(
          `const ${name} = create(${pbSchema(field.message!)});`,
          assignment(field, holder, name),
        );
      }
      holder = name;
    }
    return holder;
  }
}
