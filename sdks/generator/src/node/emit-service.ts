/** One service: a class whose methods are the faces of its rpcs, and the options of each. */
import type { GeneratedFile } from '../generated-file.ts';
import { type FaceModel, type ResultModel, Resume, type SdkModel, type ServiceModel } from '../model.ts';
import { imports, typeNames } from './imports.ts';
import { requestFunction } from './requests.ts';
import { docComment, generatedFile, memberName, methodName, typeName } from './source.ts';
import { inputType, isClass, outputType, pbAlias, pbType, readerOf, reading } from './values.ts';

export function emitService(service: ServiceModel, model: SdkModel): GeneratedFile {
  const faces = service.faces.map((face) => new FaceEmitter(face));
  const className = serviceClass(service);
  const fields = [
    ...(service.faces.some(({ kind }) => kind !== 'stream') ? ['calls: Calls'] : []),
    ...(service.faces.some(({ kind }) => kind === 'stream') ? ['streams: Streams'] : []),
  ];
  const body = [
    faces.flatMap((face) => face.constants()).join('\n'),
    ...faces.flatMap((face) => face.optionsInterface()),
    [
      docComment(service.doc),
      `export class ${className} {`,
      ...fields.map((field) => `  readonly #${field};`),
      '',
      '  /** Made by `connect`. */',
      `  constructor(${fields.join(', ')}) {`,
      ...fields.map((field) => `    this.#${field.split(':')[0]} = ${field.split(':')[0]};`),
      '  }',
      ...faces.flatMap((face) => face.methods().flatMap((method) => ['', method])),
      '}',
    ].join('\n'),
    ...faces.map((face) => face.request()),
    ...faces.flatMap((face) => face.readers()),
  ];
  return generatedFile(`${service.name}.ts`, [imports(body.join('\n'), model, typeNames(model)), ...body]);
}

/** `kv` → `KV`, `queue` → `Queue`. */
export function serviceClass(service: { readonly name: string }): string {
  return typeName(service.name);
}

/** The interface of a method's own options; undefined when it has none. */
export function optionsInterfaceName(face: FaceModel): string | undefined {
  return face.options.length === 0 ? undefined : typeName(face.service, face.name, 'options');
}

/** A method and its twin that gives bytes share all but their names. */
interface Variant {
  readonly suffix: '' | '_bytes';
  readonly constant: string;
  readonly bytes: boolean;
}

class FaceEmitter {
  readonly #face: FaceModel;
  readonly #variants: readonly Variant[];
  readonly #requestName: string;

  constructor(face: FaceModel) {
    this.#face = face;
    const constant = face.name.toUpperCase();
    this.#variants = [
      { suffix: '', constant, bytes: false },
      ...(face.hasBytesTwin
        ? [{ suffix: '_bytes', constant: `${constant}_BYTES`, bytes: true } as const]
        : []),
    ];
    this.#requestName = `${memberName(face.name)}Request`;
  }

  constants(): string[] {
    const { service, kind, rpc, options } = this.#face;
    const make = kind === 'stream' ? 'streamFace' : 'unaryFace';
    const desc = `${pbAlias(rpc.desc.parent.file)}.${rpc.desc.parent.name}.method.${rpc.desc.localName}`;
    const names = options.map(({ name }) => `'${memberName(name)}'`);
    const common = kind === 'stream' ? ["'signal'", "'onError'"] : ['...CALL_OPTIONS'];
    return [
      ...this.#variants.map(
        ({ suffix, constant }) =>
          `const ${constant} = ${make}('${service}.${methodName(this.#face, suffix)}', ${desc});`,
      ),
      ...(options.length > 0 || kind === 'stream'
        ? [
            `const ${this.#optionNames}: ReadonlySet<string> = new Set([${[...names, ...common].join(', ')}]);`,
          ]
        : []),
    ];
  }

  optionsInterface(): string[] {
    const { options, kind, service } = this.#face;
    const name = optionsInterfaceName(this.#face);
    if (name === undefined) return [];
    return [
      [
        docComment(`Options of \`${service}.${methodName(this.#face)}\`.`),
        `export interface ${name} extends ${kind === 'stream' ? 'StreamOptions' : 'CallOptions'} {`,
        ...options.map(
          (option) =>
            `${docComment(option.doc, '  ')}\n  readonly ${memberName(option.name)}?: ${inputType(option.type)};`,
        ),
        '}',
      ].join('\n'),
    ];
  }

  methods(): string[] {
    switch (this.#face.kind) {
      case 'unary':
        return this.#variants.map((variant) => this.#unary(variant));
      case 'pages':
        return this.#variants.flatMap((variant) => this.#pages(variant));
      case 'stream':
        return [this.#stream()];
    }
  }

  request(): string {
    return requestFunction(this.#face, this.#requestName, this.#optionsType);
  }

  /** Functions that read a response, where that needs nothing of the request. */
  readers(): string[] {
    const { kind, result, rpc } = this.#face;
    if (kind === 'stream' || result === undefined || result.fill.length > 0) return [];
    return this.#variants.map((variant) => {
      const value = resultExpression(result, variant.bytes);
      const isUsed = value.includes('origin');
      const parameters = `response: ${pbType(rpc.desc.output)}${isUsed ? ', origin: Origin' : ''}`;
      return [
        `function ${this.#readerName(variant)}(${parameters}): ${outputType(result.type, variant.bytes)} {`,
        `  return ${value};`,
        '}',
      ].join('\n');
    });
  }

  get #optionNames(): string {
    return `${this.#face.name.toUpperCase()}_OPTIONS`;
  }

  get #optionsType(): string {
    const common = this.#face.kind === 'stream' ? 'StreamOptions' : 'CallOptions';
    return optionsInterfaceName(this.#face) ?? common;
  }

  get #params(): string[] {
    return this.#face.params.map(({ name, type }) => `${memberName(name)}: ${inputType(type)}`);
  }

  #readerName({ suffix }: Variant): string {
    return `${methodName(this.#face, suffix)}Result`;
  }

  #doc(extra = ''): string {
    const { doc, params } = this.#face;
    const tags = params
      .filter((param) => param.doc !== '')
      .map((param) => `@param ${memberName(param.name)} ${param.doc.replaceAll(/\s+/g, ' ')}`);
    return docComment([doc, extra, ...tags].filter((part) => part !== '').join('\n\n'), '  ');
  }

  #requestCall(constant: string, options: string): string {
    const given = [`${constant}.name`, ...this.#face.params.map(({ name }) => memberName(name))];
    if (this.#face.options.length > 0) given.push(options);
    return `${this.#requestName}(${given.join(', ')})`;
  }

  #checkedOptions(constant: string): string {
    const names = this.#face.options.length > 0 ? this.#optionNames : 'CALL_OPTIONS';
    return `optionsOf(options, ${names}, ${constant}.name)`;
  }

  #unary(variant: Variant): string {
    const { constant, suffix, bytes } = variant;
    const { result, rpc } = this.#face;
    const type = result === undefined ? 'void' : outputType(result.type, bytes);
    const read =
      result === undefined
        ? undefined
        : result.fill.length > 0
          ? filledReader(result, bytes)
          : this.#readerName(variant);
    const wait = rpc.extendsTimeout === undefined ? undefined : `request.${rpc.extendsTimeout.localName}`;
    const args = [
      constant,
      'request',
      'given',
      ...(read || wait ? [read ?? 'undefined'] : []),
      ...(wait ? [wait] : []),
    ];
    return [
      this.#doc(bytes ? 'Gives bytes.' : ''),
      `  ${methodName(this.#face, suffix)}(${[...this.#params, `options?: ${this.#optionsType}`].join(', ')}): Promise<${type}> {`,
      '    try {',
      `      const given = ${this.#checkedOptions(constant)};`,
      `      const request = ${this.#requestCall(constant, 'given')};`,
      `      return this.#calls.unary(${args.join(', ')});`,
      '    } catch (error) {',
      '      return Promise.reject(error);',
      '    }',
      '  }',
    ].join('\n');
  }

  #pages(variant: Variant): string[] {
    const { constant, suffix, bytes } = variant;
    const { result, rpc } = this.#face;
    const elements = outputType(result!.type, bytes);
    const element = result!.type.kind === 'list' ? outputType(result!.type.of, bytes) : elements;
    const { cursor, nextCursor } = result!.pages!;
    const isSet = (name: string) =>
      [...this.#face.params, ...this.#face.options].some(({ path }) => path[0]!.name === name);
    const limit = rpc.desc.input.fields.find(({ name }) => name === 'limit' && !isSet(name));
    const read = result!.fill.length > 0 ? filledReader(result!, bytes) : this.#readerName(variant);
    const paging = [
      `cursor: '${cursor.localName}'`,
      `nextCursor: '${nextCursor.localName}'`,
      `limit: ${limit === undefined ? 'undefined' : `'${limit.localName}'`}`,
      `elements: ${read}`,
    ].join(', ');
    const signature = [...this.#params, `options?: ${this.#optionsType}`].join(', ');
    const iter = `${methodName(this.#face, suffix)}Iter`;
    const prepared = [
      `const given = ${this.#checkedOptions(constant)};`,
      `const request = ${this.#requestCall(constant, 'given')};`,
    ];
    return [
      [
        this.#doc(
          `Collects them, at most as many as the client's \`maxCollected\`; \`${iter}\` yields them one by one.`,
        ),
        `  ${methodName(this.#face, suffix)}(${signature}): Promise<${elements}> {`,
        '    try {',
        ...prepared.map((line) => `      ${line}`),
        `      return this.#calls.collect(${constant}, request, given, { ${paging} });`,
        '    } catch (error) {',
        '      return Promise.reject(error);',
        '    }',
        '  }',
      ].join('\n'),
      [
        this.#doc('Yields them one by one; fetches them as they are asked for.'),
        `  ${iter}(${signature}): AsyncGenerator<${element}, undefined, undefined> {`,
        ...prepared.map((line) => `    ${line}`),
        `    return this.#calls.pages(${constant}, request, given, { ${paging} });`,
        '  }',
      ].join('\n'),
    ];
  }

  #stream(): string {
    const { name, stream } = this.#face;
    const constant = name.toUpperCase();
    const item = outputType(stream!.type);
    const params = this.#params.map((param) => `${param}, `).join('');
    const method = methodName(this.#face);
    const opened = {
      [Resume.UNSPECIFIED]: '',
      [Resume.RESTART]: 'restart',
      [Resume.SUBSCRIPTION]: 'subscribe',
      [Resume.CONSUMER]: 'consume',
      [Resume.WATCH]: 'watch',
    }[stream!.resume];
    const { localName } = stream!.items;
    const items =
      stream!.items.fieldKind === 'list'
        ? `({ ${localName} }) => ${localName}`
        : `({ ${localName} }) => (${localName} === undefined ? [] : [${localName}])`;
    const read =
      stream!.type.kind === 'message' && !isClass(stream!.type.message)
        ? readerOf(stream!.type.message)
        : `(element, origin) => ${reading(stream!.type, 'element', localName)}`;
    const args =
      stream!.resume === Resume.SUBSCRIPTION
        ? [constant, 'request', 'reader']
        : [constant, 'request', items, read, 'reader'];
    return [
      this.#doc(
        'Without a handler the subscription is an async iterable. A signal in the options closes it.',
      ),
      `  ${method}(${params}options?: ${this.#optionsType}): Subscription<${item}>;`,
      this.#doc('The handler gets them one at a time, in order.'),
      `  ${method}(${params}handler: Handler<${item}>, options?: ${this.#optionsType} & HandlerOptions<${item}>): Subscription<${item}>;`,
      `  ${method}(${params}...rest: StreamArguments<${item}, ${this.#optionsType}>): Subscription<${item}> {`,
      `    const reader = this.#streams.readerOf(${constant}, rest, ${this.#optionNames});`,
      `    const request = ${this.#requestCall(constant, 'reader.options')};`,
      `    return this.#streams.${opened}(${args.join(', ')});`,
      '  }',
    ].join('\n');
  }
}

/** Code for the result of `response`. */
function resultExpression(result: ResultModel, bytes: boolean): string {
  const { field, type, first, element, present } = result;
  if (field === undefined) return reading(type, 'response', 'response', bytes);
  const value = `response.${field.localName}`;
  const what = field.localName;
  if (element !== undefined && type.kind === 'list') {
    const one = reading(type.of, `entry.${element.localName}`, element.localName, bytes);
    const found = present === undefined ? one : `entry.${present.localName} ? ${one} : null`;
    return `${value}.map((entry) => (${found}))`;
  }
  if (first && type.kind === 'optional') {
    return `${value}[0] === undefined ? null : ${reading(type.of, `${value}[0]`, what, bytes)}`;
  }
  if (type.kind === 'optional')
    return `${value} === undefined ? null : ${reading(type.of, value, what, bytes)}`;
  const isMessage = type.kind === 'message' || type.kind === 'duration' || type.kind === 'timestamp';
  return reading(type, isMessage ? `present(${value}, origin, '${what}')` : value, what, bytes);
}

/** A function that first puts what the request says into each element. */
function filledReader(result: ResultModel, bytes: boolean): string {
  const fills = result.fill.map(({ to, from }) => `element.${to.localName} = request.${from.localName};`);
  const list = `response.${result.field!.localName}`;
  return [
    '(response, origin) => {',
    `        for (const element of ${list}) ${fills.length === 1 ? fills[0] : `{ ${fills.join(' ')} }`}`,
    `        return ${resultExpression(result, bytes)};`,
    '      }',
  ].join('\n');
}
