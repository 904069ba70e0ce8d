/** Types, enums, the error catalogue and the table of rpcs. */
import type { GeneratedFile } from '../generated-file.ts';
import type { EnumModel, FieldModel, MessageModel, ReasonModel, SdkModel } from '../model.ts';
import { comment, exported, goFile, named, protoField, protoMessage, rpcName, unexported } from './source.ts';
import {
  assign,
  elementType,
  fromProto,
  fromProtoName,
  goType,
  isPointer,
  snake,
  toProto,
} from './values.ts';

export function emitTypes(model: SdkModel): GeneratedFile {
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  return goFile('types_gen.go', messages.flatMap(messageSections));
}

function messageSections(message: MessageModel): string[] {
  const fields = message.fields.map(
    (field) => `${comment(field.doc, '\t')}\t${exported(field.name)} ${fieldType(message, field)}\n`,
  );
  return [
    `${comment(`${message.name}: ${message.doc}`)}type ${message.name} struct {\n${fields.join('')}}\n`,
    ...(message.isOutput ? [outputFunction(message)] : []),
    ...(message.isInput ? [inputFunction(message)] : []),
  ];
}

/** A scalar that may be unset is a pointer; so is a message. */
function fieldType(message: MessageModel, { desc, type }: FieldModel): string {
  if (isPointer(desc)) return `*${goType(type, 'field')}`;
  if (type.kind === 'message' && message.isInput && type.message.handwritten) return type.message.name;
  if (type.kind === 'list') return `[]${elementType(type.of, 'field')}`;
  return goType(type, 'field');
}

function outputFunction(message: MessageModel): string {
  const lines = message.fields.map(({ name, desc, type }) => {
    const from = desc.oneof === undefined ? `from.${protoField(desc)}` : `from.Get${protoField(desc)}()`;
    const value =
      isPointer(desc) && type.kind === 'int' && type.bits === 32
        ? `intPtrOf(${from})`
        : isPointer(desc)
          ? from
          : fromProto(type, from, 'client', 'field');
    return `\tto.${exported(name)} = ${value}\n`;
  });
  const usesClient = lines.some((line) => line.includes('client'));
  return (
    `func ${fromProtoName(message)}(${usesClient ? 'client' : '_'} *Client, from *${protoMessage(message.desc)}) ` +
    `(to ${message.name}) {\n${lines.join('')}\treturn to\n}\n`
  );
}

function inputFunction(message: MessageModel): string {
  const lines = message.fields.flatMap(({ name, desc, type }) => {
    const given = `from.${exported(name)}`;
    if (type.kind === 'duration') return [`to.${protoField(desc)} = durationOption(${given})`];
    if (type.kind === 'text' || type.kind === 'bytes') return [`to.${protoField(desc)} = ${given}`];
    if (isPointer(desc) && type.kind === 'int' && type.bits === 32) {
      const local = unexported(name);
      return [
        `${local}, err := number32Ptr(method, parameter+".${name}", ${given})`,
        'if err != nil {',
        '\treturn nil, err',
        '}',
        assign('to', desc, local),
      ];
    }
    if (isPointer(desc)) return [`to.${protoField(desc)} = ${given}`];
    const { before, value } = toProto(type, given, `method, parameter+".${name}"`, unexported(name));
    return [...before, assign('to', desc, value)];
  });
  const uses = lines.some((line) => line.includes('method'));
  const where = uses ? 'method, parameter string' : '_, _ string';
  return (
    `func ${unexported(snake(message))}ToProto(${where}, from ${message.name}) (*${protoMessage(message.desc)}, error) {\n` +
    `\tto := &${protoMessage(message.desc)}{}\n${lines.map((line) => `\t${line}\n`).join('')}\treturn to, nil\n}\n`
  );
}

export function emitEnums(model: SdkModel): GeneratedFile {
  return goFile('enums_gen.go', model.enums.flatMap(enumSections));
}

function enumSections({ desc, name, doc, values }: EnumModel): string[] {
  const constant = (value: string) => `${name}${exported(value)}`;
  const constants = values.map(
    (value) =>
      `${comment(named(constant(value.name), `says: ${value.doc}`), '\t')}\t${constant(value.name)} ${name} = "${value.name}"\n`,
  );
  const proto = `gomsgv1.${desc.name}`;
  const numbers = values.map(
    (value) => `\tcase ${constant(value.name)}:\n\t\treturn ${proto}_${value.protoName}, nil\n`,
  );
  const names = values.map(
    (value) => `\tcase ${proto}_${value.protoName}:\n\t\treturn ${constant(value.name)}\n`,
  );
  const known = values.map((value) => value.name).join(', ');
  return [
    `${comment(`${name}: ${doc}`)}type ${name} string\n`,
    `// Values of ${name}.\nconst (\n${constants.join('')})\n`,
    `func (v ${name}) number(method, parameter string) (${proto}, error) {\n\tswitch v {\n\tcase "":\n\t\treturn 0, nil\n` +
      `${numbers.join('')}\t}\n\treturn 0, invalid(method, parameter, "%q is none of ${known}", string(v))\n}\n`,
    `func ${unexported(snake({ name }))}Of(number ${proto}) ${name} {\n\tswitch number {\n\tcase 0:\n\t\treturn ""\n` +
      `${names.join('')}\t}\n\treturn ${name}(strconv.Itoa(int(number)))\n}\n`,
  ];
}

export function emitErrors(model: SdkModel): GeneratedFile {
  const families = [...Map.groupBy(model.reasons, ({ family }) => family)];
  return goFile('errors_gen.go', [
    `// Reasons of the error catalogue.\nconst (\n${model.reasons.map(reasonConstant).join('')})\n`,
    `// Families of errors, one for each gRPC code that the catalogue has.\nconst (\n${families
      .map(([family, reasons]) => {
        const list = reasons.map(({ name }) => name).join(', ');
        return `${comment(`Err${exported(family)} is the family of ${list}.`, '\t')}\tErr${exported(family)} Family = "${family}"\n`;
      })
      .join('')})\n`,
    `func familyByCode(code codes.Code) (family Family, known bool) {\n\tswitch uint32(code) {\n${families
      .map(([family, [first]]) => `\tcase ${first!.code}:\n\t\treturn Err${exported(family)}, true\n`)
      .join('')}\t}\n\treturn "", false\n}\n`,
    `var catalogue = []reasonInfo{\n${model.reasons
      .map(({ number, name, code, retryable, action }) => {
        return `\t{${number}, ${reasonName(name)}, codes.Code(${code}), ${retryable}, ${JSON.stringify(action)}},\n`;
      })
      .join('')}}\n`,
  ]);
}

function reasonConstant({ name, doc }: ReasonModel): string {
  return `${comment(`${reasonName(name)}: ${doc}`, '\t')}\t${reasonName(name)} Reason = "${name}"\n`;
}

function reasonName(name: string): string {
  return `Reason${exported(name.toLowerCase())}`;
}

export function emitRpcs(model: SdkModel): GeneratedFile {
  const unary = model.rpcs.filter(({ desc }) => desc.methodKind === 'unary');
  return goFile(
    'rpcs_gen.go',
    unary.map((rpc) => {
      const isWrite = rpc.idempotency !== 'no_side_effects';
      const isIdempotent = rpc.idempotency !== 'unknown';
      return `var ${rpcName(rpc)} = rpc{number: ${rpc.number}, path: "${rpc.path}", isWrite: ${isWrite}, isIdempotent: ${isIdempotent}}`;
    }),
  );
}
