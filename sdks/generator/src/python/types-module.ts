/** `_gen/types.py`: enums and dataclasses; `_gen/convert.py`: their way from and to protobuf messages. */
import type { GeneratedFile } from '../generated-file.ts';
import type { EnumModel, FieldModel, MessageModel, SdkModel } from '../model.ts';
import {
  docstring,
  identifier,
  indent,
  literal,
  moduleText,
  protoClass,
  protoImport,
  protoModule,
  withoutDocs,
} from './code.ts';
import { enumNumbers, enumReader, readFunction, writeFunction } from './names.ts';
import { annotationImports, fieldType, givenType } from './types.ts';
import { enumsIn, readField, writeField } from './values.ts';

export function typesModule(model: SdkModel): GeneratedFile {
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  const blocks = [...model.enums.map(enumClass), ...messages.map(messageClass)];
  const text = blocks.flat().join('\n');
  return {
    path: 'types.py',
    content: moduleText(
      'What methods take and give: enums and plain types.',
      [
        'from dataclasses import dataclass',
        'from enum import StrEnum',
        ...(text.includes('= field(') ? ['from dataclasses import field'] : []),
        ...(text.includes('_values.') ? ['from gomsg import _values'] : []),
        ...annotationImports(withoutDocs(blocks.flat())),
      ],
      blocks,
    ),
  };
}

function enumClass(model: EnumModel): string[] {
  const members = model.values.flatMap(({ name, doc }) => [
    '',
    `${identifier(name.toUpperCase())} = ${literal(name)}`,
    ...docstring(doc),
  ]);
  return [`class ${model.name}(StrEnum):`, ...indent([...docstring(model.doc), ...members])];
}

function messageClass(message: MessageModel): string[] {
  if (message.isInput && message.isOutput && message.fields.some(({ type }) => type.kind === 'text')) {
    throw new Error(
      `python: ${message.name} is given and gotten and has text: it needs a type of its own each way`,
    );
  }
  const fields = message.fields.flatMap((field, index) => [
    '',
    ...(message.isInput ? givenField(field, index) : gottenField(field)),
  ]);
  const isPositional = message.isInput ? '' : ', kw_only=True';
  return [
    `@dataclass(frozen=True, slots=True${isPositional})`,
    `class ${message.name}:`,
    ...indent([...docstring(message.doc), ...fields, ...textProperties(message)]),
  ];
}

/** A field of a type that callers make. The first is what it is about; the others have defaults. */
function givenField(field: FieldModel, index: number): string[] {
  const type = givenType(field.type);
  const isOptional = field.hasPresence || zeroOf(field) === undefined;
  const annotation = isOptional && !type.endsWith('| None') ? `${type} | None` : type;
  const assigned = index === 0 && !isOptional ? '' : ` = ${isOptional ? 'None' : zeroOf(field)}`;
  return [`${identifier(field.name)}: ${annotation}${assigned}`, ...docstring(field.doc)];
}

/** The value of a field that is not given; undefined where that is nothing at all. */
function zeroOf({ type }: FieldModel): string | undefined {
  if (type.kind === 'text' || type.kind === 'bytes') return 'b""';
  if (type.kind === 'int' || type.kind === 'double') return '0';
  if (type.kind === 'bool') return 'False';
  return type.kind === 'string' ? '""' : undefined;
}

function gottenField(field: FieldModel): string[] {
  const name = field.type.kind === 'text' ? `${field.name}_bytes` : field.name;
  return [`${identifier(name)}: ${fieldType(field)}`, ...docstring(field.doc)];
}

function textProperties(message: MessageModel): string[] {
  if (message.isInput) return [];
  return message.fields
    .filter(({ type }) => type.kind === 'text')
    .flatMap(({ name, doc }) => [
      '',
      '@property',
      `def ${identifier(name)}(self) -> str:`,
      ...indent([
        ...docstring(`${doc} As text; fails with NOT_TEXT when it is not UTF-8.`),
        `return _values.as_text(self.${name}_bytes, ${literal(`${message.name}.${name}`)})`,
      ]),
    ]);
}

export function convertModule(model: SdkModel): GeneratedFile {
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  const readers = messages.filter(({ isOutput }) => isOutput);
  const writers = messages.filter(({ isInput }) => isInput);
  const used = new Set([...model.enums.map(({ name }) => name), ...messages.map(({ name }) => name)]);
  const blocks = [...model.enums.map(enumTables), ...readers.map(reader), ...writers.map(writer)];
  const text = blocks.flat().join('\n');
  return {
    path: 'convert.py',
    content: moduleText(
      'The way of types from and to protobuf messages.',
      [
        ...[...model.enums, ...messages].map(({ desc }) => protoImport(desc.file)),
        ...(text.includes('_values.') ? ['from gomsg import _values'] : []),
        ...(used.size > 0 ? [`from gomsg._gen.types import ${[...used].sort().join(', ')}`] : []),
      ],
      blocks,
    ),
  };
}

function enumTables(model: EnumModel): string[] {
  const table = enumNumbers(model);
  const byNumber = `_${table.replace(/_NUMBERS$/, '')}_BY_NUMBER`;
  const scope =
    model.desc.parent === undefined ? protoModule(model.desc.file) : protoClass(model.desc.parent);
  const entries = model.values.map(
    ({ name, protoName }) => `${model.name}.${identifier(name.toUpperCase())}: ${scope}.${protoName},`,
  );
  return [
    `${table}: dict[str, ${protoClass(model.desc)}] = {`,
    ...indent(entries),
    '}',
    '',
    `${byNumber}: dict[int, ${model.name}] = {number: ${model.name}(name) for name, number in ${table}.items()}`,
    '',
    '',
    `def ${enumReader(model)}(number: int) -> ${model.name} | None:`,
    ...indent([
      ...docstring('None for a value that this version does not know, or that was not given.'),
      `return ${byNumber}.get(number)`,
    ]),
  ];
}

function reader(message: MessageModel): string[] {
  const fields = message.fields.map((field) => {
    const name = field.type.kind === 'text' ? `${field.name}_bytes` : field.name;
    return `${identifier(name)}=${readField(field, 'message')},`;
  });
  return [
    `def ${readFunction(message)}(message: ${protoClass(message.desc)}) -> ${message.name}:`,
    ...indent([`return ${message.name}(`, ...indent(fields), ')']),
  ];
}

function writer(message: MessageModel): string[] {
  const fields = message.fields.flatMap((field) => {
    const name = identifier(field.name);
    const statements = writeField(field.type, `target.${field.desc.name}`, {
      value: `value.${name}`,
      method: 'method',
      param: `{param}.${field.name}`,
    });
    const isOptional =
      field.hasPresence ||
      field.type.kind === 'list' ||
      field.type.kind === 'map' ||
      enumsIn(field.type).length > 0;
    return isOptional ? [`if value.${name} is not None:`, ...indent(statements)] : statements;
  });
  return [
    `def ${writeFunction(message)}(method: str, param: str, value: object, target: ${protoClass(message.desc)}) -> None:`,
    ...indent([
      `if not isinstance(value, ${message.name}):`,
      ...indent([`raise _values.invalid(method, param, ${literal(`a ${message.name}`)}, value)`]),
      ...fields,
    ]),
  ];
}
