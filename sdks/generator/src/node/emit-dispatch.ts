/** The table by which the conformance client of Node finds methods, and the shapes of what they take and give. */
import type { GeneratedFile } from '../generated-file.ts';
import type { FaceModel, MessageModel, OptionModel, ParamModel, SdkModel, ValueType } from '../model.ts';
import { docComment, generatedFile, memberName, methodName } from './source.ts';

export function emitDispatch(model: SdkModel): GeneratedFile[] {
  const shapes = model.messages.filter(({ handwritten }) => !handwritten).map(shapeOfMessage);
  const entries = model.services.flatMap(({ faces }) => faces.flatMap(entriesOf));
  const handwritten = model.messages
    .filter((message) => message.handwritten)
    .map(({ name }) => shapeName(name));
  return [
    generatedFile('dispatch.ts', [
      [`import { type Method, type Shape, ${[...handwritten].sort().join(', ')} } from '../shape.ts';`].join(
        '\n',
      ),
      ...shapes,
      [
        docComment('Every method of the SDK, by its name in snake_case with its service.'),
        'export const METHODS: Readonly<Record<string, Method>> = {',
        ...entries,
        '};',
      ].join('\n'),
    ]),
  ];
}

function shapeName(message: string): string {
  return message.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function shapeOfMessage(message: MessageModel): string {
  return [
    `const ${shapeName(message.name)}: Shape = {`,
    "  kind: 'fields',",
    '  fields: {',
    ...message.fields.map(({ name, type }) => `    ${name}: ['${memberName(name)}', ${shapeOf(type)}],`),
    '  },',
    '};',
  ].join('\n');
}

function shapeOf(type: ValueType): string {
  switch (type.kind) {
    case 'message':
      return shapeName(type.message.name);
    case 'list':
    case 'map':
      return `{ kind: '${type.kind}', of: ${shapeOf(type.of)} }`;
    case 'optional':
      return shapeOf(type.of);
    default:
      return `{ kind: '${type.kind}' }`;
  }
}

/** Text that a method gives as bytes. */
function withBytes(type: ValueType): ValueType {
  if (type.kind === 'text') return { kind: 'bytes' };
  if (type.kind === 'list' || type.kind === 'optional') return { kind: type.kind, of: withBytes(type.of) };
  return type;
}

function entriesOf(face: FaceModel): string[] {
  const base = { params: face.params, options: face.options };
  const nothing = undefined;
  if (face.kind === 'stream') {
    return [entry(face, face.name, methodName(face), 'stream', { ...base, result: face.stream!.type })];
  }
  const result = face.result?.type ?? nothing;
  const element = result?.kind === 'list' ? result.of : result;
  return [
    entry(face, face.name, methodName(face), 'once', { ...base, result }),
    ...(face.kind === 'pages'
      ? [entry(face, `${face.name}_iter`, `${methodName(face)}Iter`, 'iter', { ...base, result: element })]
      : []),
    ...(face.hasBytesTwin
      ? [
          entry(face, `${face.name}_bytes`, methodName(face, '_bytes'), 'once', {
            ...base,
            result: withBytes(result!),
          }),
        ]
      : []),
  ];
}

function entry(
  face: FaceModel,
  name: string,
  method: string,
  kind: string,
  {
    params,
    options,
    result,
  }: { params: readonly ParamModel[]; options: readonly OptionModel[]; result: ValueType | undefined },
): string {
  const optionFields = options.map(
    (option) => `${option.name}: ['${memberName(option.name)}', ${shapeOf(option.type)}]`,
  );
  return [
    `  '${face.service}.${name}': {`,
    `    service: '${face.service}',`,
    `    method: '${method}',`,
    `    kind: '${kind}',`,
    `    params: [${params.map(({ type }) => shapeOf(type)).join(', ')}],`,
    `    options: {${optionFields.length > 0 ? ` ${optionFields.join(', ')} ` : ''}},`,
    `    result: ${result === undefined ? 'undefined' : shapeOf(result)},`,
    '  },',
  ].join('\n');
}
