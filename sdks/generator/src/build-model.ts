/**
 * Reads the model of the SDKs off descriptors and their `gomsg.sdk.v1` options. What the options ask for is checked
 * against the messages here, so that an emitter can rely on it and a mistake names the rpc and the face.
 */
import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import { docOf } from './comments.ts';
import {
  error as errorOption,
  type Face,
  field as fieldOption,
  message as messageOption,
  method as methodOption,
  type Param,
  type Result,
  Resume,
  type Stream,
} from './gen/gomsg/sdk/v1/options_pb.js';
import type {
  EnumModel,
  FaceModel,
  FieldPath,
  Idempotency,
  MessageModel,
  OptionModel,
  ParamModel,
  PresetModel,
  ReasonModel,
  ResultModel,
  RpcModel,
  SdkModel,
  ServiceModel,
  StreamModel,
  ValueType,
} from './model.ts';
import { lowerSnake } from './names.ts';
import {
  isFieldName,
  isMethodName,
  isParameterName,
  isServiceName,
  isTypeName,
  isValueName,
} from './reserved-names.ts';

/** An option that cannot be carried out: the message names the rpc, the face and the field. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

const REASON_ENUM = 'ErrorReason';
const REASON_PREFIX = 'ERROR_REASON_';
const CLIENT_ONLY = 'Only in SDKs:';

/** Canonical gRPC codes by number, as the families of errors are called. */
const FAMILIES: readonly string[] = [
  'ok',
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

const IDEMPOTENCY: Readonly<Record<Level, Idempotency>> = {
  [Level.IDEMPOTENCY_UNKNOWN]: 'unknown',
  [Level.IDEMPOTENT]: 'idempotent',
  [Level.NO_SIDE_EFFECTS]: 'no_side_effects',
};

/** @throws ModelError for an option that names what is not there, or two things of one name */
export function buildModel(files: readonly DescFile[]): SdkModel {
  return new ModelBuilder().build(files);
}

class ModelBuilder {
  readonly #messages = new Map<string, { -readonly [K in keyof MessageModel]: MessageModel[K] }>();
  readonly #enums = new Map<string, EnumModel>();
  /** Messages whose fields are being read. */
  readonly #begun = new Set<string>();
  /** In the order in which they are complete: a type comes after those that it uses. */
  readonly #finished: MessageModel[] = [];

  build(files: readonly DescFile[]): SdkModel {
    const rpcs: RpcModel[] = [];
    const services: ServiceModel[] = [];
    for (const service of files.flatMap((file) => file.services)) {
      const name = lowerSnake(service.name.replace(/Service$/, ''));
      const faces: FaceModel[] = [];
      for (const method of service.methods) {
        const options = getOption(method, methodOption);
        if (options.number === 0) continue;
        const rpc = rpcModel(method, options.number, options.route);
        rpcs.push(rpc);
        faces.push(...options.faces.map((face) => this.#face(name, rpc, face)));
      }
      requireDistinct(
        `${service.typeName}: faces`,
        faces.flatMap((face) => methodNames(face)),
      );
      if (faces.length > 0 && !isServiceName(name)) {
        throw new ModelError(`${service.typeName}: a client cannot have a service called ${name}`);
      }
      if (faces.length > 0) services.push({ name, typeName: service.typeName, doc: docOf(service), faces });
    }
    requireDistinct(
      'numbers of rpcs',
      rpcs.map(({ number }) => String(number)),
    );
    requireDistinct(
      'names of services',
      services.map(({ name }) => name),
    );
    const types = [...this.#finished, ...this.#enums.values()].map(({ name }) => name);
    requireDistinct('names of types', types);
    const taken = types.find((name) => !isTypeName(name));
    if (taken !== undefined)
      throw new ModelError(`the type ${taken} needs another name: it has a meaning in SDKs`);
    return {
      services,
      rpcs,
      messages: this.#finished,
      enums: [...this.#enums.values()],
      reasons: files.flatMap((file) => file.enums).flatMap(reasonModels),
    };
  }

  #face(service: string, rpc: RpcModel, face: Face): FaceModel {
    const where = `${rpc.path}: face ${face.name || '(without a name)'}`;
    if (!isMethodName(face.name)) {
      throw new ModelError(`${where}: the name must be in snake_case, and no member of every object`);
    }
    const { input, output, methodKind } = rpc.desc;
    const isStream = methodKind === 'server_streaming';
    if (!isStream && methodKind !== 'unary')
      throw new ModelError(`${where}: ${methodKind} rpcs have no faces`);
    if (isStream !== (face.stream !== undefined)) {
      throw new ModelError(`${where}: \`stream\` belongs to a server-streaming rpc, and to no other`);
    }
    if (isStream && face.result !== undefined) throw new ModelError(`${where}: a stream has no result`);

    const result = face.result && this.#result(where, input, output, face.result);
    const params = face.params.map((param) => this.#param(where, input, param));
    const options = face.options.flatMap((path) => this.#options(where, input, path));
    requireDistinct(
      `${where}: parameters and options`,
      [...params, ...options].map(({ name }) => name),
    );
    for (const { name } of [...params, ...options]) {
      if (!isParameterName(name)) {
        throw new ModelError(
          `${where}: ${name} cannot be a parameter in every language: give it another name`,
        );
      }
    }
    return {
      name: face.name,
      spelled: {
        ...(face.spelled?.go && { go: face.spelled.go }),
        ...(face.spelled?.node && { node: face.spelled.node }),
        ...(face.spelled?.python && { python: face.spelled.python }),
      },
      service,
      doc: face.doc || docOf(rpc.desc),
      rpc,
      kind: isStream ? 'stream' : result?.pages ? 'pages' : 'unary',
      params,
      presets: face.presets.map(({ field, json }) => preset(where, input, field, json)),
      options,
      result,
      stream: face.stream && this.#stream(where, input, output, face.stream),
      hasBytesTwin: result !== undefined && scalarOf(result.type).kind === 'text',
    };
  }

  #param(where: string, input: DescMessage, param: Param): ParamModel {
    const path = pathOf(where, input, param.field);
    const last = path.at(-1)!;
    const inner = { element: undefined, entries: undefined };
    const common = {
      name: param.name || nameOf(last),
      doc: docOf(last),
      path,
      negate: param.negate,
    };
    if (param.negate && this.#type(last, 'input').kind !== 'int') {
      throw new ModelError(`${where}: ${param.field} is not an integer that could be negated`);
    }
    if (param.element) {
      const element = child(where, repeatedMessage(where, last), param.element);
      return { ...common, ...inner, element, type: { kind: 'list', of: this.#type(element, 'input') } };
    }
    if (param.mapKey || param.mapValue) {
      const of = repeatedMessage(where, last);
      const entries = { key: child(where, of, param.mapKey), value: child(where, of, param.mapValue) };
      if (this.#type(entries.key, 'input').kind !== 'string') {
        throw new ModelError(`${where}: ${param.mapKey} cannot be the key of a map: it is no string`);
      }
      return { ...common, ...inner, entries, type: { kind: 'map', of: this.#type(entries.value, 'input') } };
    }
    return { ...common, ...inner, type: this.#type(last, 'input') };
  }

  #options(where: string, input: DescMessage, path: string): OptionModel[] {
    const paths = path.endsWith('.*')
      ? fieldsBelow(where, input, path.slice(0, -2))
      : [pathOf(where, input, path)];
    return paths.map((fields) => {
      const last = fields.at(-1)!;
      return {
        name: nameOf(last),
        doc: docOf(last),
        path: fields,
        type: this.#type(last, 'input'),
        hasPresence: hasPresence(last),
      };
    });
  }

  #result(where: string, input: DescMessage, output: DescMessage, result: Result): ResultModel {
    const base = { first: result.first, element: undefined, present: undefined, pages: undefined, fill: [] };
    if (result.field === '') {
      return {
        ...base,
        field: undefined,
        type: { kind: 'message', message: this.#message(output, 'output') },
      };
    }
    const field = child(where, output, result.field);
    const elementOf = (name: string) => child(where, repeatedMessage(where, field), name);
    const element = result.element ? elementOf(result.element) : undefined;
    const present = result.present ? elementOf(result.present) : undefined;

    if (present !== undefined && element === undefined) {
      throw new ModelError(
        `${where}: \`present\` says of which \`element\`s there is nothing, and there is none`,
      );
    }
    let type = this.#type(element ?? field, 'output');
    if (present !== undefined) type = { kind: 'optional', of: type };
    if (element !== undefined) type = { kind: 'list', of: type };
    if (result.first) {
      if (type.kind !== 'list')
        throw new ModelError(`${where}: ${result.field} is no list that has a first element`);
      type = { kind: 'optional', of: type.of };
    }
    if (result.optional) type = { kind: 'optional', of: type };
    if (result.pages && type.kind !== 'list')
      throw new ModelError(`${where}: ${result.field} is no list of pages`);
    return {
      field,
      type,
      first: result.first,
      element,
      present,
      pages: result.pages
        ? { cursor: child(where, input, 'cursor'), nextCursor: child(where, output, 'next_cursor') }
        : undefined,
      fill: result.fill.map((name) => ({ to: elementOf(name), from: child(where, input, name) })),
    };
  }

  #stream(where: string, input: DescMessage, output: DescMessage, stream: Stream): StreamModel {
    if (stream.resume === Resume.UNSPECIFIED) throw new ModelError(`${where}: say how the stream resumes`);
    if (stream.resume === Resume.WATCH) {
      child(where, output, 'resume_token');
      for (const name of ['resume_token', 'from_revision']) child(where, input, name);
    }
    const items = child(where, output, stream.items);
    const type = this.#type(items, 'output');
    return {
      items,
      type: type.kind === 'list' ? type.of : type,
      resume: stream.resume,
      subscribed: output.fields.find(({ name }) => name === 'subscribed'),
    };
  }

  #type(field: DescField, use: 'input' | 'output'): ValueType {
    switch (field.fieldKind) {
      case 'scalar':
        return scalarType(field.scalar, field);
      case 'enum':
        return { kind: 'enum', enum: this.#enum(field.enum) };
      case 'message':
        return this.#messageType(field.message, use);
      case 'list':
        return {
          kind: 'list',
          of:
            field.listKind === 'scalar'
              ? scalarType(field.scalar, field)
              : field.listKind === 'enum'
                ? { kind: 'enum', enum: this.#enum(field.enum) }
                : this.#messageType(field.message, use),
        };
      case 'map':
        if (field.mapKey !== ScalarType.STRING || field.mapKind !== 'scalar') {
          throw new ModelError(
            `${field.parent.typeName}.${field.name}: maps in SDKs go from strings to scalars`,
          );
        }
        return { kind: 'map', of: scalarType(field.scalar, field) };
    }
  }

  #messageType(message: DescMessage, use: 'input' | 'output'): ValueType {
    if (message.typeName === 'google.protobuf.Duration') return { kind: 'duration' };
    if (message.typeName === 'google.protobuf.Timestamp') return { kind: 'timestamp' };
    return { kind: 'message', message: this.#message(message, use) };
  }

  #message(desc: DescMessage, use: 'input' | 'output'): MessageModel {
    if (this.#begun.has(desc.typeName)) {
      throw new ModelError(`${desc.typeName}: a type that holds itself is none in every language`);
    }
    const isInput = use === 'input';
    let model = this.#messages.get(desc.typeName);
    const isKnown = model !== undefined && (isInput ? model.isInput : model.isOutput);
    if (isKnown) return model!;

    const options = getOption(desc, messageOption);
    const isNew = model === undefined;
    model ??= {
      desc,
      name: options.name || desc.name,
      doc: docOf(desc),
      handwritten: options.handwritten,
      fields: [],
      isInput: false,
      isOutput: false,
    };
    this.#messages.set(desc.typeName, model);
    if (isInput) model.isInput = true;
    else model.isOutput = true;
    // A handwritten type is the runtime's: what its fields need is the runtime's to know.
    if (!model.handwritten) {
      for (const field of desc.fields) requireFieldName(field);
      this.#begun.add(desc.typeName);
      model.fields = desc.fields.map((field) => ({
        desc: field,
        name: nameOf(field),
        doc: docOf(field),
        type: this.#type(field, use),
        hasPresence: hasPresence(field),
        oneof: field.oneof,
      }));
    }
    this.#begun.delete(desc.typeName);
    if (isNew) this.#finished.push(model);
    return model;
  }

  #enum(desc: DescEnum): EnumModel {
    let model = this.#enums.get(desc.typeName);
    if (model === undefined) {
      const prefix = `${lowerSnake(desc.name).toUpperCase()}_`;
      model = {
        desc,
        name: desc.name,
        doc: docOf(desc),
        values: desc.values
          .filter(({ number }) => number !== 0)
          .map((value) => ({
            number: value.number,
            name: value.name.replace(prefix, '').toLowerCase(),
            protoName: value.name,
            doc: docOf(value),
          })),
      };
      const odd = model.values.find(({ name }) => !isValueName(name));
      if (odd)
        throw new ModelError(
          `${desc.typeName}: ${odd.protoName} would be called ${odd.name}, which is no name`,
        );
      requireDistinct(
        `${desc.typeName}: values`,
        model.values.map(({ name }) => name),
      );
      this.#enums.set(desc.typeName, model);
    }
    return model;
  }
}

function rpcModel(desc: DescMethod, number: number, route: string): RpcModel {
  const path = `${desc.parent.typeName}/${desc.name}`;
  const waits = desc.input.fields.filter((field) => getOption(field, fieldOption).extendsTimeout);
  if (waits.length > 1) throw new ModelError(`${path}: only one field can extend the timeout`);
  return {
    desc,
    path,
    number,
    idempotency: IDEMPOTENCY[desc.idempotency],
    route: route === '' ? [] : pathOf(`${path}: route`, desc.input, route, true),
    extendsTimeout: waits[0],
  };
}

function reasonModels(desc: DescEnum): ReasonModel[] {
  if (desc.name !== REASON_ENUM) return [];
  return desc.values
    .filter((value) => hasOption(value, errorOption))
    .map((value) => {
      const { code, retryable, action } = getOption(value, errorOption);
      const doc = docOf(value);
      const family = FAMILIES[code];
      if (family === undefined) throw new ModelError(`${value.name}: ${code} is no gRPC code`);
      return {
        number: value.number,
        name: value.name.slice(REASON_PREFIX.length),
        doc,
        code,
        family,
        retryable,
        action,
        isClientOnly: doc.startsWith(CLIENT_ONLY),
      };
    });
}

/** Every method that a face becomes, in snake_case. */
export function methodNames(face: FaceModel): string[] {
  return [
    face.name,
    ...(face.kind === 'pages' ? [`${face.name}_iter`] : []),
    ...(face.hasBytesTwin ? [`${face.name}_bytes`] : []),
  ];
}

/** What an emitter makes of a face; what it cannot do is said with the rpc and the face. */
export function ofFace<T>({ rpc, name }: FaceModel, emit: () => T): T {
  try {
    return emit();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(`${rpc.path}: face ${name}: ${error.message}`);
  }
}

/** What is left of a type without its lists and options. */
export function scalarOf(type: ValueType): ValueType {
  return type.kind === 'list' || type.kind === 'optional' || type.kind === 'map' ? scalarOf(type.of) : type;
}

function scalarType(scalar: ScalarType, field: DescField): ValueType {
  switch (scalar) {
    case ScalarType.STRING:
      return { kind: 'string' };
    case ScalarType.BOOL:
      return { kind: 'bool' };
    case ScalarType.BYTES:
      return { kind: getOption(field, fieldOption).text ? 'text' : 'bytes' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { kind: 'double' };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { kind: 'int', bits: 32, signed: true };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { kind: 'int', bits: 32, signed: false };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return { kind: 'int', bits: 64, signed: true };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { kind: 'int', bits: 64, signed: false };
  }
}

function hasPresence(field: DescField): boolean {
  if (field.fieldKind === 'message') return true;
  return field.oneof !== undefined || field.proto.proto3Optional;
}

function nameOf(field: DescField): string {
  return getOption(field, fieldOption).name || field.name;
}

function child(where: string, message: DescMessage, name: string): DescField {
  const field = message.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new ModelError(`${where}: ${message.typeName} has no field ${name}`);
  requireFieldName(field);
  return field;
}

/** Of a route the first element of a list counts; nothing else goes through lists. */
function pathOf(where: string, message: DescMessage, path: string, throughLists = false): FieldPath {
  const fields: DescField[] = [];
  let at: DescMessage | undefined = message;
  for (const name of path.split('.')) {
    if (at === undefined)
      throw new ModelError(`${where}: in ${path}, ${name} is below a field that is no message`);
    const field = child(where, at, name);
    fields.push(field);
    at = field.fieldKind === 'message' || throughLists ? field.message : undefined;
  }
  return fields;
}

function fieldsBelow(where: string, message: DescMessage, path: string): FieldPath[] {
  const fields = pathOf(where, message, path);
  const last = fields.at(-1)!;
  if (last.fieldKind !== 'message') throw new ModelError(`${where}: ${path} is no message`);
  for (const field of last.message.fields) requireFieldName(field);
  return last.message.fields.map((field) => [...fields, field]);
}

function repeatedMessage(where: string, field: DescField): DescMessage {
  if (field.fieldKind === 'list' && field.listKind === 'message') return field.message;
  throw new ModelError(`${where}: ${field.name} is no repeated message`);
}

function preset(where: string, input: DescMessage, path: string, json: string): PresetModel {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ModelError(`${where}: the preset of ${path} is no JSON: ${json}`);
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw new ModelError(`${where}: the preset of ${path} must be a text, number or boolean`);
  }
  const fields = pathOf(where, input, path);
  const last = fields.at(-1)!;
  if (typeof value !== presetType(last)) {
    throw new ModelError(`${where}: the preset of ${path} is no value of this field: ${json}`);
  }
  if (last.fieldKind === 'enum' && !last.enum.values.some(({ name }) => name === value)) {
    throw new ModelError(`${where}: the preset of ${path} is no value of ${last.enum.typeName}: ${json}`);
  }
  return { path: fields, value };
}

/** What JSON has for values of a field; undefined where no preset can be. */
function presetType(field: DescField): 'string' | 'number' | 'boolean' | undefined {
  if (field.fieldKind === 'enum') return 'string';
  if (field.fieldKind !== 'scalar') return undefined;
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) return 'string';
  return field.scalar === ScalarType.BOOL ? 'boolean' : 'number';
}

function requireFieldName({ name, parent }: DescField): void {
  if (!isFieldName(name)) {
    throw new ModelError(`${parent.typeName}.${name}: no field of every language can be called so`);
  }
}

function requireDistinct(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ModelError(`${what}: ${twice} is there twice`);
}
