/** `_gen/sync_<service>.py`: the same methods, un-awaited. */
import type { GeneratedFile } from '../generated-file.ts';
import type { FaceModel, ServiceModel, ValueType } from '../model.ts';
import { lowerSnake } from '../names.ts';
import { docstring, indent, moduleText, withoutDocs } from './code.ts';
import { hasHandwritten, methodName, serviceClass } from './names.ts';
import { type Argument, argumentSection, named, positional, signature, timeoutArgument } from './requests.ts';
import { resultType } from './results.ts';
import { annotationImports, gottenType } from './types.ts';
import { importOf } from './used-names.ts';

export function syncModule(service: ServiceModel): GeneratedFile {
  const name = serviceClass(service.name);
  const list = service.faces.some((face) => methodName(face) === 'list') ? 'builtins.list' : 'list';
  const methods = service.faces.flatMap((face) => faceMethods(face, list));
  const content = [
    `class ${name}:`,
    ...indent([
      ...docstring(service.doc),
      '',
      '__slots__ = ("_runner", "_service")',
      '',
      `def __init__(self, runner: Runner, service: ${service.name}.${name}) -> None:`,
      ...indent(['self._runner = runner', 'self._service = service']),
      ...methods.flatMap((method) => ['', ...method]),
    ]),
  ];
  const code = withoutDocs(content);
  const types = new Set<string>();
  const handwritten = new Set<string>();
  const given = new Set<string>();
  for (const { params, options, result, stream } of service.faces) {
    for (const { type } of [...params, ...options]) collect(type, types, given);
    for (const { type } of [result, stream].filter((part) => part !== undefined))
      collect(type, types, handwritten);
  }
  for (const message of [...handwritten]) handwritten.add(`wrap_${lowerSnake(message)}`);
  return {
    path: `sync_${service.name}.py`,
    content: moduleText(
      `The \`${service.name}\` of a client that is not asynchronous.`,
      [
        `from gomsg._gen import ${service.name}`,
        'from gomsg._sync.runner import Runner',
        ...(code.includes('builtins.') ? ['import builtins'] : []),
        ...(/\bIterator\b/.test(code) ? ['from collections.abc import Iterator'] : []),
        ...annotationImports(code),
        ...importOf('gomsg._gen.types', types, code),
        ...importOf('gomsg.messages', given, code),
        ...importOf('gomsg._sync.messages', handwritten, code),
        ...importOf('gomsg._sync.subscription', new Set(['Subscription', 'Handler', 'ErrorHandler']), code),
      ],
      [content],
    ),
  };
}

function collect(type: ValueType, types: Set<string>, handwritten: Set<string>): void {
  if (type.kind === 'enum') types.add(type.enum.name);
  else if (type.kind === 'message') (type.message.handwritten ? handwritten : types).add(type.message.name);
  else if (type.kind === 'list' || type.kind === 'optional' || type.kind === 'map') {
    collect(type.of, types, handwritten);
  }
}

function faceMethods(face: FaceModel, list: string): string[][] {
  if (face.kind === 'stream') return [stream(face)];
  const spelled = methodName(face);
  const options = [...named(face), timeoutArgument(face)];
  const twin = face.hasBytesTwin
    ? [method(face, `${spelled}_bytes`, options, resultType(face, true, list), list)]
    : [];
  const base = method(face, spelled, options, resultType(face, false, list), list);
  return [base, ...twin, ...(face.kind === 'pages' ? [iterator(face, options, list)] : [])];
}

function method(
  face: FaceModel,
  spelled: string,
  options: readonly Argument[],
  result: string,
  list: string,
): string[] {
  const call = `self._runner.run(self._service.${spelled}(${passed(face, options)}))`;
  const type = face.result?.type;
  return [
    `def ${spelled}(${signature(positional(face), options)}) -> ${result}:`,
    ...indent([
      ...docstring(face.doc, argumentSection([...positional(face), ...options])),
      ...(type !== undefined && hasHandwritten(type)
        ? [`result = ${call}`, `return ${wrapped(type, 'result', list)}`]
        : [`${face.result === undefined ? '' : 'return '}${call}`]),
    ]),
  ];
}

function iterator(face: FaceModel, options: readonly Argument[], list: string): string[] {
  const { type } = face.result ?? {};
  if (type?.kind !== 'list') throw new Error(`python: ${face.name} has pages and no list`);
  const spelled = `${methodName(face)}_iter`;
  const elements = `self._runner.iterate(self._service.${spelled}(${passed(face, options)}))`;
  return [
    `def ${spelled}(${signature(positional(face), options)}) -> Iterator[${gottenType(type.of, false, list)}]:`,
    ...indent([
      ...docstring(
        `As \`${methodName(face)}\`, and yields the elements one by one: pages are fetched as they are needed. ${face.doc}`,
        argumentSection([...positional(face), ...options]),
      ),
      hasHandwritten(type.of)
        ? `return (${wrapped(type.of, 'item', list)} for item in ${elements})`
        : `return ${elements}`,
    ]),
  ];
}

function stream(face: FaceModel): string[] {
  if (face.stream === undefined) throw new Error(`python: ${face.name} streams and says not what`);
  const { type } = face.stream;
  const item = gottenType(type, false);
  const isWrapped = hasHandwritten(type);
  const params = [
    ...positional(face),
    {
      name: 'handler',
      annotation: `Handler[${item}] | None = None`,
      doc: 'Called with each item, in order, on a thread of the subscription.',
    },
  ];
  const options = [
    ...named(face),
    {
      name: 'on_error',
      annotation: `ErrorHandler[${item}] | None`,
      doc: 'Told what the handler raised, and of acknowledgements that failed; the subscription then goes on.',
    },
  ];
  const pass = [
    ...positional(face).map(({ name }) => name),
    ...named(face).map(({ name }) => `${name}=${name}`),
  ];
  const plain = `self._service.${methodName(face)}(${pass.join(', ')})`;
  const handled = `self._service.${methodName(face)}(${[...positional(face).map(({ name }) => name), 'handle', ...named(face).map(({ name }) => `${name}=${name}`), 'on_error=failed'].join(', ')})`;
  const wrap = isWrapped ? `lambda item: ${wrapped(type, 'item', 'list')}` : 'lambda item: item';
  return [
    `def ${methodName(face)}(${signature(params, options)}) -> Subscription[${item}]:`,
    ...indent([
      ...docstring(
        `${face.doc}\n\nWith a handler it returns once the subscription is in place. Without one, iterate over it.`,
        argumentSection([...params, ...options]),
      ),
      'return Subscription.open(',
      ...indent([
        'self._runner,',
        `lambda: ${plain},`,
        `lambda handle, failed: ${handled},`,
        `${wrap},`,
        'handler,',
        'on_error,',
      ]),
      ')',
    ]),
  ];
}

function passed(face: FaceModel, options: readonly Argument[]): string {
  return [...positional(face).map(({ name }) => name), ...options.map(({ name }) => `${name}=${name}`)].join(
    ', ',
  );
}

/** The value with its messages as those of a client that is not asynchronous. */
function wrapped(type: ValueType, value: string, list: string): string {
  if (type.kind === 'message') return `wrap_${lowerSnake(type.message.name)}(${value}, self._runner)`;
  if (type.kind === 'list') return `[${wrapped(type.of, 'item', list)} for item in ${value}]`;
  if (type.kind === 'optional') return `${wrapped(type.of, value, list)} if ${value} is not None else None`;
  return value;
}
