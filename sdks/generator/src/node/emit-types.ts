/** The types that callers give and get, and their conversion from and to messages. */
import type { GeneratedFile } from '../generated-file.ts';
import type { EnumModel, MessageModel, SdkModel } from '../model.ts';
import { imports } from './imports.ts';
import { docComment, generatedFile, memberName } from './source.ts';
import {
  assignment,
  enumNumbers,
  enumWords,
  fieldType,
  inputName,
  inputType,
  isClass,
  pbAlias,
  pbSchema,
  pbType,
  readerOf,
  readingField,
  writerOf,
  writing,
} from './values.ts';

export function emitTypes(model: SdkModel): GeneratedFile {
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  const body = [
    ...model.enums.map(enumType),
    ...messages.flatMap((message) => [
      ...(message.isOutput ? [isClass(message) ? outputClass(message) : outputInterface(message)] : []),
      ...(message.isInput ? [inputInterface(message)] : []),
    ]),
  ];
  return generatedFile('types.ts', [imports(body.join('\n'), model, []), ...body]);
}

function enumType(model: EnumModel): string {
  const pb = `${pbAlias(model.desc.file)}.${model.desc.name}`;
  const members = model.values.map(({ number, name }) => {
    const { localName } = model.desc.values.find((value) => value.number === number)!;
    return { name, value: `${pb}.${localName}` };
  });
  const zero = model.desc.values.find(({ number }) => number === 0)!;
  const all = [...members, { name: 'unspecified', value: `${pb}.${zero.localName}` }];
  const numbers = enumNumbers(model);
  return [
    docComment(`${model.doc}\n\nA value of a newer server reads as \`unspecified\`.`),
    `export type ${model.name} =`,
    ...model.values.map(({ name, doc }) => `${docComment(doc, '  ')}\n  | '${name}'`),
    "  | 'unspecified';",
    '',
    `export const ${numbers} = {`,
    ...all.map(({ name, value }) => `  ${name}: ${value},`),
    `} as const satisfies Record<${model.name}, ${pb}>;`,
    '',
    `export const ${enumWords(model)}: ReadonlyMap<number, ${model.name}> = new Map<number, ${model.name}>([`,
    ...members.map(({ name, value }) => `  [${value}, '${name}'],`),
    ']);',
  ].join('\n');
}

function outputInterface(message: MessageModel): string {
  const fields = message.fields.map(
    (field) => `${docComment(field.doc, '  ')}\n  readonly ${memberName(field.name)}: ${fieldType(field)};`,
  );
  const values = message.fields.map(
    (field) => `    ${memberName(field.name)}: ${readingField(field, 'message')},`,
  );
  const usesOrigin = values.some((line) => line.includes('origin'));
  return [
    docComment(message.doc),
    `export interface ${message.name} {`,
    ...fields,
    '}',
    '',
    `export function ${readerOf(message)}(message: ${pbType(message.desc)}, ${usesOrigin ? '' : '_'}origin: Origin): ${message.name} {`,
    '  return {',
    ...values,
    '  };',
    '}',
  ].join('\n');
}

function outputClass(message: MessageModel): string {
  const members = message.fields.map((field) => {
    const isText = field.type.kind === 'text';
    const name = memberName(isText ? `${field.name}_bytes` : field.name);
    const type = isText ? 'Uint8Array' : fieldType(field);
    return `${docComment(field.doc, '  ')}\n  readonly ${name}: ${type};`;
  });
  const values = message.fields.map((field) => {
    const isText = field.type.kind === 'text';
    const name = memberName(isText ? `${field.name}_bytes` : field.name);
    return `    this.${name} = ${readingField(field, 'message')};`;
  });
  const getters = message.fields
    .filter(({ type }) => type.kind === 'text')
    .map((field) =>
      [
        docComment(
          `${field.doc}\n\nAs text. @throws FailedPreconditionError (NOT_TEXT) when it is not UTF-8`,
          '  ',
        ),
        `  get ${memberName(field.name)}(): string {`,
        `    return textOf(this.${memberName(`${field.name}_bytes`)}, this.#origin, '${memberName(field.name)}');`,
        '  }',
      ].join('\n'),
    );
  return [
    docComment(message.doc),
    `export class ${message.name} {`,
    ...members,
    '  readonly #origin: Origin;',
    '',
    `  constructor(message: ${pbType(message.desc)}, origin: Origin) {`,
    ...values,
    '    this.#origin = origin;',
    '  }',
    ...getters.flatMap((getter) => ['', getter]),
    '}',
  ].join('\n');
}

function inputInterface(message: MessageModel): string {
  const fields = message.fields.map(
    (field) =>
      `${docComment(field.doc, '  ')}\n  readonly ${memberName(field.name)}?: ${inputType(field.type)};`,
  );
  const names = message.fields.map(({ name }) => `'${memberName(name)}'`).join(', ');
  const set = `${memberName(message.desc.name.charAt(0).toLowerCase() + message.desc.name.slice(1))}Fields`;
  const assignments = message.fields.map((field) => {
    const name = memberName(field.name);
    const value = writing(field.type, `given.${name}`, 'method', `\`\${parameter}.${name}\``);
    return `  if (given.${name} !== undefined) ${assignment(field.desc, 'message', value)}`;
  });
  return [
    docComment(message.doc),
    `export interface ${inputName(message)} {`,
    ...fields,
    '}',
    '',
    `const ${set}: ReadonlySet<string> = new Set([${names}]);`,
    '',
    `export function ${writerOf(message)}(value: unknown, method: string, parameter: string): ${pbType(message.desc)} {`,
    `  const given = input.fields(${set}, value, method, parameter);`,
    `  const message = create(${pbSchema(message.desc)});`,
    ...assignments,
    '  return message;',
    '}',
  ].join('\n');
}
