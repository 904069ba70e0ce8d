/** `_gen/<service>.py`: the class of a service with all its methods. */
import type { GeneratedFile } from '../generated-file.ts';
import { type FaceModel, Resume, type ServiceModel, type StreamModel } from '../model.ts';
import { docstring, indent, literal, moduleText, protoClass, protoImport, withoutDocs } from './code.ts';
import { methodName, RESUME_NAMES, rpcConstant, serviceClass, timeoutName } from './names.ts';
import {
  type Argument,
  argumentSection,
  named,
  pathOf,
  positional,
  requestStatements,
  signature,
  timeoutArgument,
} from './requests.ts';
import { readCollected, readResult, resultType } from './results.ts';
import { annotationImports, gottenType } from './types.ts';
import { usedNames } from './used-names.ts';
import { readValue } from './values.ts';

export function serviceModule(service: ServiceModel): GeneratedFile {
  const list = service.faces.some((face) => methodName(face) === 'list') ? 'builtins.list' : 'list';
  const methods = service.faces.flatMap((face) => faceMethods(face, list));
  const content = [
    `class ${serviceClass(service.name)}:`,
    ...indent([
      ...docstring(service.doc),
      '',
      '__slots__ = ("_core",)',
      '',
      'def __init__(self, core: Core) -> None:',
      ...indent(['self._core = core']),
      ...methods.flatMap((method) => ['', ...method]),
    ]),
  ];
  const code = withoutDocs(content);
  return {
    path: `${service.name}.py`,
    content: moduleText(
      `The \`${service.name}\` of a client.`,
      [
        'from gomsg._core import Core',
        'from gomsg._gen import rpcs',
        ...(code.includes('_values.') ? ['from gomsg import _values'] : []),
        ...(code.includes('builtins.') ? ['import builtins'] : []),
        ...(code.includes('AsyncIterator') ? ['from collections.abc import AsyncIterator'] : []),
        ...(/\bCallable\b/.test(code) ? ['from collections.abc import Callable'] : []),
        ...annotationImports(code),
        ...service.faces.flatMap(({ rpc }) => [
          protoImport(rpc.desc.input.file),
          protoImport(rpc.desc.output.file),
        ]),
        ...usedNames(service, code),
      ],
      [content],
    ),
  };
}

function faceMethods(face: FaceModel, list: string): string[][] {
  switch (face.kind) {
    case 'unary':
      return [unary(face, false, list), ...(face.hasBytesTwin ? [unary(face, true, list)] : [])];
    case 'pages':
      return pages(face, list);
    case 'stream':
      return [stream(face)];
  }
}

function unary(face: FaceModel, isBytesTwin: boolean, list: string): string[] {
  const name = isBytesTwin ? `${face.name}_bytes` : face.name;
  const spelled = isBytesTwin ? `${methodName(face)}_bytes` : methodName(face);
  const full = literal(`${face.service}.${name}`);
  const options = [...named(face), timeoutArgument(face)];
  const extension = extensionOf(face);
  const call =
    `self._core.call(rpcs.${rpcConstant(face.rpc)}, ${full}, request, ${routeOf(face)}, ` +
    `${timeoutName(face)}${extension === undefined ? '' : `, ${extension}`})`;
  const doc = isBytesTwin ? `As \`${methodName(face)}\`, and gives bytes: ${lowerFirst(face.doc)}` : face.doc;
  const head = `async def ${spelled}(${signature(positional(face), options)}) -> ${resultType(face, isBytesTwin, list)}:`;
  const answer =
    face.result === undefined
      ? [`await ${call}`]
      : [
          `payload = await ${call}`,
          `response = _values.decoded(${protoClass(face.rpc.desc.output)}, payload, ${full})`,
          ...readResult(face, isBytesTwin ? undefined : full),
        ];
  return [
    head,
    ...indent([
      ...docstring(doc, argumentSection([...positional(face), ...options])),
      ...requestStatements(face, full),
      ...answer,
    ]),
  ];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Seconds that the server may wait before it answers, read from the request. */
function extensionOf({ rpc, params, options }: FaceModel): string | undefined {
  const field = rpc.extendsTimeout;
  if (field === undefined) return undefined;
  const isGiven = [...params, ...options].some(
    ({ path }) => path.length === 1 && path[0]?.name === field.name,
  );
  return isGiven ? `_values.seconds_of(request.${field.name})` : undefined;
}

/** The name that a call is about, as an expression on its request. */
function routeOf({ rpc }: FaceModel): string {
  if (rpc.route.length === 0) return 'None';
  const [head, ...rest] = rpc.route;
  const isList = head?.fieldKind === 'list';
  const place = pathOf('request', rpc.route.slice(0, 1));
  const value = isList ? pathOf(`${place}[0]`, rest) : pathOf('request', rpc.route);
  const name = rpc.route.at(-1)?.name === 'delivery_id' ? `_values.queue_of_delivery(${value})` : value;
  return isList ? `${name} if ${place} else None` : name;
}

function pages(face: FaceModel, list: string): string[][] {
  const { result } = face;
  if (result?.pages === undefined || result.type.kind !== 'list') {
    throw new Error(`python: ${face.service}.${face.name} has pages and no list`);
  }
  const spelled = methodName(face);
  const params = positional(face);
  const options = named(face);
  const timeout = timeoutArgument(face);
  const element = gottenType(result.type.of, false, list);
  const pass = [...params, ...options].map(({ name }) => name);
  const request = `self._${face.name}_request(${['METHOD', ...pass].join(', ')})`;
  const page = (method: string, clock: string) =>
    `self._${face.name}_pages(${method}, ${request.replace('METHOD', method)}, self._core.${clock}(${method}, ${timeout.name}))`;
  const collectName = literal(`${face.service}.${face.name}`);
  const iterName = literal(`${face.service}.${face.name}_iter`);
  const builder = [{ name: 'method', annotation: 'str', doc: '' }, ...params, ...options];
  const head = builder.map(({ name, annotation }) => `${name}: ${annotation}`).join(', ');
  const requestClass = protoClass(face.rpc.desc.input);
  return [
    [
      `async def ${spelled}(${signature(params, [...options, timeout])}) -> ${list}[${element}]:`,
      ...indent([
        ...docstring(face.doc, argumentSection([...params, ...options, totalTimeout(timeout)])),
        `return await self._core.collected(${collectName}, ${page(collectName, 'whole_timeout')})`,
      ]),
    ],
    [
      `async def ${spelled}_iter(${signature(params, [...options, timeout])}) -> AsyncIterator[${element}]:`,
      ...indent([
        ...docstring(
          `As \`${spelled}\`, and yields the elements one by one: pages are fetched as they are needed. ${face.doc}`,
          argumentSection([...params, ...options, pageTimeout(timeout)]),
        ),
        `async for page in ${page(iterName, 'page_timeout')}:`,
        ...indent(['for element in page:', ...indent(['yield element'])]),
      ]),
    ],
    [
      `def _${face.name}_request(self, ${head}) -> ${requestClass}:`,
      ...indent([...requestStatements(face, 'method'), 'return request']),
    ],
    [
      `async def _${face.name}_pages(`,
      ...indent([`self, method: str, request: ${requestClass}, timeout: Callable[[], float]`]),
      `) -> AsyncIterator[${list}[${element}]]:`,
      ...indent([
        'while True:',
        ...indent([
          `payload = await self._core.call(rpcs.${rpcConstant(face.rpc)}, method, request, ${routeOf(face)}, timeout())`,
          `response = _values.decoded(${protoClass(face.rpc.desc.output)}, payload, method)`,
          ...readCollected(face, 'method'),
          `if not response.${result.pages.nextCursor.name}:`,
          ...indent(['return']),
          `request.${result.pages.cursor.name} = response.${result.pages.nextCursor.name}`,
        ]),
      ]),
    ],
  ];
}

function totalTimeout(argument: Argument): Argument {
  return {
    ...argument,
    doc: "How long to wait for all pages, in seconds; None = the client's timeout for each.",
  };
}

function pageTimeout(argument: Argument): Argument {
  return { ...argument, doc: "How long to wait for each page, in seconds; None = the client's timeout." };
}

function stream(face: FaceModel): string[] {
  const { stream: model } = face;
  if (model === undefined) throw new Error(`python: ${face.service}.${face.name} streams and says not what`);
  const full = literal(`${face.service}.${face.name}`);
  const item = gottenType(model.type, false);
  const params = [
    ...positional(face).map((argument) => `${argument.name}: ${argument.annotation}`),
    `handler: Handler[${item}] | None = None`,
  ];
  const options = [
    ...named(face),
    {
      name: 'on_error',
      annotation: `ErrorHandler[${item}] | None`,
      doc: 'Told what the handler raised, and of acknowledgements that failed; the subscription then goes on.',
    },
  ];
  const handler = { name: 'handler', annotation: '', doc: 'Called with each item, one at a time, in order.' };
  const head = [
    'self',
    ...params,
    '*',
    ...options.map(({ name, annotation }) => `${name}: ${annotation} = None`),
  ];
  return [
    `def ${methodName(face)}(${head.join(', ')}) -> Subscription[${item}]:`,
    ...indent([
      ...docstring(
        `${face.doc}\n\nWith a handler, await the subscription: it is in place then. Without one, iterate over it.`,
        argumentSection([...positional(face), handler, ...options]),
      ),
      ...requestStatements(face, full),
      ...(model.resume === Resume.SUBSCRIPTION
        ? [`return self._core.subscribe(${full}, request, handler, on_error)`]
        : openStream(face, model, full)),
    ]),
  ];
}

/** Statements that open a stream that goes on by a rule that all streams can have. */
function openStream({ rpc, ...face }: FaceModel, model: StreamModel, method: string): string[] {
  const output = protoClass(rpc.desc.output);
  const field = `response.${model.items.name}`;
  const read = (value: string) => readValue(model.type, value, method);
  const list =
    model.items.fieldKind === 'list' ? `[${read('_item')} for _item in ${field}]` : `[${read(field)}]`;
  return [
    '',
    `def items(response: ${output}) -> list[${gottenType(model.type, false)}]:`,
    ...indent([`return ${list}`]),
    '',
    'return self._core.stream(',
    ...indent([
      `rpcs.${rpcConstant(rpc)},`,
      `${method},`,
      'request,',
      `${routeOf({ rpc, ...face })},`,
      `${output},`,
      'items,',
      'handler,',
      'on_error,',
      `resume=${literal(RESUME_NAMES[model.resume] ?? '')},`,
      `says_subscribed=${model.subscribed === undefined ? 'False' : 'True'},`,
    ]),
    ')',
  ];
}
