/** Which method of the Go SDK a call of the conformance suite is, with its arguments, options and result. */
import { ModelError, ofFace } from '../build-model.ts';
import type { GeneratedFile } from '../generated-file.ts';
import type { FaceModel, MessageModel, SdkModel, ValueType } from '../model.ts';
import { exported, goFile, methodName, optionsName, parameter, sorted, unexported } from './source.ts';
import { goType, isPointer, optionStyle, type Place, snake } from './values.ts';

/** Paths are below the folder of the client program. */
export function emitGoDispatch(given: SdkModel): GeneratedFile[] {
  const model = sorted(given);
  const faces = model.services.flatMap(({ faces }) => faces);
  const messages = model.messages.filter(({ handwritten }) => !handwritten);
  return [
    goFile(
      'dispatch_gen.go',
      [
        dispatch(
          'callMethod(ctx context.Context, client *gomsg.Client, request *conformancev1.Call) (*conformancev1.Value, error)',
          'return nil, unknownMethod(request.Method)',
          faces
            .filter(({ kind }) => kind !== 'stream')
            .flatMap((face) => ofFace(face, () => callCases(face))),
        ),
        dispatch(
          'openMethod(client *gomsg.Client, request *conformancev1.OpenStream, s *openStream) error',
          'return unknownMethod(request.Method)',
          faces.filter(({ kind }) => kind === 'stream').map((face) => ofFace(face, () => streamCase(face))),
        ),
        ...messages.filter(({ isInput }) => isInput).map(inputFunction),
        ...messages.filter(({ isOutput }) => isOutput).map(outputFunction),
      ],
      'main',
    ),
  ];
}

function dispatch(signature: string, otherwise: string, cases: readonly string[]): string {
  return (
    `func ${signature} {\n\tin := &input{args: request.Args}\n\tswitch request.Method {\n${cases.join('')}\t}\n` +
    `\t${otherwise}\n}`
  );
}

function callCases(face: FaceModel): string[] {
  const { result } = face;
  if (face.kind === 'pages' && result?.type.kind === 'list') {
    const element = elementOut(result.type.of, 'result');
    return [
      callCase(face, '', face.name, `give(listOut(${element}))`),
      callCase(face, 'iter', `${face.name}_iter`, `collect(${element})`),
    ];
  }
  const give = (place: Place) =>
    result === undefined ? 'nothing' : `give(${outFunction(result.type, place)})`;
  return [
    callCase(face, '', face.name, give('result')),
    ...(face.hasBytesTwin ? [callCase(face, 'bytes', `${face.name}_bytes`, give('bytes'))] : []),
  ];
}

function callCase(face: FaceModel, suffix: string, name: string, give: string): string {
  const method = `client.${exported(face.service)}.${methodName(face, suffix)}`;
  const args = ['ctx', ...face.params.map((param) => parameter(param.name)), ...optionArgument(face)];
  return (
    `\tcase "${face.service}.${name}":\n${argumentLines(face)}` +
    `\t\tif in.err != nil {\n\t\t\treturn nil, in.err\n\t\t}\n\t\treturn ${give}(${method}(${args.join(', ')}))\n`
  );
}

function streamCase(face: FaceModel): string {
  const client = `client.${exported(face.service)}.`;
  const item = sdkType(face.stream!.type, 'result');
  const args = face.params.map((param) => parameter(param.name));
  const handled = ['s.ctx', ...args, 'handler', 'options'].join(', ');
  const iterated = ['s.ctx', ...args, 'options'].join(', ');
  return (
    `\tcase "${face.service}.${face.name}":\n${argumentLines(face)}` +
    `\t\tif in.err != nil {\n\t\t\treturn in.err\n\t\t}\n` +
    `\t\treturn runStream(s, request, ${outFunction(face.stream!.type, 'result')},\n` +
    `\t\t\tfunc(handler func(${item}), onError func(error, ${item})) (*gomsg.Subscription, error) {\n` +
    `\t\t\t\toptions.OnError = onError\n\t\t\t\treturn ${client}${methodName(face)}(${handled})\n\t\t\t},\n` +
    `\t\t\tfunc(ready func()) iter.Seq2[${item}, error] {\n` +
    `\t\t\t\toptions.OnReady = ready\n\t\t\t\treturn ${client}${methodName(face, 'iter')}(${iterated})\n\t\t\t})\n`
  );
}

function optionArgument(face: FaceModel): string[] {
  return face.options.length > 0 || face.kind === 'stream' ? ['options'] : [];
}

function argumentLines(face: FaceModel): string {
  const args = face.params.map(
    ({ name, type }, index) =>
      `\t\t${parameter(name)} := ${inExpression(type, `in.arg(${index})`, 'parameter')}\n`,
  );
  const cases = face.options.map((option) => {
    const value = inExpression(option.type, 'value', 'parameter');
    const given = optionStyle(option) === 'pointer' ? `gomsg.Ptr(${value})` : value;
    return `\t\t\tcase "${option.name}":\n\t\t\t\toptions.${exported(option.name)} = ${given}\n`;
  });
  const hasOptions = optionArgument(face).length > 0;
  return (
    args.join('') +
    (hasOptions ? `\t\tvar options gomsg.${optionsName(face)}\n` : '') +
    `\t\tfor name${cases.length > 0 ? ', value' : ''} := range request.Options {\n\t\t\tswitch name {\n${cases.join('')}` +
    `\t\t\tdefault:\n\t\t\t\tin.unknownOption(name)\n\t\t\t}\n\t\t}\n`
  );
}

// Values of the protocol to those of the SDK.

function inExpression(type: ValueType, value: string, place: Place): string {
  switch (type.kind) {
    case 'enum':
      return `gomsg.${type.enum.name}(in.text(${value}))`;
    case 'message':
      return type.message.handwritten
        ? `in.${unexported(snake(type.message))}(${value})`
        : `${unexported(snake(type.message))}In(in, ${value})`;
    case 'list':
    case 'map': {
      const of = type.of.kind === 'message' ? `gomsg.${type.of.message.name}` : goType(type.of, place);
      const each = `func(value *conformancev1.Value) ${of} { return ${inExpression(type.of, 'value', place)} }`;
      return `${type.kind}In(in, ${value}, ${each})`;
    }
    default:
      return `in.${inMethod(type, place)}(${value})`;
  }
}

function inMethod(type: ValueType, place: Place): string {
  switch (type.kind) {
    case 'string':
      return 'text';
    case 'text':
      return place === 'field' ? 'bytes' : 'text';
    case 'int':
      if (type.bits === 32) return 'integer';
      return type.signed ? 'integer64' : 'unsigned64';
    case 'bool':
      return 'boolean';
    case 'double':
      return 'number';
    case 'bytes':
      return 'bytes';
    case 'duration':
      return 'duration';
    case 'timestamp':
      return 'moment';
    default:
      throw new ModelError(`values of kind ${type.kind} are not read by the conformance client yet`);
  }
}

function inputFunction(message: MessageModel): string {
  const cases = message.fields.map(({ name, desc, type }) => {
    const value = inExpression(type, 'value', 'field');
    return `\t\tcase "${name}":\n\t\t\tto.${exported(name)} = ${isPointer(desc) ? `gomsg.Ptr(${value})` : value}\n`;
  });
  return (
    `func ${unexported(snake(message))}In(in *input, from *conformancev1.Value) (to gomsg.${message.name}) {\n` +
    `\tfor name, value := range in.fields(from) {\n\t\tswitch name {\n${cases.join('')}` +
    '\t\tdefault:\n\t\t\tin.unknownOption(name)\n\t\t}\n\t}\n\treturn to\n}'
  );
}

// Values of the SDK to those of the protocol.

/** A type of the SDK, as another package names it. */
function sdkType(type: ValueType, place: Place): string {
  return goType(type, place).replace(/\b(?=[A-Z])(?<!\.)/g, 'gomsg.');
}

/** Code of a function from the SDK's value to the protocol's. */
function outFunction(type: ValueType, place: Place): string {
  switch (type.kind) {
    case 'list':
      return `listOut(${elementOut(type.of, place)})`;
    case 'optional':
      if (type.of.kind === 'duration' || type.of.kind === 'timestamp' || type.of.kind === 'message') {
        return outFunction(type.of, place);
      }
      return `pointerOut(${outFunction(type.of, place)})`;
    case 'message':
      return type.message.handwritten
        ? `${unexported(snake(type.message))}Out`
        : `pointerOut(${unexported(snake(type.message))}Out)`;
    default:
      return scalarOut(type, place);
  }
}

/** The same of an element of a list. */
function elementOut(type: ValueType, place: Place): string {
  if (type.kind === 'optional') return `optionalOut(${elementOut(type.of, place)})`;
  if (type.kind === 'message') return `${unexported(snake(type.message))}Out`;
  return outFunction(type, place);
}

function scalarOut(type: ValueType, place: Place): string {
  switch (type.kind) {
    case 'string':
      return 'textOut';
    case 'text':
      return place === 'result' ? 'textOut' : 'bytesOut';
    case 'int':
      if (type.bits === 32) return 'integerOut';
      return type.signed ? 'integer64Out' : 'unsigned64Out';
    case 'bool':
      return 'booleanOut';
    case 'double':
      return 'numberOut';
    case 'bytes':
      return 'bytesOut';
    case 'duration':
      return 'durationOut';
    case 'timestamp':
      return 'momentOut';
    case 'enum':
      return `enumOut[gomsg.${type.enum.name}]`;
    default:
      throw new ModelError(`values of kind ${type.kind} are not written by the conformance client yet`);
  }
}

function outputFunction(message: MessageModel): string {
  const lines = message.fields.flatMap(({ name, desc, type }) => {
    const from = `from.${exported(name)}`;
    if (type.kind === 'text') {
      return [`fields["${name}"] = plainTextOut(${from})`, `fields["${name}_bytes"] = bytesOut(${from})`];
    }
    if (type.kind === 'list')
      return [`fields["${name}"] = listOut(${elementOut(type.of, 'field')})(${from})`];
    if (type.kind === 'map') return [`fields["${name}"] = mapOut(${from}, ${outFunction(type.of, 'field')})`];
    const out = outFunction(type, 'field');
    return [`fields["${name}"] = ${isPointer(desc) ? `pointerOut(${out})` : out}(${from})`];
  });
  return (
    `func ${unexported(snake(message))}Out(from gomsg.${message.name}) *conformancev1.Value {\n` +
    `\tfields := make(map[string]*conformancev1.Value)\n${lines.map((line) => `\t${line}\n`).join('')}\treturn fieldsOut(fields)\n}`
  );
}
