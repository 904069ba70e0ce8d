/** A service: its client with a method, or several, for each face. */
import type { DescField } from '@bufbuild/protobuf';
import { ModelError, ofFace } from '../build-model.ts';
import type { GeneratedFile } from '../generated-file.ts';
import { type FaceModel, type OptionModel, type ParamModel, Resume, type ServiceModel } from '../model.ts';
import {
  clientName,
  comment,
  exported,
  goFile,
  methodName,
  named,
  optionsName,
  parameter,
  protoField,
  protoMessage,
  rpcName,
  unexported,
} from './source.ts';
import {
  assign,
  descend,
  elementType,
  fromProto,
  fromProtoName,
  goType,
  isPointer,
  optionStyle,
  optionType,
  type Place,
  toProto,
  zero,
} from './values.ts';

export function emitService(service: ServiceModel): GeneratedFile {
  const client = clientName(service.name);
  return goFile(`${service.name}_gen.go`, [
    `// ${client} calls ${service.typeName}.\n//\n${comment(service.doc)}type ${client} struct {\n\tclient *Client\n}`,
    ...service.faces.flatMap((face) => ofFace(face, () => faceSections(face))),
  ]);
}

function faceSections(face: FaceModel): string[] {
  return [
    ...(hasOptions(face) ? [optionsStruct(face)] : []),
    requestFunction(face),
    ...(face.kind === 'unary' ? unaryMethods(face) : []),
    ...(face.kind === 'pages' ? pagedMethods(face) : []),
    ...(face.kind === 'stream' ? streamMethods(face) : []),
  ];
}

function hasOptions(face: FaceModel): boolean {
  return face.options.length > 0 || face.kind === 'stream';
}

function optionsStruct(face: FaceModel): string {
  const fields = face.options.map(
    (option) => `${comment(option.doc, '\t')}\t${exported(option.name)} ${optionType(option)}\n`,
  );
  if (face.kind === 'stream') {
    const doc =
      face.stream!.resume === Resume.CONSUMER
        ? 'OnError is told of a handler that panicked; its delivery is given back either way. Not used by an iteration.'
        : 'OnError is told of a handler that panicked, and the subscription goes on; without it, it ends. Not used by an iteration.';
    fields.push(`${comment(doc, '\t')}\tOnError func(err error, item ${itemType(face)})\n`);
    fields.push(
      '\t// OnReady is told once the stream is in place for the first time: what happens from then on is not missed.\n\tOnReady func()\n',
    );
  }
  return `// ${optionsName(face)} are the options of ${clientName(face.service)}.${methodName(face)}.\ntype ${optionsName(face)} struct {\n${fields.join('')}}`;
}

// Requests.

function requestName(face: FaceModel): string {
  return `${unexported(face.service)}${methodName(face)}Request`;
}

function requestFunction(face: FaceModel): string {
  const call = `"${face.service}.${face.name}"`;
  const made = new Set<string>();
  const lines: string[] = [];
  if (hasOptions(face)) {
    const uses = face.options.length > 0 ? 'given' : '_';
    lines.push(`${uses}, err := oneOption(${call}, options)`, 'if err != nil {', '\treturn nil, err', '}');
  }
  lines.push(`request := &${protoMessage(face.rpc.desc.input)}{}`);
  for (const param of face.params) lines.push(...setParam(param, call, made));
  for (const { path, value } of face.presets) {
    const { before, target } = descend(path, made);
    const last = path.at(-1)!;
    const literal = typeof value === 'string' ? JSON.stringify(value) : `${value}`;
    lines.push(
      ...before,
      assign(target, last, isPointer(last) ? `proto.${protoScalar(last)}(${literal})` : literal),
    );
  }
  lines.push(...exclusions(face.options, call));
  for (const option of face.options) lines.push(...setOption(option, call, made));
  lines.push('return request, nil');
  const params = signature(face.params);
  const options = hasOptions(face) ? [`options []${optionsName(face)}`] : [];
  return (
    `func ${requestName(face)}(${[...params, ...options].join(', ')}) (*${protoMessage(face.rpc.desc.input)}, error) {\n` +
    `${lines.map((line) => `\t${line}\n`).join('')}}`
  );
}

/** The function of package proto that makes a pointer to a scalar. */
function protoScalar(field: DescField): string {
  const type = field.proto.type;
  const names: Readonly<Record<number, string>> = {
    1: 'Float64',
    2: 'Float32',
    3: 'Int64',
    4: 'Uint64',
    5: 'Int32',
    6: 'Uint64',
    7: 'Uint32',
    8: 'Bool',
    9: 'String',
    13: 'Uint32',
    15: 'Int32',
    16: 'Int64',
    17: 'Int32',
    18: 'Int64',
  };
  const name = names[type];
  if (name === undefined)
    throw new Error(`${field.parent.typeName}.${field.name} cannot have a preset in Go`);
  return name;
}

function signature(params: readonly ParamModel[]): string[] {
  return params.map(({ name, type }) => `${parameter(name)} ${paramType(type)}`);
}

function paramType(type: ParamModel['type']): string {
  return goType(type, 'parameter');
}

function setParam(param: ParamModel, call: string, made: Set<string>): string[] {
  const { path, type, name } = param;
  const last = path.at(-1)!;
  const { before, target } = descend(path, made);
  const where = `${call}, "${name}"`;
  const given = parameter(name);
  if (param.element !== undefined) {
    return [...before, ...elements(param.element, last, target, given, type)];
  }
  if (param.entries !== undefined) {
    const { key, value } = param.entries;
    const made = `&${protoMessage(last.message!)}{${protoField(key)}: key, ${protoField(value)}: ${bytesOf(type, 'value')}}`;
    return [
      ...before,
      `for key, value := range ${given} {`,
      `\t${target}.${protoField(last)} = append(${target}.${protoField(last)}, ${made})`,
      '}',
    ];
  }
  const local = `${unexported(name)}Sent`;
  const negated = param.negate ? `-${given}` : given;
  const overflow = param.negate
    ? [`if ${given} == -1<<63 {`, `\treturn nil, invalid(${where}, "its negative is no 64-bit integer")`, '}']
    : [];
  const converted = toProto(type, negated, where, local);
  if (isPointer(last) && converted.before.length === 0) {
    return [...before, ...overflow, `${local} := ${converted.value}`, assign(target, last, `&${local}`)];
  }
  return [
    ...before,
    ...overflow,
    ...converted.before,
    assign(target, last, isPointer(last) ? `&${converted.value}` : converted.value),
  ];
}

function elements(
  element: DescField,
  list: DescField,
  target: string,
  given: string,
  type: ParamModel['type'],
): string[] {
  const message = `&${protoMessage(list.message!)}{${protoField(element)}: ${bytesOf(type, 'element')}}`;
  return [
    `for _, element := range ${given} {`,
    `\t${target}.${protoField(list)} = append(${target}.${protoField(list)}, ${message})`,
    '}',
  ];
}

/** The element or value of a list or map, of text or of what protobuf has as it is. */
function bytesOf(type: ParamModel['type'], value: string): string {
  if (type.kind !== 'list' && type.kind !== 'map') throw new Error('only lists and maps have elements');
  if (type.of.kind === 'text') return `[]byte(${value})`;
  if (['string', 'bool', 'double', 'bytes'].includes(type.of.kind)) return value;
  throw new ModelError(`elements of kind ${type.of.kind} are not parameters in Go yet`);
}

/** Of options that exclude each other, only one may be given. */
function exclusions(options: readonly OptionModel[], call: string): string[] {
  const groups = Map.groupBy(
    options.filter(({ path }) => path.at(-1)!.oneof !== undefined),
    ({ path }) => path.at(-1)!.oneof,
  );
  return [...groups.values()].flatMap((group) => {
    if (group.length < 2) return [];
    const given = group.map((option) => isGiven(option));
    const names = group.map(({ name }) => name).join(', ');
    return [
      `if countTrue(${given.join(', ')}) > 1 {`,
      `\treturn nil, invalid(${call}, "${group[0]!.name}", "only one of ${names} may be given")`,
      '}',
    ];
  });
}

function isGiven(option: OptionModel): string {
  const given = `given.${exported(option.name)}`;
  if (optionStyle(option) === 'pointer') return `${given} != nil`;
  if (option.type.kind === 'bool') return given;
  if (option.type.kind === 'timestamp') return `!${given}.IsZero()`;
  if (option.type.kind === 'enum') return `${given} != ""`;
  return `${given} != 0`;
}

function setOption(option: OptionModel, call: string, made: Set<string>): string[] {
  const { path, type, name } = option;
  const last = path.at(-1)!;
  const { before, target } = descend(path, made);
  const where = `${call}, "${name}"`;
  const given = `given.${exported(name)}`;
  const local = unexported(name);
  const isPtr = optionStyle(option) === 'pointer';
  if (type.kind === 'duration') {
    return [...before, assign(target, last, `${isPtr ? 'durationPtrOption' : 'durationOption'}(${given})`)];
  }
  if (isPtr && isPointer(last)) {
    if (type.kind === 'int' && type.bits === 32 && !type.signed) {
      return [
        ...before,
        `${local}, err := number32Ptr(${where}, ${given})`,
        'if err != nil {',
        '\treturn nil, err',
        '}',
        assign(target, last, local),
      ];
    }
    return [...before, assign(target, last, given)];
  }
  const inner = isPtr ? `*${given}` : given;
  const converted = toProto(type, inner, where, local);
  const set = [...converted.before, assign(target, last, converted.value)];
  if (isPtr || last.oneof !== undefined) {
    return [...before, `if ${isGiven(option)} {`, ...set.map((line) => `\t${line}`), '}'];
  }
  return [...before, ...set];
}

// Methods.

function parameters(face: FaceModel): string {
  const options = hasOptions(face) ? [`options ...${optionsName(face)}`] : [];
  return ['ctx context.Context', ...signature(face.params), ...options].join(', ');
}

function arguments_(face: FaceModel): string {
  return [...face.params.map(({ name }) => parameter(name)), ...(hasOptions(face) ? ['options'] : [])].join(
    ', ',
  );
}

/** The name whose slot decides where a call goes, as code on its request. */
function routeOf(face: FaceModel): string {
  const { route } = face.rpc;
  if (route.length === 0) return '""';
  const code = route.reduce((target, field) => {
    const got = `${target}.Get${protoField(field)}()`;
    return field.fieldKind === 'list' ? `firstOf(${got})` : got;
  }, 'request');
  return route.at(-1)!.name === 'delivery_id' ? `queueOf(${code})` : code;
}

function callOf(face: FaceModel): string {
  const wait = face.rpc.extendsTimeout;
  const waits = wait === undefined ? '0' : `request.Get${protoField(wait)}().AsDuration()`;
  return `c.client.unary(ctx, &${rpcName(face.rpc)}, "${face.service}.${face.name}", ${routeOf(face)}, ${waits}, request, &response)`;
}

function head(
  face: FaceModel,
  suffix: string,
  returns: string,
  doc: string,
  params = parameters(face),
): string {
  const name = methodName(face, suffix);
  return `${comment(named(name, doc))}func (c *${clientName(face.service)}) ${name}(${params}) ${returns} {\n`;
}

function unaryMethods(face: FaceModel): string[] {
  const twin = `returns what ${methodName(face)} does as bytes.`;
  return [
    unaryMethod(face, '', 'result', face.doc),
    ...(face.hasBytesTwin ? [unaryMethod(face, 'bytes', 'bytes', twin)] : []),
  ];
}

function unaryMethod(face: FaceModel, suffix: string, place: Place, doc: string): string {
  const { result } = face;
  const go = result === undefined ? undefined : goType(result.type, place);
  const failed = go === undefined ? 'return err' : `return ${zero(go)}, err`;
  const returns = go === undefined ? 'error' : `(${go}, error)`;
  return (
    head(face, suffix, returns, doc) +
    `\trequest, err := ${requestName(face)}(${arguments_(face)})\n\tif err != nil {\n\t\t${failed}\n\t}\n` +
    `\tvar response ${protoMessage(face.rpc.desc.output)}\n` +
    (go === undefined
      ? `\treturn ${callOf(face)}\n}`
      : `\tif err := ${callOf(face)}; err != nil {\n\t\t${failed}\n\t}\n${resultOf(face, place)}}`)
  );
}

function resultOf(face: FaceModel, place: Place): string {
  const { field, type, first, element, present } = face.result!;
  if (field === undefined) return `\treturn ${fromProto(type, '&response', 'c.client', place)}, nil\n`;
  const got = `response.${protoField(field)}`;
  const filled = fill(face, got);
  if (first && type.kind === 'optional') {
    return `${filled}\tif len(${got}) == 0 {\n\t\treturn nil, nil\n\t}\n\treturn ${fromProto(type.of, `${got}[0]`, 'c.client', place)}, nil\n`;
  }
  if (element !== undefined && type.kind === 'list') {
    const of = elementType(type.of, place);
    const inner = type.of.kind === 'optional' ? type.of.of : type.of;
    const value = fromProto(inner, `element.${protoField(element)}`, 'c.client', place);
    const set =
      present === undefined
        ? `\t\telements[i] = ${value}\n`
        : `\t\tif element.${protoField(present)} {\n\t\t\telements[i] = ${of}{Value: ${value}, Found: true}\n\t\t}\n`;
    return `\telements := make([]${of}, len(${got}))\n\tfor i, element := range ${got} {\n${set}\t}\n\treturn elements, nil\n`;
  }
  return `${filled}\treturn ${fromProto(type, got, 'c.client', place)}, nil\n`;
}

function fill(face: FaceModel, list: string): string {
  const { fill } = face.result!;
  if (fill.length === 0) return '';
  const lines = fill.map(({ to, from }) => `\t\telement.${protoField(to)} = request.${protoField(from)}\n`);
  return `\tfor _, element := range ${list} {\n${lines.join('')}\t}\n`;
}

/** Pages as large as the client takes them, where the caller has no say in it: some rpcs give a single element otherwise. */
function pageLimit(face: FaceModel): string {
  const limit = face.rpc.desc.input.fields.find(({ name }) => name === 'limit');
  const isTaken = [...face.params, ...face.options].some(({ path }) => path[0] === limit);
  return limit === undefined || isTaken ? '' : `\trequest.${protoField(limit)} = pageElements\n`;
}

function pagedMethods(face: FaceModel): string[] {
  const { field, type, pages } = face.result!;
  if (type.kind !== 'list' || field === undefined || pages === undefined)
    throw new Error('pages are of lists');
  const of = elementType(type.of, 'result');
  const client = clientName(face.service);
  const fetch = `${unexported(face.name)}Pages`;
  const input = protoMessage(face.rpc.desc.input);
  const got = `response.${protoField(field)}`;
  const request = `\trequest, err := ${requestName(face)}(${arguments_(face)})\n`;
  const indented = fill(face, got).replaceAll(/^(?=.)/gm, '\t');
  return [
    `func (c *${client}) ${fetch}(ctx context.Context, request *${input}) func([]byte) (page[${of}], error) {\n` +
      `\trequest = proto.CloneOf(request)\n${pageLimit(face)}` +
      `\treturn func(cursor []byte) (page[${of}], error) {\n\t\trequest.${protoField(pages.cursor)} = cursor\n` +
      `\t\tvar response ${protoMessage(face.rpc.desc.output)}\n` +
      `\t\tif err := ${callOf(face)}; err != nil {\n\t\t\treturn page[${of}]{}, err\n\t\t}\n${indented}` +
      `\t\treturn page[${of}]{${fromProto(type, got, 'c.client', 'result')}, response.${protoField(pages.nextCursor)}}, nil\n\t}\n}`,
    head(
      face,
      '',
      `([]${of}, error)`,
      `${face.doc} Fails with RESULT_TOO_LARGE when there are more than the client collects.`,
    ) +
      `${request}\tif err != nil {\n\t\treturn nil, err\n\t}\n` +
      `\treturn collectPages(c.client, "${face.service}.${face.name}", c.${fetch}(ctx, request))\n}`,
    head(
      face,
      'iter',
      `iter.Seq2[${of}, error]`,
      `yields what ${methodName(face)} returns one by one, a page of calls at a time. An error ends it.`,
    ) +
      `${request}\tif err != nil {\n\t\treturn failedIteration[${of}](err)\n\t}\n` +
      `\treturn func(yield func(${of}, error) bool) {\n\t\titeratePages(c.${fetch}(ctx, request))(yield)\n\t}\n}`,
  ];
}

// Streams.

function itemType(face: FaceModel): string {
  return goType(face.stream!.type, 'result');
}

function streamMethods(face: FaceModel): string[] {
  const item = itemType(face);
  const client = clientName(face.service);
  const input = protoMessage(face.rpc.desc.input);
  const open = `${unexported(face.name)}Stream`;
  const handled = [
    'ctx context.Context',
    ...signature(face.params),
    `handler func(${item})`,
    `options ...${optionsName(face)}`,
  ];
  const request = `\trequest, err := ${requestName(face)}(${arguments_(face)})\n`;
  return [
    `func (c *${client}) ${open}(request *${input}) stream[${item}] {\n` +
      `\treturn stream[${item}]{client: c.client, method: "${face.service}.${face.name}", route: ${routeOf(face)}, feed: func() feed[${item}] {\n` +
      `${feedOf(face)
        .map((line) => `\t\t${line}\n`)
        .join('')}\t}}\n}`,
    head(
      face,
      '',
      '(*Subscription, error)',
      `${face.doc} The handler gets one after the other, on a goroutine of the subscription. It returns once the subscription is in place; that runs until its context ends or it is closed.`,
      handled.join(', '),
    ) +
      `${request}\tif err != nil {\n\t\treturn nil, err\n\t}\n` +
      `\tgiven := firstOf(options)\n\treturn c.${open}(request).subscribe(ctx, handler, given.OnError, given.OnReady)\n}`,
    head(
      face,
      'iter',
      `iter.Seq2[${item}, error]`,
      `yields what ${methodName(face)} hands to its handler. It opens with the iteration and ends with it; an error ends it.`,
    ) +
      `${request}\tif err != nil {\n\t\treturn failedIteration[${item}](err)\n\t}\n` +
      `\treturn c.${open}(request).iterate(ctx, firstOf(options).OnReady)\n}`,
  ];
}

function feedOf(face: FaceModel): string[] {
  const { items, type, resume, subscribed } = face.stream!;
  if (resume === Resume.SUBSCRIPTION) return ['return newTopicFeed(c.client, request)'];
  if (type.kind !== 'message') throw new ModelError('items of streams are messages in Go');
  const { input, output, parent, name } = face.rpc.desc;
  const response = protoMessage(output);
  const item = itemType(face);
  const got = `response.${protoField(items)}`;
  const convert = fromProtoName(type.message);
  const list =
    items.fieldKind === 'list'
      ? `${type.message.handwritten ? 'messagesOf' : 'pointersOf'}(c.client, ${got}, ${convert})`
      : `[]${item}{${fromProto(type, got, 'c.client', 'result')}}`;
  return [
    'request := proto.CloneOf(request)',
    `source := &plainFeed[${response}, ${item}]{}`,
    `source.connect = func(ctx context.Context, conn grpc.ClientConnInterface) (grpc.ServerStreamingClient[${response}], error) {`,
    `\treturn gomsgv1.New${parent.name}Client(conn).${name}(ctx, request)`,
    '}',
    ...(subscribed === undefined ? [] : [`source.subscribed = (*${response}).Get${protoField(subscribed)}`]),
    `source.items = func(response *${response}) []${item} {`,
    ...(resume === Resume.WATCH
      ? [
          '\tif len(response.ResumeToken) > 0 {',
          '\t\trequest.ResumeToken = response.ResumeToken',
          ...(input.fields.some((field) => field.name === 'from_revision')
            ? ['\t\trequest.FromRevision = 0']
            : []),
          '\t}',
        ]
      : []),
    `\treturn ${list}`,
    '}',
    ...(resume === Resume.CONSUMER ? ['source.giveBack = rejectDelivery'] : []),
    'return source',
  ];
}
